"""Packages in, atomic systems out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.db import models

from composes import gates, states, submit
from composes.fields import OrderedMapping
from composes.releases.contained_models import ComposedPackage, ComposedSnapshot
from composes.releases.release_models import Move, ReleaseChannel
from composes.selection import ALL, Selection
from debatomic.access.checks import may, owns
from debatomic.access.models import AuditEntry
from debatomic.addresses import address_of
from debatomic.tools.errors import InputError
from hosts import hub
from hosts.models import Artifact, State, Task
from hosts.models.task import LONG, LONG_OF_PERSON
from hosts.queue.wishes import AS_USUAL, Wishes

if TYPE_CHECKING:
    from debatomic.access.models import User

__all__ = ["Compose", "ComposedPackage", "ComposedSnapshot", "Definition", "Deliverable", "Move", "ReleaseChannel",
           "Revision"]  # fmt: skip
PHASES = ("init", "gather", "rootfs", "ostree", "container", "image", "test", "publish")
FAILED = (State.FAILED, State.CANCELED)


class DefinitionQuerySet(models.QuerySet["Definition"]):
    def visible_to(self, user: Any) -> DefinitionQuerySet:
        if user.is_authenticated:
            return self if user.may("composes.view") else self.none()
        return self if settings.PUBLIC_READING else self.none()


class Definition(models.Model):
    """A set of treefiles under one name; its text lives in revisions."""

    name = models.SlugField(unique=True)
    title = models.CharField(max_length=200, blank=True)
    enabled = models.BooleanField(default=True)

    objects: ClassVar = DefinitionQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return address_of("definition", self.name)

    @property
    def latest(self) -> Revision | None:
        return self.revisions.order_by("-number").first()


class GitOrigin(models.Model):
    """The git repository that a definition follows: its revisions are the commits of a branch."""

    definition = models.OneToOneField(Definition, on_delete=models.CASCADE, related_name="git")
    url = models.CharField(max_length=500)
    branch = models.CharField(max_length=200, default="main")
    path = models.CharField(max_length=200)  # of the main file in the repository
    commit = models.CharField(max_length=64, blank=True)  # the last one that became, or was, the newest revision
    synced_at = models.DateTimeField(null=True)
    fault = models.TextField(blank=True)  # why the last synchronisation was refused: one sentence

    def __str__(self) -> str:
        return f"{self.url} {self.branch}"


class Attachment(models.Model):
    """A package that people gave a definition: its treefiles name it in `debs` as `debs/NAME`, with its SHA-256."""

    definition = models.ForeignKey(Definition, on_delete=models.CASCADE, related_name="attachments")
    name = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64, db_index=True)
    size = models.BigIntegerField()  # bytes
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["name", "-pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["definition", "name", "sha256"], name="attachment_once"),
        ]

    def __str__(self) -> str:
        return self.name


class RevisionQuerySet(models.QuerySet["Revision"]):
    def newest(self) -> RevisionQuerySet:
        """The newest one of each definition."""
        newer = Revision.objects.filter(definition=models.OuterRef("definition"), number__gt=models.OuterRef("number"))
        return self.filter(~models.Exists(newer))


class Revision(models.Model):
    """The files of a definition at one time; never changed."""

    definition = models.ForeignKey(Definition, on_delete=models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)  # SHA-256 of names and contents
    files = models.JSONField()  # {path: text}; `main` is the one to run
    main = models.CharField(max_length=200)
    variants = OrderedMapping(default=dict)  # {name: {"title": ..., "architectures": [...]}}, in its order
    message = models.CharField(max_length=200, blank=True)
    commit = models.CharField(max_length=64, blank=True)  # where it came from a git repository
    author = models.CharField(max_length=200, blank=True)  # of that commit
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar = RevisionQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["definition", "number"], name="revision_number_once"),
        ]

    def __str__(self) -> str:
        return f"{self.definition} r{self.number}"

    def get_absolute_url(self) -> str:
        return address_of("revision", self.definition.name, self.number)

    @property
    def previous(self) -> Revision | None:
        return Revision.objects.filter(definition=self.definition_id, number__lt=self.number).first()


class ComposeQuerySet(models.QuerySet["Compose"]):
    def visible_to(self, user: Any) -> ComposeQuerySet:
        if user.is_authenticated:
            return self if user.may("composes.view") else self.none()
        return self.filter(task__public=True) if settings.PUBLIC_READING else self.none()

    def for_lists(self) -> ComposeQuerySet:
        return self.select_related("task", "revision__definition", "created_by")

    def for_rows(self) -> ComposeQuerySet:
        """For lists with a short row each: without what only the page of one compose shows."""
        long = [f"task__{name}" for name in LONG] + [f"created_by__{name}" for name in LONG_OF_PERSON]
        return self.for_lists().defer("revision__files", "revision__variants", "revision__message", *long)

    def next_respin(self, prefix: str) -> int:
        """The next free number, from 0, for identities such as `debian-atomic-minimal-20261121.` and a number."""
        taken = self.filter(identity__startswith=prefix).values_list("identity", flat=True)
        numbers = [int(rest) for rest in (name.removeprefix(prefix) for name in taken) if rest.isdigit()]
        return max(numbers, default=-1) + 1

    def number_of_next(self, definition: Definition, variant: str) -> int:
        """How many composes of a variant there were: versions of systems end with it, so that none comes twice.

        A count of each day would not do: an archive may have the same date on many days.
        """
        return self.filter(revision__definition=definition, variant=variant).count()

    def last_manifest(self, definition: Definition, variant: str, architecture: str) -> str:
        """SHA-256 of the manifest of the last finished container of a variant; empty where none is kept."""
        same = self.filter(revision__definition=definition, variant=variant, task__state=State.COMPLETED)
        found = Artifact.objects.filter(
            deliverables__compose=same.order_by("-pk").first(), deliverables__architecture=architecture,
            deliverables__kind="oci-manifest",
        ).first()  # fmt: skip
        return found.sha256 if found else ""

    def submit(
        self, *, definition: Definition, variant: str, by: User, architectures: Sequence[str] | None = None,
        wishes: Wishes = AS_USUAL, selection: Selection = ALL,
    ) -> Compose:  # fmt: skip
        """Compose a variant of a definition. Raises InputError with the field that is wrong."""
        return submit.submit(self, definition, variant.strip(), architectures or (), by=by, wishes=wishes,
                             selection=selection)  # fmt: skip


class Compose(models.Model):
    """One variant of a definition, composed once. Its state is its task's, in Pungi's words."""

    identity = models.CharField(max_length=120, unique=True)  # debian-atomic-minimal-20261121.0
    revision = models.ForeignKey(Revision, on_delete=models.PROTECT, related_name="composes")
    variant = models.CharField(max_length=60)
    architectures = models.JSONField(default=list)
    label = models.CharField(max_length=30, blank=True)  # a milestone: RC-1.2
    removed_at = models.DateTimeField(null=True)  # when retention took its files; what is known of it stays
    overridden = models.JSONField(default=dict)  # {"by", "reason", "at", "gates"} where gates that block were
    incomplete = models.BooleanField(default=False, db_default=False)  # completed without something failable
    version = models.CharField(max_length=60, blank=True)  # of the system, 13.20261121.0; known after `ostree`
    task = models.OneToOneField(Task, on_delete=models.PROTECT, related_name="compose")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="composes")
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar = ComposeQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-pk"]

    def __str__(self) -> str:
        return self.identity

    def get_absolute_url(self) -> str:
        return address_of("compose", self.pk)

    @property
    def state(self) -> str:
        """STARTED, FINISHED, FINISHED_INCOMPLETE, DOOMED or TERMINATED."""
        return states.word(self.task.state, incomplete=self.incomplete)

    @property
    def is_live(self) -> bool:
        return self.task.is_live

    @property
    def previous(self) -> Compose | None:
        """The last finished compose of the same variant before this one."""
        same = Compose.objects.filter(revision__definition=self.revision.definition_id, variant=self.variant)
        return same.for_lists().filter(pk__lt=self.pk, task__state=State.COMPLETED).order_by("-pk").first()

    @property
    def artifacts(self) -> models.QuerySet[Artifact]:
        mine = models.Q(task__parent=self.task_id) | models.Q(task=self.task_id)
        return Artifact.objects.filter(mine).order_by("kind", "name")

    def cancel(self, *, by: User) -> None:
        """End what runs of it; nothing is published."""
        hub.cancel(self.task, by)
        AuditEntry.note(by, "compose.cancel", self, compose=self.pk)

    def retry(self, *, by: User) -> None:
        """Run what failed of it again; what was done is reused."""
        for task in self.task.children.filter(failable=True, state__in=FAILED) if self.incomplete else [self.task]:
            hub.retry(task, by)
        AuditEntry.note(by, "compose.retry", self, compose=self.pk)

    def resubmit(
        self, *, by: User, wishes: Wishes, architectures: Sequence[str] = (), selection: Selection | None = None
    ) -> Compose:
        """Compose the same revision anew, as another compose. Raises InputError for one that has not ended."""
        if self.is_live:
            raise InputError(f"{self} has not ended yet.", hint="Cancel it first, or change its priority.")
        return submit.again(self, architectures, by=by, wishes=wishes, selection=selection)

    def can_resubmit(self, user: User) -> bool:
        return not self.is_live and may(user, "composes.submit")

    def override(self, *, by: User, reason: str) -> None:
        """Publish it although gates block it. Raises InputError without a reason, or where none holds it back."""
        gates.override(self, by=by, reason=reason)

    def can_override(self, user: User) -> bool:
        return may(user, "composes.override") and self.state == "DOOMED" and bool(gates.held_back(self))

    def can_cancel(self, user: User) -> bool:
        mine = owns(user, self) and may(user, "composes.submit")
        return self.is_live and (mine or may(user, "composes.cancel"))

    def can_retry(self, user: User) -> bool:
        return self.state in states.ENDED_BADLY and may(user, "composes.submit")


class Deliverable(models.Model):
    """One thing a compose delivers: a commit, an image; with what is known of it (boot proof, digests)."""

    compose = models.ForeignKey(Compose, on_delete=models.CASCADE, related_name="deliverables")
    kind = models.CharField(max_length=20)  # commit, raw, qcow2
    architecture = models.CharField(max_length=20)
    name = models.CharField(max_length=200)
    artifact = models.ForeignKey(Artifact, on_delete=models.PROTECT, null=True, related_name="deliverables")
    facts = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["architecture", "kind"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["compose", "architecture", "kind", "name"], name="deliverable_once")
        ]

    def __str__(self) -> str:
        return self.name
