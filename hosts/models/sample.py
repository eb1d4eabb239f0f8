"""What was measured at times, kept coarser as it grows older (hosts.fleet.samples thins it)."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from hosts.models.host import Host

MINUTE, TEN_MINUTES, HOUR, DAY = 60, 600, 3600, 86400  # seconds


class HostSample(models.Model):
    """How a host was in the `grain` seconds from `at` on: the mean of what it reported."""

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="samples")
    at = models.DateTimeField()
    grain = models.PositiveIntegerField(default=MINUTE)
    load = models.FloatField()  # of the last minute
    memory = models.FloatField()  # in use: share of 1
    disk = models.FloatField()  # in use: share of 1, of the disk that has the state folder
    running = models.FloatField()  # tasks

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["host", "grain", "at"], name="host_sample_history"),
            models.Index(fields=["grain", "at"], name="host_sample_age"),
        ]

    def __str__(self) -> str:
        return f"{self.host} at {self.at:%F %T}"


class QueueSample(models.Model):
    """How many tasks waited and ran in the `grain` seconds from `at` on; architecture "" counts those of any host."""

    at = models.DateTimeField()
    grain = models.PositiveIntegerField(default=MINUTE)
    architecture = models.CharField(max_length=20, blank=True)
    waiting = models.FloatField()
    running = models.FloatField()
    oldest = models.FloatField(default=0.0)  # seconds that the longest waiting one had waited

    class Meta:
        indexes: ClassVar = [models.Index(fields=["grain", "at"], name="queue_sample_age")]

    def __str__(self) -> str:
        return f"{self.architecture or 'any'} at {self.at:%F %T}"


class PeriodCount(models.Model):
    """The attempts that ended on a day or in a month, counted for one value of one dimension (hosts.fleet.statistics).

    Months are there so that a year of many packages is read from few rows.
    """

    class Grain(models.TextChoices):
        DAY = "day", "day"
        MONTH = "month", "month"

    class Dimension(models.TextChoices):
        ALL = "all", "day"
        PACKAGE = "package", "package"
        TARGET = "target", "target"
        ARCHITECTURE = "architecture", "architecture"
        HOST = "host", "host"
        METHOD = "method", "method"

    grain = models.CharField(max_length=5, choices=Grain.choices, default=Grain.DAY)
    day = models.DateField()  # UTC: the first one of a month
    dimension = models.CharField(max_length=12, choices=Dimension.choices)
    name = models.CharField(max_length=200, blank=True)
    completed = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    lost = models.PositiveIntegerField(default=0)
    canceled = models.PositiveIntegerField(default=0)
    waited = models.FloatField(default=0.0)  # seconds, the sum over all of them
    longest_wait = models.FloatField(default=0.0)
    ran = models.FloatField(default=0.0)  # seconds, the sum over all of them
    longest_run = models.FloatField(default=0.0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["dimension", "grain", "day", "name"], name="period_count_once")
        ]

    def __str__(self) -> str:
        return f"{self.grain} {self.day} {self.dimension} {self.name}"
