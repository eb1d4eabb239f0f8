"""Files that are kept: artifacts by content, and logs by attempt."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models

from debatomic.access.checks import may
from debatomic.addresses import address_of


class ArtifactQuerySet(models.QuerySet["Artifact"]):
    def visible_to(self, user: Any) -> ArtifactQuerySet:
        """What this person (or a signed-out visitor) may know of: as its task."""
        if user.is_authenticated:
            return self if may(user, "artifacts.view") else self.none()
        return self.filter(task__public=True) if settings.PUBLIC_READING else self.none()

    def for_rows(self) -> ArtifactQuerySet:
        """With the title of the task and nothing else of it."""
        return self.select_related("task").only(*(field.name for field in self.model._meta.fields), "task__title")


class Artifact(models.Model):
    """A kept file of a task. The content is stored once per SHA-256 (hosts.kept.store)."""

    class Kind(models.TextChoices):
        BINARY = "binary", "binary package"
        CHANGES = "changes", "changes"
        BUILDINFO = "buildinfo", "buildinfo"
        SOURCE = "source", "source package"
        LOG = "log", "log"
        IMAGE = "image", "image"
        TREE = "tree", "OSTree repository"
        PROOF = "proof", "proof"
        METADATA = "metadata", "metadata"
        OTHER = "other", "file"

    task = models.ForeignKey("hosts.Task", on_delete=models.CASCADE, related_name="artifacts", null=True)
    name = models.CharField(max_length=255)
    kind = models.CharField(max_length=20, choices=Kind.choices, default=Kind.OTHER)
    media_type = models.CharField(max_length=100, default="application/octet-stream")
    sha256 = models.CharField(max_length=64, db_index=True)
    size = models.BigIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar = ArtifactQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-pk"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["task", "name"], name="artifact_name_per_task")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return address_of("artifact-download", self.pk, self.name)


class Log(models.Model):
    """One log of one attempt: an append-only file on the hub while it runs, compressed when `sealed_at` is set."""

    task = models.ForeignKey("hosts.Task", on_delete=models.CASCADE, related_name="logs")
    attempt = models.PositiveIntegerField()
    name = models.CharField(max_length=100)
    size = models.BigIntegerField(default=0)  # bytes, final once sealed; until then ask hosts.live.logs
    sealed_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["attempt", "pk"]
        indexes: ClassVar = [models.Index(fields=["id"], name="log_grows", condition=models.Q(sealed_at=None))]
        constraints: ClassVar = [models.UniqueConstraint(fields=["task", "attempt", "name"], name="log_once")]

    def __str__(self) -> str:
        return f"{self.name} of task {self.task_id}, attempt {self.attempt}"
