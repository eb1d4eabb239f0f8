"""Source packages in, binary packages out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Prefetch
from django.utils.functional import cached_property

from builds import submit
from builds.chains.chain_models import BuildNeed, Chain, ChainMember, ChainNeed, RebuildPolicy
from builds.promotion.promotion_models import PromotionPolicy, PromotionRevision
from builds.provenance.attestation_models import Attestation
from builds.provenance.file_models import FileList, FileName, PackageFiles
from builds.provenance.package_models import SourcePackage
from builds.quality.check_models import CheckPolicy, CheckResult
from builds.submitting.rebuilds import Rebuild, without_number
from builds.submitting.signatures import Checking, Signature
from builds.tagging.repository_models import Holding, Repository, Snapshot
from builds.tagging.tag_models import BlockedPackage, Tag, TagEntry, TagParent
from debatomic.access.checks import may, owns
from debatomic.access.models import AuditEntry
from debatomic.addresses import address_of
from debatomic.tools.errors import InputError
from hosts import hub
from hosts.models import LIVE, Artifact, State, Task
from hosts.models.task import LONG, LONG_OF_PERSON
from hosts.queue.wishes import AS_USUAL, Wishes

__all__ = ["Attestation", "BinaryPackage", "BlockedPackage", "Build", "BuildNeed", "Chain", "ChainMember", "ChainNeed",
           "CheckPolicy", "CheckResult", "Comparison", "FileList", "FileName", "Holding", "PackageFiles",
           "PromotionPolicy", "PromotionRevision", "RebuildPolicy", "Repository", "Snapshot", "SourcePackage", "Tag",
           "TagEntry", "TagParent", "Target"]  # fmt: skip

if TYPE_CHECKING:
    from builds.sources import Upload
    from debatomic.access.models import User

LONG_OF_TARGET = ("description", "tag", "channel", "enabled", "once", "signatures", "keyring", "fingerprints",
                  "with_repository")  # columns that lists of builds do not show  # fmt: skip


class Target(models.Model):
    """Where builds are made and where they go: chroots by architecture, and the tag that takes the result."""

    name = models.SlugField(unique=True)
    description = models.CharField(max_length=200, blank=True)
    chroots = models.ManyToManyField("chroots.Chroot", related_name="targets")
    tag = models.ForeignKey(Tag, on_delete=models.PROTECT, related_name="targets")
    channel = models.ForeignKey("hosts.Channel", on_delete=models.PROTECT, related_name="+")
    enabled = models.BooleanField(default=True)
    once = models.BooleanField(default=True)  # each version of a source package is built once, scratch builds aside
    signatures = models.CharField(max_length=12, choices=Checking.choices, default=Checking.IGNORED)  # of uploads
    keyring = models.TextField(blank=True)  # armored public keys that may sign
    fingerprints = models.TextField(blank=True)  # of those of them that may, one a line; empty: all
    with_repository = models.BooleanField(default=False)  # its builds take packages from its tag's repository, too

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class BuildQuerySet(models.QuerySet["Build"]):
    def visible_to(self, user: Any) -> BuildQuerySet:
        if user.is_authenticated:
            return self if may(user, "builds.view") else self.none()
        return self.filter(task__public=True) if settings.PUBLIC_READING else self.none()

    def live(self) -> BuildQuerySet:
        return self.filter(task__state__in=LIVE)

    def for_lists(self) -> BuildQuerySet:
        return self.select_related("task", "target", "created_by", "task__host").prefetch_related("checks")

    def for_rows(self) -> BuildQuerySet:
        """For lists with a short row each: without what only the page of one build shows."""
        long = [f"task__{name}" for name in LONG] + [f"created_by__{name}" for name in LONG_OF_PERSON]
        long += [f"target__{name}" for name in LONG_OF_TARGET]
        verdicts: Any = Prefetch("checks", CheckResult.objects.for_badges(), to_attr="verdicts")
        rows = self.select_related("task", "target", "created_by").prefetch_related(verdicts)
        return rows.defer("files", *long)

    def submit(
        self, *, source: str, target: Target, by: User, version: str = "", scratch: bool = False,
        wishes: Wishes = AS_USUAL, architectures: Sequence[str] = (), rebuild: Rebuild | None = None,
    ) -> Build:  # fmt: skip
        """Build a source package of the target's archive. Raises InputError with the field that is wrong."""
        name, number = source.strip(), (version or "").strip()
        return submit.from_archive(
            target, name, number, by=by, scratch=scratch, wishes=wishes, architectures=architectures, rebuild=rebuild
        )

    def submit_upload(
        self, *, files: Sequence[Upload], target: Target, by: User, scratch: bool = False, wishes: Wishes = AS_USUAL,
        architectures: Sequence[str] = (), signature: Signature | None = None,
    ) -> Build:  # fmt: skip
        """Build an uploaded .dsc with its files. Raises InputError with the field that is wrong.

        `signature`: what is known of it already; None has the .dsc's own examined.
        """
        return submit.from_upload(
            target, files, by=by, scratch=scratch, wishes=wishes, architectures=architectures, signature=signature
        )


