"""Base systems to build in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from chroots import definition, refreshing
from chroots.engine.archives.archive import Archive
from chroots.engine.spec import DEBIAN_KEYRING
from chroots.engine.state import State as EngineState
from debatomic.access.checks import may
from debatomic.addresses import address_of
from hosts.models import LIVE, State, Task
from hosts.models.task import LONG

if TYPE_CHECKING:
    from debatomic.access.models import User


SHOWN_OF_TASK = ("title", "method", "state", "cause", "reason", "progress", "cancel_asked_at", "created_at",
                 "started_at", "finished_at", "host", "parent", "created_by")  # fmt: skip


class ChrootQuerySet(models.QuerySet["Chroot"]):
    def visible_to(self, user: Any) -> ChrootQuerySet:
        if user.is_authenticated:
            return self if user.may("chroots.view") else self.none()
        return self if settings.PUBLIC_READING else self.none()

    def due(self, moment: datetime) -> ChrootQuerySet:
        """Those whose time for a refresh by schedule has come."""
        return self.filter(enabled=True, refresh_at__lte=moment)


class Chroot(models.Model):
    """A stored base system. Suite, architecture and so on are what its definition says, kept to list and filter by."""

    name = models.SlugField(unique=True)  # trixie-amd64
    definition = models.TextField(blank=True)  # YAML; empty: the one of this name that comes with DebAtomic
    suite = models.CharField(max_length=40)
    architecture = models.CharField(max_length=20)
    variant = models.CharField(max_length=20, default="buildd")
    components = models.JSONField(default=list)
    mirror = models.CharField(max_length=300, blank=True)  # empty: the host's own
    enabled = models.BooleanField(default=True)
    refresh_hours = models.PositiveIntegerField(default=0)  # between two refreshes by themselves; 0: none
    refresh_at = models.DateTimeField(null=True)  # the next of these
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar = ChrootQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["name"]
        indexes: ClassVar = [models.Index(fields=["refresh_at"], name="chroot_due", condition=Q(enabled=True))]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return address_of("chroot", self.name)

    @property
    def request(self) -> dict[str, str]:
        """What a task that works on this chroot is told of it, as it is now."""
        return {"chroot": self.name, "mirror": self.mirror, "definition": self.definition}

    def archive(self, state: EngineState) -> Archive:
        """The archive it is made from, to look for source packages in."""
        spec = definition.read(self.name, self.definition) if self.definition else None
        return Archive(
            self.suite, state, mirror=self.mirror or settings.MIRROR, components=self.components,
            keyring=spec.keyring if spec else DEBIAN_KEYRING,
        )  # fmt: skip

    def refresh(self, *, by: User | None) -> Task:
        """Have every host that has it make the base anew from the archive as it is now."""
        return refreshing.refresh(self, by=by)

    def can_edit(self, user: Any) -> bool:
        return may(user, "chroots.edit")

    def can_refresh(self, user: Any) -> bool:
        return self.enabled and may(user, "chroots.refresh")

    def can_try(self, user: Any) -> bool:
        return self.enabled and may(user, "chroots.try")

    def why_needed(self) -> str:
        """Why it cannot be deleted; empty if it can."""
        names = list(self.targets.order_by("name").values_list("name", flat=True))
        if not names:
            return ""
        listed = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        return f"The targets {listed} build in it." if len(names) > 1 else f"The target {listed} builds in it."


class ChrootCopyQuerySet(models.QuerySet["ChrootCopy"]):
    def note(self, name: str, task: Task) -> None:
        """Remember the base that a completed task of a host made or used, and that it was new, if it was."""
        chroot = Chroot.objects.filter(name=name).first()
        base = task.result.get("base") or {}
        if not (chroot and task.host_id and base.get("identity")):
            return
        facts = {"base_id": base["identity"], "packages": base.get("packages", 0), "size": base.get("size", 0)}
        facts["made_at"] = datetime.fromtimestamp(base["made_at"], UTC)
        refreshing.note(chroot, task, facts)
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


class RefreshQuerySet(models.QuerySet["Refresh"]):
    def for_lists(self) -> RefreshQuerySet:
        long = (f"task__{name}" for name in LONG)
        return self.select_related("task", "task__host", "task__created_by").defer(*long, "task__host__report")

    def live(self) -> RefreshQuerySet:
        return self.filter(task__state__in=LIVE)

    def listed(self) -> RefreshQuerySet:
        """Those whose packages are known: they can be searched and compared."""
        return self.exclude(manifest="")


class Refresh(models.Model):
    """One making of a chroot's base on a host, by a task of its own or by a build that found the archive changed.

    `manifest` is the SHA-256 of the stored list of packages (chroots.manifests); empty until there is one. Counts are
    against the one before on the same host.
    """

    chroot = models.ForeignKey(Chroot, on_delete=models.CASCADE, related_name="refreshes")
    task = models.OneToOneField("hosts.Task", on_delete=models.CASCADE, related_name="chroot_refresh")
    base_id = models.CharField(max_length=80, blank=True)
    packages = models.PositiveIntegerField(default=0)
    size = models.BigIntegerField(default=0)
    made_at = models.DateTimeField(null=True)
    manifest = models.CharField(max_length=64, blank=True, db_index=True)
    added = models.PositiveIntegerField(null=True)
    removed = models.PositiveIntegerField(null=True)
    upgraded = models.PositiveIntegerField(null=True)

    objects: ClassVar = RefreshQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-pk"]
        indexes: ClassVar = [models.Index(fields=["chroot", "-id"], name="refresh_of_chroot")]

    def __str__(self) -> str:
        return f"{self.chroot}, refresh {self.pk}"

    @property
    def is_done(self) -> bool:
        return self.task.state == State.COMPLETED

    @property
    def is_by_build(self) -> bool:
        return self.task.method != refreshing.INIT


class ChrootUseQuerySet(models.QuerySet["ChrootUse"]):
    def visible_to(self, user: Any) -> ChrootUseQuerySet:
        """As their tasks are."""
        if user.is_authenticated:
            return self if may(user, "tasks.view") else self.none()
        return self.filter(task__public=True) if settings.PUBLIC_READING else self.none()

    def for_lists(self) -> ChrootUseQuerySet:
        related = self.select_related("task__host", "task__created_by", "task__parent__build")
        return related.only(
            "chroot", *(f"task__{name}" for name in SHOWN_OF_TASK), "task__host__name", "task__created_by__username",
            "task__parent__title", *(f"task__parent__build__{name}" for name in ("source", "version", "task")),
        )  # fmt: skip


class ChrootUse(models.Model):
    """A task that runs in a chroot: a build's, or a trial."""

    chroot = models.ForeignKey(Chroot, on_delete=models.CASCADE, related_name="uses")
    task = models.OneToOneField("hosts.Task", on_delete=models.CASCADE, related_name="chroot_use")

    objects: ClassVar = ChrootUseQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-pk"]
        indexes: ClassVar = [models.Index(fields=["chroot", "-id"], name="use_of_chroot")]

    def __str__(self) -> str:
        return f"{self.chroot} by {self.task}"
