"""Since when the hub's web can be reached: one row, renewed by all web processes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

from django.db import models
from django.db.models import Case, F, Value, When

ONLY = 1
GAP = timedelta(seconds=20)  # not renewed for that long, the web was away


class WebPresenceQuerySet(models.QuerySet["WebPresence"]):
    def note(self, moment: datetime) -> None:
        """A web process answers at this moment."""
        was_away = When(seen_at__lt=moment - GAP, then=Value(moment))
        columns = {"since_at": Case(was_away, default=F("since_at")), "seen_at": moment}
        if not self.filter(pk=ONLY).update(**columns):
            self.get_or_create(pk=ONLY, defaults={"seen_at": moment})

    def has_lasted(self, span: timedelta, moment: datetime) -> bool:
        """Whether the web was there without a gap for that long; also where none was ever needed."""
        row = self.filter(pk=ONLY).first()
        if row is None:
            return True
        return row.seen_at >= moment - GAP and (row.since_at is None or row.since_at <= moment - span)


class WebPresence(models.Model):
    """The one row; `since_at` is null until the web was away for the first time."""

    since_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField()

    objects: ClassVar = WebPresenceQuerySet.as_manager()

    def __str__(self) -> str:
        return f"seen at {self.seen_at:%Y-%m-%d %H:%M:%S}"