class Build(models.Model):
    """One source version against one target. Its state is its task's: kept nowhere else."""

    class Origin(models.TextChoices):
        ARCHIVE = "archive", "archive"
        UPLOAD = "upload", "upload"
        GIT = "git", "git"

    source = models.CharField(max_length=100, db_index=True)  # the source package's name
    version = models.CharField(max_length=100)
    target = models.ForeignKey(Target, on_delete=models.PROTECT, related_name="builds")
    origin = models.CharField(max_length=10, choices=Origin.choices)
    files = models.JSONField(default=list)  # of the source package: [{name, sha256, size}], frozen at submit
    scratch = models.BooleanField(default=False)
    signature = models.CharField(max_length=250, blank=True)  # what is known of an upload's, as a sentence
    signed_by = models.CharField(max_length=64, blank=True)  # the fingerprint, if a key that the target names signed it
    git_url = models.CharField(max_length=300, blank=True)  # of the repository, where a commit was packed
    git_commit = models.CharField(max_length=64, blank=True)
    binnmu = models.PositiveSmallIntegerField(default=0, db_index=True)  # number of a binary rebuild: version X+bN
    binnmu_reason = models.CharField(max_length=500, blank=True)
    task = models.OneToOneField(Task, on_delete=models.PROTECT, related_name="build")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="builds")
    created_at = models.DateTimeField(auto_now_add=True)
    kept = models.BooleanField(default=False)  # by a person: retention leaves it alone
    leaves_at = models.DateTimeField(null=True)  # when it goes with all that it made, by retention

    objects: ClassVar = BuildQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-pk"]
        indexes: ClassVar = [
            models.Index(fields=["source", "-id"], name="build_source"),
            models.Index(fields=["-id"], condition=models.Q(leaves_at__isnull=False), name="build_leaving"),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.version}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """A new one is the newest of its source package."""
        is_new = self._state.adding
        super().save(*args, **kwargs)
        if is_new:
            SourcePackage.objects.note(self)

    def get_absolute_url(self) -> str:
        return address_of("build", self.pk)

    @property
    def source_version(self) -> str:
        """Of the source package; of a binary rebuild, the packages' version is another one."""
        return without_number(self.version, self.binnmu)

    @property
    def state(self) -> str:
        return self.task.state

    @property
    def is_live(self) -> bool:
        return self.task.is_live

    @property
    def artifacts(self) -> models.QuerySet[Artifact]:
        """What its tasks kept."""
        return Artifact.objects.filter(task__parent=self.task_id).order_by("kind", "name")

    @cached_property
    def verdicts(self) -> list[CheckResult]:
        """Its checks; lists have them fetched for all their rows, with what badges show of them."""
        return list(self.checks.all())

    def cancel(self, *, by: User) -> None:
        """End what runs of it and let nothing more start."""
        hub.cancel(self.task, by)
        AuditEntry.note(by, "build.cancel", self, build=self.pk)

    def retry(self, *, by: User) -> None:
        """Run what failed of it again, as a new attempt. Raises InputError where its target takes it no more."""
        hub.retry(self.task, by)
        AuditEntry.note(by, "build.retry", self, build=self.pk)

    def compare(self, *, by: User) -> Comparison:
        """Have a host compare its packages with the archive's. Raises InputError where it has none (any more)."""
        return submit.comparison(self, by=by)

    @property
    def comparison(self) -> Comparison | None:
        """The latest one."""
        found: Comparison | None = self.comparisons.select_related("task").first()
        return found

    @property
    def can_be_compared(self) -> bool:
        """Whether it has packages, and nobody compares them already."""
        latest = self.comparison if self.state == State.COMPLETED else None
        return self.state == State.COMPLETED and not (latest and latest.task.is_live)

    def can_compare(self, user: User) -> bool:
        return may(user, "builds.compare") and self.can_be_compared

    def resubmit(self, *, by: User, wishes: Wishes) -> Build:
        """Build the same files anew, as another build. Raises InputError for one that has not ended."""
        if self.is_live:
            raise InputError(f"{self} has not ended yet.", hint="Cancel it first, or change its priority.")
        return submit.again(self, by=by, wishes=wishes)

    def rebuild(self, rebuild: Rebuild, *, by: User, architectures: Sequence[str] = ()) -> Build:
        """Make its packages anew with a version of their own. Raises InputError with the field that is wrong."""
        return submit.rebuilt(self, rebuild, by=by, architectures=architectures)

    def can_rebuild(self, user: User) -> bool:
        return self.can_be_rebuilt and may(user, "builds.submit")

    @property
    def can_be_rebuilt(self) -> bool:
        return self.state == State.COMPLETED and not self.scratch

    def can_resubmit(self, user: User) -> bool:
        return not self.is_live and may(user, "builds.scratch" if self.scratch else "builds.submit")

    def can_cancel(self, user: User) -> bool:
        mine = owns(user, self) and may(user, "builds.submit")
        return self.is_live and (mine or may(user, "builds.cancel"))

    def can_retry(self, user: User) -> bool:
        mine = owns(user, self) and may(user, "builds.submit")
        return self.state in (State.FAILED, State.CANCELED) and (mine or may(user, "tasks.retry"))


