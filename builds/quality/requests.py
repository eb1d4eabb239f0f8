"""What a host is told of a check: the files of the build and of the version before, all by SHA-256."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from builds.quality.check_models import CheckResult
from builds.tagging import families
from hosts import hub
from hosts.models import Artifact, State, Task

if TYPE_CHECKING:
    from builds.models import Build
    from debatomic.access.models import User

METHOD = "build-check"
LIMITS = {"time_limit": 4 * 3600, "idle_limit": 3600}  # seconds
MADE = (Artifact.Kind.BINARY, Artifact.Kind.CHANGES, Artifact.Kind.BUILDINFO)


def submit(result: CheckResult, made: Task, *, by: User) -> Task:
    """A task that checks what the task `made` built; the result is its from now on."""
    build = result.build
    task = hub.submit(
        METHOD, f"{result.title}: {build} for {build.target}, {made.architecture}", request=_request(result, made),
        architecture=made.architecture, channel=build.target.channel, limits=LIMITS, by=by, public=build.task.public,
    )  # fmt: skip
    type(result).objects.filter(pk=result.pk).update(task=task)
    return task


def _request(result: CheckResult, made: Task) -> dict[str, Any]:
    """The frozen request of the build's task, whose `files` are the source package's, and what it made."""
    logs = made.artifacts.filter(kind=Artifact.Kind.LOG).order_by("-pk").values_list("sha256", flat=True)
    return {
        **made.request, "check": result.check_name, "build": result.build_id,
        "made": _named(made.artifacts.filter(kind__in=MADE)), "log": logs.first() or "",
        "siblings": [*_siblings(made.parent_id, made.architecture), *_rest(result.build)],
        **_before(result.build, made.architecture),
    }  # fmt: skip


def _before(build: Build, architecture: str) -> dict[str, list[dict[str, str]]]:
    """The packages of the build of this source that its target's tag had last before it."""
    earlier = type(build).objects.filter(
        source=build.source, pk__lt=build.pk, scratch=False, tag_entries__tag=build.target.tag_id
    )
    if not build.binnmu:
        earlier = earlier.filter(binnmu=0)  # a binary rebuild has not all packages
    if (found := earlier.order_by("-pk").first()) is None:
        return {"before": [], "before_siblings": []}
    of_it = Artifact.objects.filter(task__parent=found.task_id, kind=Artifact.Kind.BINARY)
    if build.binnmu:
        of_it = of_it.exclude(binary_package__architecture="all")
    siblings = _rest(build) if build.binnmu else _siblings(found.task_id, architecture)
    return {"before": _named(of_it.filter(task__architecture=architecture)), "before_siblings": siblings}


def _siblings(build_task: int | None, architecture: str) -> list[dict[str, str]]:
    """The packages for all architectures that a build made on another one than this."""
    of_it = Artifact.objects.filter(task__parent=build_task, task__method="build-arch", task__state=State.COMPLETED)
    return _named(of_it.filter(kind=Artifact.Kind.BINARY, name__endswith="_all.deb").exclude(
        task__architecture=architecture))  # fmt: skip


def _rest(build: Build) -> list[dict[str, str]]:
    """Of a binary rebuild, the packages for all architectures: another build made them, and its own may need them."""
    if not build.binnmu:
        return []
    makers = type(build).objects.filter(pk__in=list(families.rest_of(build)), target__tag=build.target.tag_id)
    if (maker := makers.order_by("-pk").first()) is None:
        return []
    return _named(Artifact.objects.filter(binary_package__build=maker, binary_package__architecture="all"))


def _named(artifacts: Any) -> list[dict[str, str]]:
    return list(artifacts.order_by("name").values("name", "sha256"))
