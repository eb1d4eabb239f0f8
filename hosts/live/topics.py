"""The names pages listen under, and who may: "task:42", "tasks", "build:7", "hosts".

What an event tells a signed-out visitor depends on the tasks it names: all of them must be public.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser

from debatomic.access import roles
from debatomic.access.checks import may
from hosts.models import Event, Task

TOPIC = re.compile(r"(?P<kind>[a-z-]{1,30})(?::(?P<key>[A-Za-z0-9._+~-]{1,100}))?")
VIEWED_BY_RIGHT_OF = {
    "method": "task",
    "tag": "build",
    "tags": "build",
}  # other topics ask for the right to view their own kind
MOST_TOPICS = 500


def allowed(user: Any, topics: Iterable[str]) -> set[str]:
    """Those of the topics this person, or a signed-out visitor, may listen to."""
    named = [(topic, match) for topic in topics if (match := TOPIC.fullmatch(topic))][:MOST_TOPICS]
    if not user.is_authenticated:
        return {topic for topic, _ in named} if settings.PUBLIC_READING else set()
    return {topic for topic, match in named if _may_view(user, match["kind"])}


def _may_view(user: Any, kind: str) -> bool:
    kind = VIEWED_BY_RIGHT_OF.get(kind, kind)
    right = f"{kind.removesuffix('s')}s.view"
    return right in roles.TABLE and may(user, right)


def tasks_named_by(event: Event) -> set[int]:
    """The tasks an event is about."""
    names = [topic.removeprefix("task:") for topic in event.topics if topic.startswith("task:")]
    if event.kind == "task":
        names.append(event.key)
    return {int(name) for name in names if name.isdecimal()}


def public_among(events: Iterable[Event]) -> set[int]:
    """The ids of those events that a signed-out visitor may hear of."""
    named = {event.pk: tasks_named_by(event) for event in events}
    asked = set().union(*named.values())
    visible = set(Task.objects.visible_to(AnonymousUser()).filter(pk__in=asked).values_list("pk", flat=True))
    return {pk for pk, tasks in named.items() if tasks and tasks <= visible}
