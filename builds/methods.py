"""What hosts do for builds: a parent, and one task per architecture beneath it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from django.conf import settings

from builds.chains import rebuilding
from builds.chains.chain_methods import register_chain_methods
from builds.keeping import leaving
from builds.models import BinaryPackage, Build, Comparison
from builds.orders import BUILD
from builds.promotion.readers import register_readers
from builds.provenance import attestations, indexing
from builds.provenance.package_models import SourcePackage
from builds.quality import gates
from builds.quality.check_methods import register_check_methods
from builds.submitting import from_git, policy, rebuilds
from builds.tagging.beside import of_repository
from builds.tagging.repository_methods import register_repository_methods
from chroots.methods import of_definition, of_mirror
from chroots.models import ChrootCopy
from debatomic.tools.files import write_json
from hosts.models import Artifact, Event, State, Task
from hosts.registry import (
    About,
    Job,
    Keeper,
    KeptFile,
    Method,
    Outcome,
    program,
    register,
    register_contents,
    register_keeper,
    register_round,
)
from hosts.schedule.orders import register as register_order

KINDS = {
    ".deb": (Artifact.Kind.BINARY, "application/vnd.debian.binary-package"),
    ".udeb": (Artifact.Kind.BINARY, "application/vnd.debian.binary-package"),
    ".changes": (Artifact.Kind.CHANGES, "text/plain"),
    ".buildinfo": (Artifact.Kind.BUILDINFO, "text/plain"),
    ".dsc": (Artifact.Kind.SOURCE, "text/plain"),
    ".txt": (Artifact.Kind.OTHER, "text/plain"),
    ".html": (Artifact.Kind.OTHER, "text/html"),  # always saved, never shown: hosts.kept.downloads
}


def build_command(job: Job) -> list[str]:
    """The engine's command for one architecture, with the source package as it was frozen at submit."""
    request = job.request
    expected = {file["name"]: file["sha256"] for file in request["files"]}
    write_json(job.folder / "expect.json", expected)
    kept = request["origin"] != Build.Origin.ARCHIVE
    source = _fetched(job) if kept else request["source"]
    options = {
        "--version": "" if kept else request["version"],
        "--time-limit": job.limits.get("time_limit"),
        "--idle-limit": job.limits.get("idle_limit"),
        "--memory": job.limits.get("memory"),
        "--disk": job.limits.get("disk"),
        "--processors": job.limits.get("processors"),
        "--layers-size": settings.LAYERS_BYTES,
        "--layers-days": settings.LAYERS_DAYS,
    }
    with_source = ["--with-source"] if request.get("with_source") else []
    profiles = request.get("profiles") or []
    with_profiles = [f"--profiles={','.join(profiles)}", *(["--nocheck"] if "nocheck" in profiles else [])]
    given = [str(word) for name, value in options.items() if value for word in (name, value)]
    return program(
        "chroots.engine", "build", source, "--chroot", request["chroot"], "--build", request["build_type"],
        "--expect", job.folder / "expect.json", "--output", job.output, "--state", settings.STATE, *given,
        *with_source, *(with_profiles if profiles else []), *rebuilds.told_engine(request),
        *of_repository(job), *of_mirror(job), *of_definition(job),
    )  # fmt: skip


def _fetched(job: Job) -> Path:
    """A source package that the hub keeps, fetched from the hub; the path of its .dsc."""
    folder: Path = job.folder / "source"
    folder.mkdir()
    for file in job.request["files"]:
        job.fetch(file["sha256"], folder / file["name"])
    described_by: str = next(file["name"] for file in job.request["files"] if file["name"].endswith(".dsc"))
    return folder / described_by


def build_outcome(job: Job) -> Outcome:
    """Keep every file the engine made, and of its result what pages show."""
    result: dict[str, Any] = json.loads((job.output / "result.json").read_text())
    kept = tuple(_kept(job.output / file["name"], file["kind"]) for file in result["files"] if file["kind"] != "log")
    shown = ("source", "version", "phases", "chroot", "base", "layer", "repositories", "needs", "peak_memory",
             "seconds")  # fmt: skip
    return Outcome(result={name: result[name] for name in shown if name in result}, files=kept)


def _kept(path: Path, made_as: str = "") -> KeptFile:
    other = Artifact.Kind.SOURCE if made_as == "source" else Artifact.Kind.OTHER
    kind, media_type = KINDS.get(path.suffix, (other, "application/octet-stream"))
    return KeptFile(path=path, name=path.name, kind=kind, media_type=media_type)


def compare_command(job: Job) -> list[str]:
    """The engine's command for comparing packages, fetched from the hub, with the archive's."""
    folder = job.folder / "packages"
    folder.mkdir()
    for file in job.request["files"]:
        job.fetch(file["sha256"], folder / file["name"])
    mirror = job.request.get("mirror") or settings.MIRROR
    return program(
        "chroots.engine", "compare", folder, "--chroot", job.request["chroot"], "--output", job.output,
        "--state", settings.STATE, *(["--mirror", mirror] if mirror else []),
    )  # fmt: skip


