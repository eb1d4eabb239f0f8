"""What a target wants checked, and what the checks of a build said."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from chroots.engine.checking.table import CHECKS
from debatomic.access.checks import may, owns
from debatomic.addresses import address_of
from hosts.models import Artifact

if TYPE_CHECKING:
    from debatomic.access.models import User

BLOCKS, INFORMS = "blocks", "informs"
WAITING, PASS, WARN, FAIL, SKIP, ERROR = "waiting", "pass", "warn", "fail", "skip", "error"
VERDICTS = [(WAITING, "waiting or running"), (PASS, "passed"), (WARN, "warns"), (FAIL, "failed"),
            (SKIP, "skipped"), (ERROR, "could not be done")]  # fmt: skip
LEVELS = [(BLOCKS, "blocks"), (INFORMS, "informs")]


class CheckPolicy(models.Model):
    """A check that every build for this target gets."""

    target = models.ForeignKey("builds.Target", on_delete=models.CASCADE, related_name="policies")
    check_name = models.CharField(max_length=40)  # one of chroots.engine.checking.table.CHECKS
    level = models.CharField(max_length=10, choices=LEVELS)

    class Meta:
        ordering: ClassVar = ["pk"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["target", "check_name"], name="check_once_per_target")]

    def __str__(self) -> str:
        return f"{self.check_name} {self.level} {self.target}"


class CheckResultQuerySet(models.QuerySet["CheckResult"]):
    def visible_to(self, user: Any) -> CheckResultQuerySet:
        """As the build."""
        if user.is_authenticated:
            return self if may(user, "builds.view") else self.none()
        return self.filter(build__task__public=True) if settings.PUBLIC_READING else self.none()

    def for_rows(self) -> CheckResultQuerySet:
        return self.select_related("build__target", "overridden_by").defer("build__files")

    def for_badges(self) -> CheckResultQuerySet:
        """What lists of builds tell of each: `title`, `shown` and `blocks` need no more."""
        return self.only("build", "check_name", "level", "architecture", "verdict", "overridden_at")

    def blocking(self) -> CheckResultQuerySet:
        """What keeps builds from their tags."""
        return self.filter(level=BLOCKS, overridden_at=None, verdict__in=(WAITING, FAIL, ERROR))


class CheckResult(models.Model):
    """What one check says of a build, on one architecture; `task` is the latest one that looked."""

    build = models.ForeignKey("builds.Build", on_delete=models.CASCADE, related_name="checks")
    check_name = models.CharField(max_length=40)
    level = models.CharField(max_length=10, choices=LEVELS)  # as the policy was when the build ended
    architecture = models.CharField(max_length=20)
    task = models.OneToOneField("hosts.Task", on_delete=models.SET_NULL, null=True, related_name="check_result")
    verdict = models.CharField(max_length=10, choices=VERDICTS, default=WAITING)
    summary = models.TextField(blank=True)  # one sentence
    decisive = models.JSONField(default=list)  # the lines that decided it
    created_at = models.DateTimeField(auto_now_add=True)
    judged_at = models.DateTimeField(null=True)
    overridden_at = models.DateTimeField(null=True)
    overridden_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    override_reason = models.CharField(max_length=500, blank=True)

    objects: ClassVar = CheckResultQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["build", "check_name", "architecture"], name="check_once_per_build")
        ]
        indexes: ClassVar = [
            models.Index(fields=["verdict", "-id"], name="check_verdict"),
            models.Index(fields=["check_name", "-id"], name="check_name"),
            models.Index(fields=["id"], name="check_to_submit", condition=Q(task=None, verdict=WAITING)),
        ]

    def __str__(self) -> str:
        return f"{self.title} of {self.build}, {self.architecture}"

    def get_absolute_url(self) -> str:
        return address_of("build", self.build_id) + f"#check-{self.pk}"

    @property
    def title(self) -> str:
        """For people; a check that this installation knows no more has only its name."""
        known = CHECKS.get(self.check_name)
        return known.title if known else self.check_name

    @property
    def reports(self) -> list[Artifact]:
        """What its latest task kept, without the log."""
        kept = self.task.artifacts.all() if self.task else ()
        return [artifact for artifact in kept if artifact.kind != Artifact.Kind.LOG]

    @property
    def tests(self) -> list[dict[str, str]]:
        """What its latest task said of each test, where the check runs any: name, result and detail."""
        facts = self.task.result.get("facts", {}) if self.task else {}
        found: list[dict[str, str]] = facts.get("tests", [])
        return found

    @property
    def is_live(self) -> bool:
        return self.verdict == WAITING

    @property
    def is_overridden(self) -> bool:
        return self.overridden_at is not None

    @property
    def shown(self) -> str:
        """The state that pages show."""
        words = {WAITING: "free", PASS: "passed", WARN: "warned", FAIL: "failed", SKIP: "skipped", ERROR: "error"}
        return "overridden" if self.is_overridden and self.verdict in (FAIL, ERROR) else words[self.verdict]

    @property
    def blocks(self) -> bool:
        """Whether it keeps its build from the tag."""
        return self.level == BLOCKS and not self.is_overridden and self.verdict not in (PASS, WARN, SKIP)

    @property
    def can_be_overridden(self) -> bool:
        return self.blocks and not self.is_live

    def can_retry(self, user: User) -> bool:
        mine = owns(user, self.build) and may(user, "builds.submit")
        return not self.is_live and (mine or may(user, "tasks.retry"))

    def can_override(self, user: User) -> bool:
        return self.can_be_overridden and may(user, "builds.override")


def results_of(builds: Collection[int]) -> dict[int, list[CheckResult]]:
    """What the checks of these builds said, by the build's id: for policies. One query."""
    found: dict[int, list[CheckResult]] = {build: [] for build in builds}
    for result in CheckResult.objects.filter(build__in=builds).order_by("pk"):
        found[result.build_id].append(result)
    return found
