"""The files of a compose that say what it contains, read from the store by architecture."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from composes.models import Compose
from composes.pipeline.contents import changes, objects, record, risks
from composes.pipeline.contents.changes import Changes
from composes.pipeline.contents.record import Contents
from composes.pipeline.contents.risks import Known, Mended
from debatomic.tools.errors import InputError
from hosts.kept import store
from hosts.models import State, Task

T = TypeVar("T")
FILES = (record.NAME, record.OBJECTS, risks.NAME)


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What is kept of one compose for one architecture; None for what was not made, or is not kept any more."""

    contents: Contents | None = None
    objects: dict[bytes, int] | None = None
    risks: Known | None = None


@dataclass(frozen=True, kw_only=True)
class Details:
    """What two composes have otherwise beyond packages; `changes` is None where one of them has no record.

    `delta` is the bytes of the static delta that was published from the one to the other, if there is one.
    """

    architecture: str
    changes: Changes | None
    risks: Mended
    delta: int | None


def details(old: Compose, new: Compose, architectures: list[str]) -> list[Details]:
    """By architecture, from what is kept of both."""
    before, after = _recorded(old), _recorded(new)
    deltas = _deltas(old, new)
    return [_details(each, before.get(each, Recorded()), after.get(each, Recorded()), deltas.get(each))
            for each in architectures]  # fmt: skip


def _details(architecture: str, old: Recorded, new: Recorded, delta: int | None) -> Details:
    found = None
    versions: dict[str, str] = {}
    if old.contents and new.contents:
        both = old.objects is not None and new.objects is not None
        download = changes.download(old.objects or {}, new.objects or {}) if both else None
        found = changes.changes(old.contents, new.contents, download)
        versions = changes.source_versions(old.contents.packages)
    return Details(architecture=architecture, changes=found, risks=risks.mended(old.risks, new.risks, versions),
                   delta=delta)  # fmt: skip


def _recorded(compose: Compose) -> dict[str, Recorded]:
    digests: dict[str, dict[str, str]] = {}
    for kept in compose.artifacts.filter(name__in=FILES).select_related("task"):
        assert kept.task
        digests.setdefault(kept.task.architecture, {})[kept.name] = kept.sha256
    return {architecture: _read(mine) for architecture, mine in digests.items()}


def _read(digests: dict[str, str]) -> Recorded:
    return Recorded(contents=_if_kept(record.read, digests.get(record.NAME)),
                    objects=_if_kept(_objects, digests.get(record.OBJECTS)),
                    risks=_if_kept(risks.read, digests.get(risks.NAME)))  # fmt: skip


def _if_kept(read: Callable[[Path], T], sha256: str | None) -> T | None:
    """What a file says; None where it is gone or of another version: the rest is compared all the same."""
    if not sha256:
        return None
    with tempfile.TemporaryDirectory(prefix="debatomic-") as folder:
        try:
            return read(store.nearby(sha256, Path(folder) / "file"))
        except (FileNotFoundError, InputError):
            return None


def _objects(path: Path) -> dict[bytes, int]:
    try:
        return objects.read(record.unpacked(path))
    except ValueError as error:
        raise InputError(f"{path.name} is no list of objects: {error}.") from error


def _deltas(old: Compose, new: Compose) -> dict[str, int]:
    """Bytes of the static deltas by architecture, where publishing the new one made them from the old one's commit."""
    commits = _commits(old)
    of_new = {commit: architecture for architecture, commit in _commits(new).items()}
    published = Task.objects.filter(parent=new.task_id, method="publish", state=State.COMPLETED)
    found = {}
    for result in published.values_list("result", flat=True):
        architecture = of_new.get(result.get("commit", ""), "")
        if result.get("delta") and result.get("previous") == commits.get(architecture):
            found[architecture] = int(result["delta"])
    return found


def _commits(compose: Compose) -> dict[str, str]:
    made = Task.objects.filter(parent=compose.task_id, method="compose-arch", state=State.COMPLETED)
    return {architecture: result.get("commit", "") for architecture, result in
            made.values_list("architecture", "result")}  # fmt: skip
