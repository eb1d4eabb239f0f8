"""Chains, what is in them, and what a change of a library brings about."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.db import models

from debatomic.access.checks import may, owns
from debatomic.access.models import AuditEntry
from debatomic.addresses import address_of
from hosts import hub
from hosts.models import LIVE, State, Task
from hosts.models.task import LONG, LONG_OF_PERSON

if TYPE_CHECKING:
    from debatomic.access.models import User


class ChainQuerySet(models.QuerySet["Chain"]):
    def visible_to(self, user: Any) -> ChainQuerySet:
        if user.is_authenticated:
            return self if may(user, "builds.view") else self.none()
        return self.filter(task__public=True) if settings.PUBLIC_READING else self.none()

    def live(self) -> ChainQuerySet:
        return self.filter(task__state__in=LIVE)

    def for_lists(self) -> ChainQuerySet:
        """Without what only the page of one chain shows."""
        long = [f"task__{name}" for name in LONG] + [f"created_by__{name}" for name in LONG_OF_PERSON]
        return self.select_related("task", "target", "created_by", "because").defer("notes", "because__files", *long)


class Chain(models.Model):
    """Several builds for one target, in order. Its state is its task's: kept nowhere else."""

    target = models.ForeignKey("builds.Target", on_delete=models.PROTECT, related_name="chains")
    title = models.CharField(max_length=200)  # its first sources
    size = models.PositiveSmallIntegerField()  # how many builds
    notes = models.JSONField(default=list)  # sentences about its order
    because = models.ForeignKey("builds.Build", on_delete=models.SET_NULL, null=True, related_name="brought_about")
    task = models.OneToOneField(Task, on_delete=models.PROTECT, related_name="chain")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="chains")
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar = ChainQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-pk"]

    def __str__(self) -> str:
        return f"chain {self.pk}: {self.title}"

    def get_absolute_url(self) -> str:
        return address_of("chain", self.pk)

    @property
    def state(self) -> str:
        return self.task.state

    @property
    def is_live(self) -> bool:
        return self.task.is_live

    def cancel(self, *, by: User) -> None:
        """End what runs of it and let nothing more start."""
        hub.cancel(self.task, by)
        AuditEntry.note(by, "chain.cancel", self, chain=self.pk)

    def retry(self, *, by: User) -> None:
        """Go on where it stopped: what is completed stays. Raises InputError for what its target takes no more."""
        hub.retry(self.task, by)
        AuditEntry.note(by, "chain.retry", self, chain=self.pk)

    def can_cancel(self, user: User) -> bool:
        mine = owns(user, self) and may(user, "builds.submit")
        return self.is_live and (mine or may(user, "builds.cancel"))

    def can_retry(self, user: User) -> bool:
        mine = owns(user, self) and may(user, "builds.submit")
        return self.state in (State.FAILED, State.CANCELED) and (mine or may(user, "tasks.retry"))


class ChainMember(models.Model):
    """One build of a chain, and the task that holds it back until the repository has what it needs."""

    chain = models.ForeignKey(Chain, on_delete=models.CASCADE, related_name="members")
    build = models.OneToOneField("builds.Build", on_delete=models.CASCADE, related_name="chained")
    level = models.PositiveSmallIntegerField()  # from 0; those of one are built at the same time
    gate = models.OneToOneField(Task, on_delete=models.PROTECT, null=True, related_name="holds_back")
    needs = models.ManyToManyField("self", through="ChainNeed", symmetrical=False, related_name="needed_by")

    class Meta:
        ordering: ClassVar = ["level", "pk"]

    def __str__(self) -> str:
        return f"{self.build} in chain {self.chain_id}"


class ChainNeed(models.Model):
    """One member is built after another, because of these packages."""

    member = models.ForeignKey(ChainMember, on_delete=models.CASCADE, related_name="because")
    needed = models.ForeignKey(ChainMember, on_delete=models.CASCADE, related_name="+")
    packages = models.CharField(max_length=500)  # names, by spaces

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["member", "needed"], name="chain_need_once")]

    def __str__(self) -> str:
        return f"{self.packages} for {self.member}"


class BuildNeed(models.Model):
    """A build's source package names this package among its build dependencies."""

    build = models.ForeignKey("builds.Build", on_delete=models.CASCADE, related_name="needs")
    package = models.CharField(max_length=100)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["package", "build"], name="build_need_once")]

    def __str__(self) -> str:
        return f"{self.build} needs {self.package}"


class RebuildPolicy(models.Model):
    """Whether a change of a library has a target build anew what builds against it."""

    class When(models.TextChoices):
        NAMES = "names", "its packages have other names (a new soname)"
        VERSION = "version", "its version is another one"

    target = models.OneToOneField("builds.Target", on_delete=models.CASCADE, related_name="rebuild_policy")
    enabled = models.BooleanField(default=False)
    when = models.CharField(max_length=10, choices=When.choices, default=When.NAMES)
    libraries = models.CharField(max_length=500, blank=True)  # patterns of source packages; empty: all
    most = models.PositiveSmallIntegerField(default=50)  # builds; where there would be more, there are none
    seen = models.BigIntegerField(default=0)  # the newest entry of the target's tag that was looked at

    def __str__(self) -> str:
        return f"rebuilds for {self.target}"

    def is_about(self, source: str) -> bool:
        patterns = self.libraries.split()
        return not patterns or any(fnmatchcase(source, pattern) for pattern in patterns)
