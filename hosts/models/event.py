"""What happened, in order: pages, webhooks and mail follow this table."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Event(models.Model):
    """One change of one thing; append-only. `kind` and `key` name the thing: ("task", "42")."""

    at = models.DateTimeField(auto_now_add=True, db_index=True)
    kind = models.CharField(max_length=20)
    key = models.CharField(max_length=100)
    what = models.CharField(max_length=40)  # created, the new state, progress
    topics = models.JSONField(default=list)  # names pages listen to: ["task:42", "build:7", "tasks"]

    class Meta:
        ordering: ClassVar = ["pk"]

    def __str__(self) -> str:
        return f"{self.kind} {self.key} {self.what}"
