"""Removes events that every reader has long read: web processes look at the last seconds (hosts.live.event_feed)."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from hosts.models import Event

KEPT = timedelta(days=7)  # for people who look into the table, and for a reader that was down over a weekend
BATCH = 5000  # rows in one transaction


def forget() -> int:
    """Remove one batch of the oldest; the number of rows. It can be repeated until that is 0."""
    old = Event.objects.filter(at__lt=timezone.now() - KEPT).order_by("at")
    batch = old.values_list("at", flat=True)[:BATCH]
    if not (times := list(batch)):
        return 0
    return Event.objects.filter(at__lte=times[-1]).order_by().delete()[0]
