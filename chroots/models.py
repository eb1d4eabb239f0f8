"""Base systems to build in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.db import models
from django.urls import reverse

from debatomic.access.models import AuditEntry
from hosts import hub
from hosts.models import Channel, Task

if TYPE_CHECKING:
    from debatomic.access.models import User


class ChrootQuerySet(models.QuerySet["Chroot"]):
    def visible_to(self, user: Any) -> ChrootQuerySet:
        if user.is_authenticated:
            return self if user.may("chroots.view") else self.none()
        return self if settings.PUBLIC_READING else self.none()


class Chroot(models.Model):
    """A stored base system, by its definition of the same name in chroots/definitions/."""

    name = models.SlugField(unique=True)  # trixie-amd64
    suite = models.CharField(max_length=40)
    architecture = models.CharField(max_length=20)
    components = models.JSONField(default=list)
    mirror = models.URLField(blank=True)  # empty: the host's own
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar = ChrootQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("chroot", args=[self.name])

    def refresh(self, *, by: User | None) -> Task:
        """Have a host make the base anew from the archive as it is now."""
        task = hub.submit(
            "chroot-init",
            f"refresh {self.name}",
            request={"chroot": self.name, "mirror": self.mirror},
            architecture=self.architecture,
            channel=Channel.objects.get(name="default"),
            limits={"time_limit": 3600, "idle_limit": 900},
            by=by,
        )
        AuditEntry.note(by, "chroot.refresh", self.name, task=task.pk)
        return task


class ChrootCopyQuerySet(models.QuerySet["ChrootCopy"]):
    def note(self, name: str, task: Task) -> None:
        """Remember the base that a completed task of a host made or used."""
        chroot = Chroot.objects.filter(name=name).first()
        base = task.result.get("base") or {}
        if not (chroot and task.host_id and base.get("identity")):
            return
        facts = {"base_id": base["identity"], "packages": base.get("packages", 0), "size": base.get("size", 0)}
        facts["made_at"] = datetime.fromtimestamp(base["made_at"], UTC)
        self.update_or_create(chroot=chroot, host_id=task.host_id, defaults={**facts, "task": task})


class ChrootCopy(models.Model):
    """The base of a chroot as it lies on one host, told by the last task that made or used it there."""

    chroot = models.ForeignKey(Chroot, on_delete=models.CASCADE, related_name="copies")
    host = models.ForeignKey("hosts.Host", on_delete=models.CASCADE, related_name="chroot_copies")
    base_id = models.CharField(max_length=80)
    packages = models.PositiveIntegerField(default=0)
    size = models.BigIntegerField(default=0)
    made_at = models.DateTimeField(null=True)
    task = models.ForeignKey("hosts.Task", on_delete=models.SET_NULL, null=True, related_name="+")

    objects: ClassVar = ChrootCopyQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["chroot", "host"], name="chroot_copy_per_host")]

    def __str__(self) -> str:
        return f"{self.chroot} on {self.host}"
