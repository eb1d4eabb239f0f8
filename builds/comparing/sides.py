"""What is kept of one build, to be compared with another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from builds.models import BinaryPackage, Build, CheckResult
from builds.provenance.buildinfo import installed
from builds.provenance.origin import text_of
from builds.quality.check_views import with_reports
from builds.tagging.entries import description
from hosts.models import Artifact, Task

Key = tuple[str, str]  # a package's name and architecture


@dataclass(frozen=True, kw_only=True)
class Side:
    """A build with its tasks by architecture, its packages and checks; `installed`: versions of the buildroot's
    packages by their names, by architecture."""

    build: Build
    tasks: Mapping[str, Task]
    packages: Mapping[Key, BinaryPackage]
    controls: Mapping[Key, str]
    checks: Mapping[Key, CheckResult]
    installed: Mapping[str, Mapping[str, str]]


def side(build: Build) -> Side:
    """In a number of queries that depends only on its architectures."""
    children = build.task.children.filter(method="build-arch").order_by("pk")
    tasks = {task.architecture or "any": task for task in children}
    binaries = build.binaries.select_related("artifact", "files__listing")
    packages = {(one.name, one.architecture): one for one in binaries}
    checks = {(one.check_name, one.architecture): one for one in with_reports(build.checks.all())}
    return Side(build=build, tasks=tasks, packages=packages, controls=_controls(packages), checks=checks,
                installed=_installed(tasks))  # fmt: skip


def _controls(packages: Mapping[Key, BinaryPackage]) -> dict[Key, str]:
    """Their control paragraphs: kept with them once a repository has them, before in what their task kept."""
    found = {key: package.control for key, package in packages.items() if package.control}
    others = {key: package.artifact for key, package in packages.items() if not package.control}
    told = {task: description(task) for task in {one.task_id for one in others.values()} if task}
    for key, artifact in others.items():
        found[key] = str(told.get(artifact.task_id or 0, {}).get(artifact.name, {}).get("control", ""))
    return found


def _installed(tasks: Mapping[str, Task]) -> dict[str, dict[str, str]]:
    kept = Artifact.objects.filter(task__in=tasks.values(), kind=Artifact.Kind.BUILDINFO).order_by("pk")
    by_task = {artifact.task_id: artifact for artifact in kept}
    return {architecture: {f"{one.name}:{one.architecture}" if one.architecture else one.name: one.version
                           for one in installed(text_of(by_task.get(task.pk)))}
            for architecture, task in tasks.items()}  # fmt: skip
