"""What the indexes of a repository say of a build's packages and of its source, and the files that its pool has."""

from __future__ import annotations

import gzip
import json
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from builds.models import BinaryPackage, Build
from builds.repository.paragraphs import binary, control_of, entries_of_binary, entry_of_source, source
from builds.repository.shelf import Entry
from builds.tagging.repository_models import Repository
from chroots.engine.building.described import DESCRIPTION
from hosts.kept import store
from hosts.models import Artifact

logger = logging.getLogger(__name__)

COMPONENT = "main"
DESCRIPTION_BYTES = 128 << 20  # of one build, unpacked
Pair = tuple[int, int | None]  # a build and one of its packages; None: its source package


def owner(pair: Pair) -> str:
    """What its entries come and go with."""
    build, package = pair
    return f"s{build}" if package is None else f"b{package}"


def described(repository: Repository, pairs: Iterable[Pair]) -> tuple[list[Entry], list[dict[str, str]]]:
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


def folder_of(build: Build) -> str:
    """Of the pool: the files of this build."""
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
    path = f"{folder_of(package.build)}/{artifact.name}"
    files.append({"path": path, "sha256": artifact.sha256})
    paragraph = binary(package.control, path=path, size=artifact.size, sha256=artifact.sha256)
    mine = [package.architecture] if package.architecture != "all" else repository.architectures.split()
    return entries_of_binary(owner((package.build_id, package.pk)), paragraph=paragraph, name=package.name,
                             version=package.version, component=COMPONENT, architectures=mine, contents=listed,
                             section=_field(package.control, "Section"))  # fmt: skip


def _of_source(build: Build, files: list[dict[str, str]]) -> list[Entry]:
    """Its entry; none where the files are not on this hub."""
    dsc = next((each for each in build.files if each["name"].endswith(".dsc")), None)
    if dsc is None or not all(store.has(each["sha256"]) for each in build.files):
        return []
    with store.open(dsc["sha256"]) as file:
        text = file.read().decode(errors="replace")
    folder = folder_of(build)
    files += [{"path": f"{folder}/{each['name']}", "sha256": each["sha256"]} for each in build.files]
    paragraph = source(text, folder=folder, files=build.files, component=COMPONENT)
    return [entry_of_source(owner((build.pk, None)), paragraph=paragraph, name=build.source,
                            version=build.source_version, component=COMPONENT)]  # fmt: skip


def description(task: int) -> Mapping[str, Any]:
    """What the packages that a task made say of themselves, by file; nothing where it was not kept."""
    found = Artifact.objects.filter(task=task, name=DESCRIPTION).first()
    if found is None:
        return {}
    try:
        with store.open(found.sha256) as file:
            text = gzip.GzipFile(fileobj=file).read(DESCRIPTION_BYTES + 1)
            said: dict[str, Any] = json.loads(text) if len(text) <= DESCRIPTION_BYTES else {}
            return said
    except (OSError, EOFError, ValueError):
        return {}


def _field(control: str, name: str) -> str:
    return next((line.partition(":")[2].strip() for line in control.splitlines() if line.startswith(f"{name}:")), "")
