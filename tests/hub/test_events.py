"""Events go when every reader has long read them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from hosts.kept import events
from hosts.models import Event


@pytest.mark.django_db
def test_the_oldest_go_first_and_what_is_fresh_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "BATCH", 2)
    for days in (1, 9, 8, 0, 10):
        made = Event.objects.create(kind="task", key=str(days), what="completed", topics=["tasks"])
        Event.objects.filter(pk=made.pk).update(at=timezone.now() - timedelta(days=days))
    removed = [events.forget() for _ in range(3)]
    assert removed == [2, 1, 0]
    assert set(Event.objects.values_list("key", flat=True)) == {"0", "1"}
