"""When a tag changed, its repository follows: what comes and goes is found here, and a task does it.

One snapshot at a time, at most one a second; what changes meanwhile is in the next one.
"""

from __future__ import annotations

import gzip
import io
import json
import logging
from collections.abc import Iterable, Mapping, Set
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import zstandard
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from builds.models import BinaryPackage, Build
from builds.repository.paragraphs import binary, control_of, entries_of_binary, entry_of_source, source
from builds.repository.shelf import Entry
from builds.repository.writer import DATE
from builds.tagging import content
from builds.tagging.repository_models import Holding, Repository, Snapshot
from builds.tagging.tag_models import Tag
from hosts import hub
from hosts.kept import store
from hosts.models import LIVE, Artifact, Channel, State, Task

logger = logging.getLogger(__name__)

COMPONENT = "main"
DESCRIPTION = "packages.json.gz"  # of chroots.engine.building.described
LIMITS = {"time_limit": 3600, "idle_limit": 3600}  # seconds
BACK_OFF = (2, 10, 60, 600)  # seconds to wait after so many failures in a row

Pair = tuple[int, int | None]  # a build and one of its packages; None: its source package


def tend() -> None:
    """Have every repository follow its tag; called at every tick, by any number of processes."""
    repositories = list(Repository.objects.filter(enabled=True).select_related("tag", "current"))
    if not repositories:
        return
    lines, revisions = content.lines_at(), dict(Tag.objects.values_list("pk", "revision"))
    for repository in repositories:
        wanted = content.state_of(repository.tag_id, lines, revisions)
        if wanted != repository.seen and _is_free(repository):
            follow(repository, wanted)


def follow(repository: Repository, wanted: str) -> Snapshot | None:
    """Submit the task that brings it to where its tag is now; None where nothing is to change, or another did it."""
    pairs = _pairs(repository)
    there = dict(_there(repository))
    come, go = sorted(pairs - set(there), key=str), [there[pair] for pair in set(there) - pairs]
    anew = repository.anew or repository.current is None or repository.failed is not None
    change = _change(repository, sorted(pairs, key=str) if anew else come, go, anew=anew)
    described = {each["owner"] for each in change["add"]}
    come = [pair for pair in come if _owner(pair) in described]
    sha256, _ = store.add(io.BytesIO(zstandard.ZstdCompressor().compress(json.dumps(change).encode())))
    with transaction.atomic():
        won = Repository.objects.filter(pk=repository.pk, seen=repository.seen).update(seen=wanted, anew=False)
        if not won or (not come and not go and not anew):
            return None
        task = hub.submit(
            "repository", f"repository {repository}, {change['name']}", by=None, limits=LIMITS, priority=0,
            channel=Channel.objects.get(name="default"), request={"repository": repository.suite, "change": sha256},
        )  # fmt: skip
        return repository.snapshots.create(name=change["name"], task=task, change={"add": come, "remove": go},
                                           packages_in=len(come), packages_out=len(go))  # fmt: skip


def _is_free(repository: Repository) -> bool:
    """Whether nothing is made of it now, the last second is over, and a failure is long enough ago."""
    newest = repository.snapshots.select_related("task")[: len(BACK_OFF)]
    failures = 0
    for snapshot in newest:
        if snapshot.task.state in LIVE:
            return False
        if snapshot.task.state == State.COMPLETED:
            break
        failures += 1
    since = newest[0].created_at if newest else None
    wait = BACK_OFF[failures - 1] if failures else 1
    return since is None or timezone.now() - since > timedelta(seconds=wait)


def _pairs(repository: Repository) -> set[Pair]:
    """What it should have: of each build of the tag, its source and its packages for these architectures."""
    builds = {each.build for each in content.content(repository.tag)}
    architectures = [*repository.architectures.split(), "all"]
    rows = BinaryPackage.objects.filter(architecture__in=architectures).values_list("build_id", "pk")
    if len(builds) < 1000:  # else the whole table is read faster
        rows = rows.filter(build__in=builds)
    found: set[Pair] = {(build, pk) for build, pk in rows if build in builds}
    return found | {(build, None) for build in builds}


def _there(repository: Repository) -> Iterable[tuple[Pair, int]]:
    for pk, build, package in repository.holdings.filter(end=None).values_list("pk", "build_id", "binary_id"):
        yield (build, package), pk


# The change, as builds.repository reads it


def _change(repository: Repository, come: list[Pair], go: list[int], *, anew: bool) -> dict[str, Any]:
    name = max(datetime.now(UTC), _after(repository)).strftime(DATE)
    entries, files = _described(repository, come)
    gone = Holding.objects.filter(pk__in=go).values_list("build_id", "binary_id")
    return {
        "name": name, "base": "" if anew or repository.current is None else repository.current.name,
        "spec": _spec(repository), "add": [asdict(each) for each in entries], "files": files,
        "remove": [] if anew else [_owner(pair) for pair in gone],
    }  # fmt: skip


def _after(repository: Repository) -> datetime:
    newest = repository.snapshots.first()
    if newest is None:
        return datetime.fromtimestamp(0, UTC)
    return datetime.strptime(newest.name, DATE).replace(tzinfo=UTC) + timedelta(seconds=1)


