"""The signed statement of where the packages of one architecture come from."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from hosts.models import Artifact, Task


class Attestation(models.Model):
    """Of one completed task of a build; `envelope` is none until the hub's own host has signed it."""

    task = models.OneToOneField(Task, on_delete=models.CASCADE, primary_key=True, related_name="attestation")
    envelope = models.OneToOneField(Artifact, on_delete=models.SET_NULL, null=True, related_name="+")
    keys = models.JSONField(default=list)  # fingerprints of those that signed it
    waits = models.BooleanField(default=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["task"], name="attestation_waits", condition=models.Q(waits=True))]

    def __str__(self) -> str:
        return f"attestation of task {self.task_id}"
