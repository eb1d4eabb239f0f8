"""What the scaling policies did, and when."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class ScalingAct(models.Model):
    """One call of a policy's hook (hosts.fleet.scaling)."""

    policy = models.CharField(max_length=60)
    at = models.DateTimeField(auto_now_add=True)
    direction = models.CharField(max_length=4)  # up; down: drained; gone: removed
    host = models.CharField(max_length=200)
    hosts = models.PositiveIntegerField()  # it had then
    wanted = models.PositiveIntegerField()
    reason = models.TextField()  # one sentence
    ended_at = models.DateTimeField(null=True)
    failure = models.TextField(blank=True)  # why the hook did not do it; empty if it did

    class Meta:
        ordering: ClassVar = ["-pk"]
        indexes: ClassVar = [models.Index(fields=["policy", "-id"], name="scaling_act_policy")]

    def __str__(self) -> str:
        return f"{self.policy} {self.direction} to {self.wanted}"
