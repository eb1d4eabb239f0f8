"""The APT repository of a tag, and each state it was published in."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.urls import reverse

from builds.tagging.tag_models import Tag
from hosts.models import LIVE, State, Task


class RepositoryQuerySet(models.QuerySet["Repository"]):
    def visible_to(self, user: Any) -> RepositoryQuerySet:
        return self.filter(tag__in=Tag.objects.visible_to(user))

    def locked(self, pk: int) -> Repository:
        """The row, nobody else's until the transaction ends."""
        return self.select_for_update(of=("self",)).select_related("pruning").get(pk=pk)


class Repository(models.Model):
    """A tag as `apt` reads it."""

    tag = models.OneToOneField(Tag, on_delete=models.CASCADE, related_name="repository")
    suite = models.SlugField(unique=True)  # what stands in sources.list.d
    origin = models.CharField(max_length=100, default="DebAtomic")
    label = models.CharField(max_length=100, default="DebAtomic")
    description = models.CharField(max_length=200, blank=True)
    architectures = models.CharField(max_length=200, default="amd64")  # by spaces, without all
    automatic = models.BooleanField(default=True)  # whether machines upgrade from it by themselves
    contents = models.BooleanField(default=True)  # whether it lists the files of its packages
    pdiffs = models.BooleanField(default=False)  # whether machines can fetch what changed in its package lists
    valid_days = models.PositiveSmallIntegerField(default=0)  # until machines refuse its index; 0: never
    keep_days = models.PositiveSmallIntegerField(default=30)  # snapshots
    enabled = models.BooleanField(default=True)
    anew = models.BooleanField(default=False)  # whether the next snapshot is made from nothing
    seen = models.TextField(blank=True)  # the tags and their revisions that the newest snapshot was made of
    current = models.ForeignKey("Snapshot", on_delete=models.SET_NULL, null=True, related_name="+")
    pruning = models.ForeignKey(Task, on_delete=models.SET_NULL, null=True, related_name="+")  # the last one

    objects: ClassVar = RepositoryQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["suite"]

    def __str__(self) -> str:
        return self.suite

    def get_absolute_url(self) -> str:
        return reverse("repository", args=[self.suite])

    @property
    def path(self) -> str:
        """Where machines find it on this hub."""
        return f"/repositories/{self.suite}"

    def newest(self, number: int) -> list[Snapshot]:
        """Its last snapshots with their tasks, the newest first."""
        return list(self.snapshots.select_related("task")[:number])

    @property
    def is_busy(self) -> bool:
        """Whether a task changes or prunes its folder, or is about to."""
        return self.under_way is not None or (self.pruning is not None and self.pruning.is_live)

    @property
    def under_way(self) -> Snapshot | None:
        """What is being made now."""
        found: Snapshot | None = self.snapshots.filter(task__state__in=LIVE).first()
        return found

    @property
    def failed(self) -> Snapshot | None:
        """The newest one, if it failed."""
        newest = self.snapshots.select_related("task").first()
        return newest if newest and newest.task.state == State.FAILED else None


class Snapshot(models.Model):
    """The repository at one time; its state is its task's."""

    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="snapshots")
    name = models.CharField(max_length=16)  # 20261122T013000Z
    task = models.OneToOneField(Task, on_delete=models.PROTECT, related_name="snapshot")
    change = models.JSONField(default=dict)  # {add: [[build, binary or null]], remove: [holdings]}, until it is done
    facts = models.JSONField(default=dict)  # packages, sources, bytes, seconds
    packages_in = models.PositiveIntegerField(default=0)
    packages_out = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    published_at = models.DateTimeField(null=True)
    signed_by = models.TextField(blank=True)  # fingerprints of the keys that were published when it was submitted
    kept = models.BooleanField(default=False)  # by a person: retention leaves it alone
    leaves_at = models.DateTimeField(null=True)  # when its files go, by retention
    removed_at = models.DateTimeField(null=True)  # its files

    class Meta:
        ordering: ClassVar = ["-pk"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["repository", "name"], name="snapshot_once")]

    def __str__(self) -> str:
        return f"{self.repository} {self.name}"


class Holding(models.Model):
    """A package, or a source package where `binary` is none, that a repository has or had: from which snapshot on, and
    which is the first without it."""

    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="holdings")
    build = models.ForeignKey("builds.Build", on_delete=models.PROTECT, related_name="holdings")
    binary = models.ForeignKey("builds.BinaryPackage", on_delete=models.PROTECT, null=True, related_name="holdings")
    first = models.ForeignKey(Snapshot, on_delete=models.PROTECT, related_name="+")
    end = models.ForeignKey(Snapshot, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        indexes: ClassVar = [models.Index(fields=["repository"], condition=Q(end=None), name="holding_now")]

    def __str__(self) -> str:
        return f"{self.binary or self.build} in {self.repository}"
