"""What may happen to the checks of a build.

A build enters its target's tag when nothing blocks it: at its end, or at the end of its last blocking check. Whoever
changes a result has its build locked: of two checks that end at once, the later one sees both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from builds.quality.check_models import ERROR, FAIL, PASS, SKIP, WAITING, WARN, CheckResult
from builds.quality.requests import submit
from builds.tagging import changing as tagging
from chroots.engine.checking.table import CHECKS
from debatomic.access.models import AuditEntry
from debatomic.tools.errors import InputError
from hosts.models import Event, Log, State, Task

if TYPE_CHECKING:
    from builds.models import Build, Tag
    from debatomic.access.models import User

LEAST_REASON, MOST_REASON = 5, 500  # characters
SAID = (PASS, WARN, FAIL, SKIP)
MOST_NAMED = 5  # checks in one sentence
BATCH = 50  # checks submitted in one round


@transaction.atomic
def begin(build: Build) -> None:
    """The checks of its target's policy for a build that has just ended well; those of an earlier end stay."""
    made = list(build.task.children.filter(method="build-arch", state=State.COMPLETED).order_by("pk"))
    for policy in build.target.policies.all():
        for task in made:
            result, new = build.checks.get_or_create(
                check_name=policy.check_name, architecture=task.architecture, defaults={"level": policy.level}
            )
            if new and policy.check_name in CHECKS and "log" not in CHECKS[policy.check_name].needs:
                submit(result, task, by=build.created_by)


def tend() -> None:
    """Submit the checks that waited for the build's log, which is packed a moment after the end."""
    waiting = CheckResult.objects.filter(task=None, verdict=WAITING).order_by("pk")
    for pk in list(waiting.values_list("pk", flat=True)[:BATCH]):
        _submit_one(pk)


@transaction.atomic
def _submit_one(pk: int) -> None:
    result = CheckResult.objects.select_for_update(no_key=True).filter(pk=pk, task=None, verdict=WAITING).first()
    if result is None:
        return
    made = _made(result)
    if made is None or result.check_name not in CHECKS:
        why = "The build's tasks are not kept any more." if made is None else "This installation has no such check."
        judge(result, ERROR, why)
    elif not Log.objects.filter(task=made, sealed_at=None).exists():
        submit(result, made, by=result.build.created_by)


def _made(result: CheckResult) -> Task | None:
    """The task that built what is checked."""
    of_build = Task.objects.filter(parent=result.build.task_id, method="build-arch", state=State.COMPLETED)
    found: Task | None = of_build.filter(architecture=result.architecture).order_by("-pk").first()
    return found


def changed(task: Task) -> None:
    """The task of a check went on: its result follows, and its build may enter the tag."""
    result = CheckResult.objects.filter(task=task).first()
    if result is None:
        return
    if task.is_live:
        if not result.is_live:  # somebody retried the task
            CheckResult.objects.filter(pk=result.pk).update(verdict=WAITING, summary="", decisive=[], judged_at=None)
    elif task.state == State.COMPLETED:
        said = task.result
        verdict = said.get("verdict", "")
        judge(result, verdict if verdict in SAID else ERROR, said.get("summary", ""), said.get("decisive", []))
    else:
        judge(result, ERROR, task.reason, task.decisive)
    announce(result.build, f"check-{task.state}")


@transaction.atomic
def judge(result: CheckResult, verdict: str, summary: str, decisive: list[str] | None = None) -> None:
    """Write a verdict down; a build that nothing blocks any more enters its tag."""
    build = _locked(result)
    CheckResult.objects.filter(pk=result.pk).update(
        verdict=verdict, summary=summary, decisive=decisive or [], judged_at=timezone.now()
    )
    _enter(build)


def _locked(result: CheckResult) -> Build:
    builds = type(result.build).objects.select_related("target__tag", "created_by", "task")
    found: Build = builds.select_for_update(of=("self",), no_key=True).get(pk=result.build_id)
    return found


def _enter(build: Build) -> None:
    """Into its target's tag, where neither it nor a later build of its source was, unless something blocks it."""
    entries = build.target.tag.entries.filter(build__source=build.source, build__pk__gte=build.pk)
    if build.state == State.COMPLETED and not entries.exists():
        take(build)


def take(build: Build) -> None:
    """A completed build enters its target's tag; never a scratch build, nor what a check blocks."""
    if not build.scratch and not build.checks.blocking().exists():
        tagging.take(build.target.tag, build)


def missing(build: Build) -> str:
    """Why a build is not in its target's tag, as a sentence; empty where it is in it."""
    tag = build.target.tag
    if tag.entries.at().filter(build=build).exists():
        return ""
    if build.scratch:
        return "It is a scratch build, which is never tagged."
    if build.state != State.COMPLETED:
        return "It has not completed."
    if blocking := [str(check) for check in build.checks.blocking()[:MOST_NAMED]]:
        return f"{', '.join(blocking)} {'blocks' if len(blocking) == 1 else 'block'} it."
    return _held_by_tag(tag, build)


def _held_by_tag(tag: Tag, build: Build) -> str:
    if tag.locked:
        return f"{tag} is locked."
    if tag.blocked.at().filter(source=build.source).exists():
        return f"{build.source} is blocked in {tag}."
    return f"It, or a later build of {build.source}, has been in {tag} already."


@transaction.atomic
def retry(result: CheckResult, *, by: User) -> None:
    """Check again, as a new task. Raises InputError while it is running, or where the build's files are gone."""
    build = _locked(result)
    result.refresh_from_db()
    if result.is_live:
        raise InputError(f"{result.title} of {build} has not ended yet.")
    made = _made(result)
    if made is None or result.check_name not in CHECKS:
        raise InputError(
            f"{build} cannot be checked again.",
            hint="Its files are gone: override the check, or raise the version and build that.",
        )
    fresh: dict[str, Any] = {"verdict": WAITING, "summary": "", "decisive": [], "judged_at": None,
                             "overridden_at": None, "overridden_by": None, "override_reason": ""}  # fmt: skip
    CheckResult.objects.filter(pk=result.pk).update(**fresh)
    result.refresh_from_db()
    submit(result, made, by=by)
    AuditEntry.note(by, "check.retry", result, build=build.pk, check=result.check_name)
    announce(build, "check-retry")


@transaction.atomic
def override(result: CheckResult, *, by: User, reason: str) -> None:
    """Let a build into its tag although this check blocks it. Raises InputError without a reason (field reason)."""
    reason = " ".join(reason.split())
    if not LEAST_REASON <= len(reason) <= MOST_REASON:
        raise InputError(f"Say why, in {LEAST_REASON} to {MOST_REASON} characters.", field="reason")
    build = _locked(result)
    result.refresh_from_db()
    if not result.can_be_overridden:
        raise InputError(f"{result.title} does not block {build}.")
    told = {"overridden_at": timezone.now(), "overridden_by": by, "override_reason": reason}
    CheckResult.objects.filter(pk=result.pk).update(**told)
    AuditEntry.note(by, "check.override", result, build=build.pk, check=result.check_name, reason=reason,
                    verdict=result.verdict, summary=result.summary)  # fmt: skip
    _enter(build)
    announce(build, "check-override")


def announce(build: Build, what: str) -> None:
    """Tell pages of the build, and lists that have it."""
    topics = ["builds", f"build:{build.pk}", f"task:{build.task_id}"]
    Event.objects.create(kind="build", key=str(build.pk), what=what, topics=topics)