def compare_outcome(job: Job) -> Outcome:
    """Keep the reports of packages that differ, and of each package what it is."""
    result: dict[str, Any] = json.loads((job.output / "result.json").read_text())
    reports = [name for package in result["packages"] for name in package["reports"]]
    return Outcome(
        result={name: result[name] for name in ("suite", "counts", "packages")},
        files=tuple(_kept(job.output / name) for name in reports),
    )


def compare_changed(task: Task) -> None:
    """Tell the build's page."""
    if found := Comparison.objects.select_related("build").filter(task=task).first():
        announce(found.build, f"compare-{task.state}")


def build_caches(request: dict[str, Any]) -> tuple[str, ...]:
    """The chroot's base, and the layer with this source package's build dependencies."""
    return (request["chroot"], f"{request['chroot']} {request['source']}") if "chroot" in request else ()


def build_about(request: Mapping[str, Any]) -> About:
    return About(package=request.get("source", ""), target=request.get("target", ""))


def sweep(job: Job) -> list[str]:
    """Remove what a killed program of this host left."""
    return program("chroots.engine", "sweep", "--state", settings.STATE)


def architecture_changed(task: Task) -> None:
    """Record the packages of a finished architecture, and tell pages of the build."""
    build = Build.objects.filter(task=task.parent_id).first()
    if build is None:
        return
    if task.state == State.COMPLETED:
        for artifact in task.artifacts.filter(kind=Artifact.Kind.BINARY):
            _record_binary(build, artifact)
        ChrootCopy.objects.note(task.request["chroot"], task)
        attestations.note(task)
        rebuilding.record(task, build)
    announce(build, task.state)


def _record_binary(build: Build, artifact: Artifact) -> None:
    name, version, rest = artifact.name.rsplit(".", 1)[0].split("_", 2)
    if build.version.partition(":")[2] == version:
        version = build.version  # file names leave the epoch out
    made, _ = BinaryPackage.objects.get_or_create(
        artifact=artifact, defaults={"build": build, "name": name, "version": version, "architecture": rest}
    )
    indexing.note(made)


def build_changed(task: Task) -> None:
    """A completed build is checked by its target's policy, and enters its tag; a scratch build never does."""
    build = Build.objects.select_related("target__tag", "created_by").filter(task=task).first()
    if build is None:
        return
    if task.state == State.COMPLETED:
        gates.begin(build)
        gates.take(build)
    SourcePackage.objects.note(build, failed=task.state == State.FAILED)
    announce(build, task.state)


def build_again(task: Task) -> None:
    """Its target's demands of today, whether the build, its chain or one architecture is retried. Raises InputError."""
    if build := Build.objects.select_related("target").filter(task=task).first():
        policy.require_again(build)


def announce(build: Build, what: str) -> None:
    topics = ["builds", f"build:{build.pk}", f"task:{build.task_id}"]
    Event.objects.create(kind="build", key=str(build.pk), what=what, topics=topics)


def source_files(contents: Set[str]) -> set[str]:
    """Those of these SHA-256 that are of source packages that no archive has: a build may be tried again anytime."""
    uploaded = Build.objects.exclude(origin=Build.Origin.ARCHIVE).order_by().values_list("files", flat=True)
    return {file["sha256"] for files in uploaded.iterator() for file in files if file["sha256"] in contents}


def forget_comparisons(tasks: Sequence[int]) -> None:
    Comparison.objects.filter(task__in=tasks).delete()


def forget_binaries(artifacts: Sequence[int]) -> None:
    indexing.forget(BinaryPackage.objects.filter(artifact__in=artifacts))


def register_methods() -> None:
    register_order(BUILD)
    register_repository_methods()
    register_check_methods()
    register_readers()
    register_round(indexing.index)
    attestations.register_attestations()
    register_chain_methods()
    register_contents(source_files)
    register_keeper(Keeper(leaving.kept, leaving.due, leaving.forget_builds, forget_binaries))
    register_keeper(Keeper(forget_tasks=forget_comparisons))
    register_round(leaving.tend)
    register(Method(name="build", changed=build_changed, again=build_again))
    register(from_git.REGISTERED)
    register(
        Method(
            name="build-arch",
            weight=1.0,
            command=build_command,
            outcome=build_outcome,
            after=sweep,
            changed=architecture_changed,
            caches=build_caches,
            about=build_about,
        )
    )
    register(
        Method(
            name="build-compare",
            weight=1.0,
            command=compare_command,
            outcome=compare_outcome,
            after=sweep,
            changed=compare_changed,
        )
    )
