"""The statement of where the packages of one architecture come from: in-toto v1, with SLSA's provenance v1."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from django.conf import settings

from builds.models import Build
from builds.provenance.buildinfo import Installed
from hosts.models import Artifact, Task

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:debatomic:build:1"  # docs/provenance.md says what its parameters are
SUBJECTS = (Artifact.Kind.BINARY, Artifact.Kind.CHANGES, Artifact.Kind.BUILDINFO)
HEX = re.compile(r"[0-9a-f]{64}\Z")


def statement(build: Build, task: Task, files: Iterable[Artifact], buildroot: Iterable[Installed]) -> dict[str, Any]:
    """Of a completed task, the files it kept, and what its .buildinfo names."""
    kept = list(files)
    return {
        "_type": STATEMENT,
        "subject": [_file(each) for each in kept if each.kind in SUBJECTS],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE, "externalParameters": _asked(build, task), "internalParameters": _inner(task),
                "resolvedDependencies": [*_sources(build), *_base(task), *_packages(buildroot, task)],
            },
            "runDetails": {
                "builder": {"id": f"{_site()}/hosts/{quote(task.host.name if task.host else 'unknown')}/"},
                "metadata": _run(task), "byproducts": [_file(each) for each in kept if each.kind not in SUBJECTS],
            },
        },
    }  # fmt: skip


def _site() -> str:
    return str(settings.PUBLIC_ADDRESS).rstrip("/")


def _file(artifact: Artifact) -> dict[str, Any]:
    return {"name": artifact.name, "digest": {"sha256": artifact.sha256}}


def _asked(build: Build, task: Task) -> dict[str, Any]:
    """What whoever submitted it chose."""
    rebuild = {name: task.request[name] for name in ("binnmu",) if name in task.request}
    return {"source": build.source, "version": build.source_version, "origin": build.origin,
            "target": build.target.name, "architecture": task.architecture, "scratch": build.scratch,
            "buildType": task.request.get("build_type", ""), "submittedBy": str(build.created_by),
            "build": f"{_site()}{build.get_absolute_url()}", **rebuild}  # fmt: skip


def _inner(task: Task) -> dict[str, Any]:
    """What the hub chose."""
    return {"chroot": task.request.get("chroot", ""), "limits": task.limits, "layer": task.result.get("layer", "")}


def _run(task: Task) -> dict[str, Any]:
    return {"invocationId": f"{_site()}{task.get_absolute_url()}#attempt-{task.attempt}",
            "startedOn": _time(task.started_at), "finishedOn": _time(task.finished_at)}  # fmt: skip


def _time(moment: Any) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z") if moment else ""


def _sources(build: Build) -> list[dict[str, Any]]:
    return [{"name": each["name"], "digest": {"sha256": each["sha256"]}} for each in build.files]


def _base(task: Task) -> list[dict[str, Any]]:
    """The chroot's base, by the digest of what it was made from."""
    base: Mapping[str, Any] = task.result.get("base") or {}
    if not HEX.match(str(base.get("identity", ""))):
        return []
    notes = {name: base[name] for name in ("digest", "packages", "made_at") if name in base}
    name = f"base of {task.request.get('chroot', '')}"
    return [{"name": name, "digest": {"sha256": base["identity"]}, "annotations": notes}]


def _packages(buildroot: Iterable[Installed], task: Task) -> list[dict[str, Any]]:
    return [{"uri": f"pkg:deb/debian/{quote(each.name)}@{quote(each.version)}"
                    f"?arch={each.architecture or task.architecture}"} for each in buildroot]  # fmt: skip
