"""What composes have that was made here, as rows: retention and the pages of packages ask these, and read no lock."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class ComposedPackage(models.Model):
    """A compose has this package, by its SHA-256: only those that were built here."""

    compose = models.ForeignKey("composes.Compose", on_delete=models.CASCADE, related_name="+")
    sha256 = models.CharField(max_length=64)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["sha256", "compose"], name="composed_once")]

    def __str__(self) -> str:
        return f"{self.sha256} in {self.compose}"


class ComposedSnapshot(models.Model):
    """A lock of a compose names this snapshot of a repository of ours."""

    compose = models.ForeignKey("composes.Compose", on_delete=models.CASCADE, related_name="+")
    suite = models.CharField(max_length=50)
    name = models.CharField(max_length=16)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["suite", "name", "compose"], name="composed_snapshot_once")
        ]

    def __str__(self) -> str:
        return f"{self.suite} {self.name} in {self.compose}"
