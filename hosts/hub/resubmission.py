"""An ended task as a new one, with something else about it."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from debatomic.access.models import AuditEntry
from debatomic.tools.errors import InputError
from hosts import registry
from hosts.hub.submission import submit
from hosts.models import Task
from hosts.queue.wishes import Wishes


@transaction.atomic
def resubmit(task: Task, *, by: Any, wishes: Wishes) -> Task:
    """The same work as a new task. Raises InputError where it has not ended, or is part of something larger.

    What a row stands for, as the journal of releases does for each move of refs, comes only with that row.
    """
    if not task.is_final:
        raise InputError(f"Task {task.pk} has not ended.", hint="Cancel it first, or change its priority.")
    if task.is_parent or task.parent_id:
        raise InputError(f"Task {task.pk} is part of something larger.", hint="Submit that build or compose again.")
    if (known := registry.find(task.method)) and not known.can_be_resubmitted:
        raise InputError(f"A task of the method {task.method} is not submitted alone.",
                         hint="Ask for what it does once more, where that was asked for.")  # fmt: skip
    wishes.check(by)
    made = submit(
        task.method, task.title, request=task.request, architecture=task.architecture,
        channel=wishes.channel or task.channel, weight=wishes.weight or task.weight, priority=wishes.priority,
        limits={**task.limits, **wishes.limits}, retries=wishes.retries or task.retries, dependencies=wishes.after,
        by=by, public=task.public,
    )  # fmt: skip
    AuditEntry.note(by, "task.resubmit", f"task {task.pk}", new=made.pk)
    return made
