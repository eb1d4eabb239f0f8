"""When nothing starts: on a host, or in a channel."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone

from hosts.schedule import cron


class WindowQuerySet(models.QuerySet["Window"]):
    def open_at(self, moment: datetime) -> list[Window]:
        """The windows nothing starts in at this moment."""
        may_be = self.filter(Q(ends_at=None) | Q(ends_at__gt=moment)).prefetch_related("host", "channel")
        return [window for window in may_be if window.end_at(moment)]


class Window(models.Model):
    """A maintenance window: from `starts_at` to `ends_at`, or for some minutes at each time of a line of cron."""

    host = models.ForeignKey("hosts.Host", on_delete=models.CASCADE, null=True, blank=True, related_name="windows")
    channel = models.ForeignKey(
        "hosts.Channel", on_delete=models.CASCADE, null=True, blank=True, related_name="windows"
    )
    reason = models.CharField(max_length=200)
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)  # of one with cron: the last one, if it ever ends
    cron = models.CharField(max_length=100, blank=True)
    time_zone = models.CharField(max_length=60, default="UTC")
    minutes = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar = WindowQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["pk"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(host=None) ^ Q(channel=None), name="window_of_one_thing"),
            models.CheckConstraint(
                condition=Q(cron="", starts_at__isnull=False, ends_at__gt=models.F("starts_at"))
                | (~Q(cron="") & Q(minutes__gt=0)),
                name="window_has_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.of}: {self.reason}"

    @property
    def of(self) -> str:
        """Host or channel, with its name."""
        return f"host {self.host}" if self.host_id else f"channel {self.channel}"

    @property
    def when(self) -> str:
        if self.cron:
            return f"{self.cron} ({self.time_zone}), {self.minutes} min"
        assert self.starts_at and self.ends_at
        return f"{_told(self.starts_at)} to {_told(self.ends_at)}"

    @property
    def is_open(self) -> bool:
        """Whether nothing starts now."""
        return self.end_at(timezone.now()) is not None

    def end_at(self, moment: datetime) -> datetime | None:
        """When the window ends that is open at this moment; None if it is not open."""
        if not self.cron:
            return self.ends_at if self.starts_at and self.starts_at <= moment else None
        began = cron.preceding(self.cron, self.time_zone, moment + timedelta(microseconds=1))
        end = began + timedelta(minutes=self.minutes or 0) if began else moment
        return end if end > moment else None

    def sentence(self, moment: datetime) -> str:
        """Why nothing starts; empty when it is not open."""
        end = self.end_at(moment)
        return f"{self.of.capitalize()} is in maintenance until {_told(end)}: {self.reason}" if end else ""


def _told(moment: datetime) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M %Z}"
