"""What is submitted by itself, at times that people set."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from debatomic.access.checks import may, owns
from debatomic.addresses import address_of


class ScheduleQuerySet(models.QuerySet["Schedule"]):
    def visible_to(self, user: Any) -> ScheduleQuerySet:
        return self if may(user, "tasks.view") else self.none()


class Schedule(models.Model):
    """An order (hosts.schedule.orders) that is submitted at `next_at`, and by its line of cron again and again."""

    name = models.SlugField(max_length=60, unique=True)
    order = models.CharField(max_length=40)
    parameters = models.JSONField(default=dict)  # the order's fields: texts
    cron = models.CharField(max_length=100, blank=True)  # empty: once
    time_zone = models.CharField(max_length=60, default="UTC")  # of the line of cron
    enabled = models.BooleanField(default=True)
    next_at = models.DateTimeField(null=True)  # null: never again
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="schedules")
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar = ScheduleQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["name"]
        indexes: ClassVar = [models.Index(fields=["next_at"], name="schedule_due", condition=Q(enabled=True))]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return address_of("schedule", self.name)

    def can_edit(self, user: Any) -> bool:
        return owns(user, self) or may(user, "schedules.edit")


class Occurrence(models.Model):
    """One time of a schedule that came, and what became of it."""

    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="occurrences")
    due_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)  # null: it is yet to be submitted
    task = models.ForeignKey("hosts.Task", on_delete=models.SET_NULL, null=True, related_name="+")
    reason = models.TextField(blank=True)  # why it was not submitted

    class Meta:
        ordering: ClassVar = ["-pk"]
        indexes: ClassVar = [models.Index(fields=["id"], name="occurrence_open", condition=Q(ended_at=None))]
        constraints: ClassVar = [models.UniqueConstraint(fields=["schedule", "due_at"], name="occurrence_once")]

    def __str__(self) -> str:
        return f"{self.schedule} of {self.due_at:%Y-%m-%d %H:%M}"