def _spec(repository: Repository) -> dict[str, Any]:
    return {
        "suite": repository.suite, "codename": repository.suite, "origin": repository.origin,
        "label": repository.label, "description": repository.description,
        "architectures": repository.architectures.split(), "components": [COMPONENT],
        "valid_days": repository.valid_days, "automatic": repository.automatic,
        "snapshots": f"{settings.PUBLIC_ADDRESS.rstrip('/')}{repository.path}/snapshots/@SNAPSHOTID@/",
    }  # fmt: skip


def _owner(pair: Pair) -> str:
    build, package = pair
    return f"s{build}" if package is None else f"b{package}"


def _described(repository: Repository, pairs: Iterable[Pair]) -> tuple[list[Entry], list[dict[str, str]]]:
    """The entries of these in the repository's indexes, and the files of its pool: {path, sha256}."""
    wanted = list(pairs)
    packages = BinaryPackage.objects.select_related("build", "artifact").in_bulk(pk for _, pk in wanted if pk)
    sources = Build.objects.in_bulk(build for build, pk in wanted if pk is None)
    descriptions: dict[int, Mapping[str, Any]] = {}
    entries: list[Entry] = []
    files: list[dict[str, str]] = []
    for build, pk in wanted:
        if pk is None:
            entries += _of_source(sources[build], files)
        else:
            entries += _of_binary(packages[pk], repository, files, descriptions)
    return entries, files


def _folder(build: Build) -> str:
    prefix = build.source[:4] if build.source.startswith("lib") else build.source[0]
    return f"pool/{COMPONENT}/{prefix}/{build.source}/b{build.pk}"


def _of_binary(
    package: BinaryPackage, repository: Repository, files: list[dict[str, str]],
    descriptions: dict[int, Mapping[str, Any]],
) -> list[Entry]:  # fmt: skip
    artifact = package.artifact
    listed: list[str] = []
    if not package.control or repository.contents:
        task = artifact.task_id or 0
        if task not in descriptions:
            descriptions[task] = description(task)
        told = descriptions[task].get(artifact.name)
        if told is None:
            logger.warning("%s is in no repository: its build did not describe it; build it again.", package)
            return []
        listed = told["files"] if repository.contents else []
        if not package.control:
            package.control = control_of(told["control"])
            package.save(update_fields=["control"])
    path = f"{_folder(package.build)}/{artifact.name}"
    files.append({"path": path, "sha256": artifact.sha256})
    paragraph = binary(package.control, path=path, size=artifact.size, sha256=artifact.sha256)
    mine = [package.architecture] if package.architecture != "all" else repository.architectures.split()
    return entries_of_binary(_owner((package.build_id, package.pk)), paragraph=paragraph, name=package.name,
                             version=package.version, component=COMPONENT, architectures=mine, contents=listed,
                             section=_field(package.control, "Section"))  # fmt: skip


def _of_source(build: Build, files: list[dict[str, str]]) -> list[Entry]:
    """Its entry; none where the files are not on this hub."""
    dsc = next((each for each in build.files if each["name"].endswith(".dsc")), None)
    if dsc is None or not all(store.has(each["sha256"]) for each in build.files):
        return []
    with store.open(dsc["sha256"]) as file:
        text = file.read().decode(errors="replace")
    folder = _folder(build)
    files += [{"path": f"{folder}/{each['name']}", "sha256": each["sha256"]} for each in build.files]
    paragraph = source(text, folder=folder, files=build.files, component=COMPONENT)
    return [entry_of_source(_owner((build.pk, None)), paragraph=paragraph, name=build.source, version=build.version,
                            component=COMPONENT)]  # fmt: skip


def description(task: int) -> Mapping[str, Any]:
    """What the packages that a task made say of themselves, by file; nothing where it was not kept."""
    found = Artifact.objects.filter(task=task, name=DESCRIPTION).first()
    if found is None:
        return {}
    try:
        with store.open(found.sha256) as file:
            said: dict[str, Any] = json.loads(gzip.decompress(file.read()))
            return said
    except (OSError, EOFError, ValueError):
        return {}


def _field(control: str, name: str) -> str:
    return next((line.partition(":")[2].strip() for line in control.splitlines() if line.startswith(f"{name}:")), "")


# What the task did


def changed(task: Task) -> None:
    """A snapshot's task changed its state: what the repository has, and which snapshot machines read."""
    snapshot = Snapshot.objects.select_related("repository").filter(task=task, published_at=None).first()
    if snapshot is None:
        return
    if task.state == State.COMPLETED:
        _published(snapshot, task)
    elif task.state in (State.FAILED, State.CANCELED):  # to be looked at again
        Repository.objects.filter(pk=snapshot.repository_id).update(seen="")


def _published(snapshot: Snapshot, task: Task) -> None:
    Holding.objects.filter(pk__in=snapshot.change["remove"]).update(end=snapshot)
    Holding.objects.bulk_create(
        (Holding(repository=snapshot.repository, build_id=build, binary_id=package, first=snapshot)
         for build, package in snapshot.change["add"]), batch_size=1000,
    )  # fmt: skip
    Snapshot.objects.filter(pk=snapshot.pk).update(published_at=timezone.now(), change={}, facts=task.result)
    Repository.objects.filter(pk=snapshot.repository_id).update(current=snapshot)


def needed(contents: Set[str]) -> set[str]:
    """Those of these SHA-256 that a repository's task still has to read."""
    live = Task.objects.filter(method="repository", state__in=LIVE).values_list("request", flat=True)
    return {request["change"] for request in live} & contents