class Comparison(models.Model):
    """A build's packages beside those of the archive. Its state, and what came out, are its task's."""

    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="comparisons")
    task = models.OneToOneField(Task, on_delete=models.PROTECT, related_name="comparison")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-pk"]

    def __str__(self) -> str:
        return f"{self.build} beside the archive"

    @property
    def packages(self) -> list[dict[str, Any]]:
        """Of each package: name, verdict, note, both SHA-256, and the artifacts that say how they differ."""
        reports = {artifact.name: artifact for artifact in self.task.artifacts.all()}
        return [{**one, "reports": [reports[name] for name in one.get("reports", []) if name in reports]}
                for one in self.task.result.get("packages", [])]  # fmt: skip


class BinaryPackage(models.Model):
    """A .deb or .udeb that a build made."""

    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="binaries")
    name = models.CharField(max_length=100, db_index=True)
    version = models.CharField(max_length=100)
    architecture = models.CharField(max_length=20)
    artifact = models.OneToOneField(Artifact, on_delete=models.PROTECT, related_name="binary_package")
    control = models.TextField(blank=True)  # its paragraph, as repositories have it; empty until one needs it

    class Meta:
        ordering: ClassVar = ["name", "architecture"]

    def __str__(self) -> str:
        return f"{self.name} {self.version} {self.architecture}"
