"""What a build has otherwise than another one of the same source package."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from builds.comparing.relations import Relation, changed
from builds.comparing.sides import Key, Side, side
from builds.models import BinaryPackage, Build
from chroots.engine.sessions.packages import changes
from chroots.manifests import Change, rows
from debatomic.tools.errors import InputError
from hosts.models import Task

T = TypeVar("T")
ADDED, REMOVED, CHANGED, IDENTICAL = "added", "removed", "changed", "identical"
MOST_PATHS = 500_000  # that are looked at: the largest packages' lists have some ten thousands
MOST_TOLD = 10_000  # changes of files in one answer


@dataclass(frozen=True, kw_only=True)
class Package:
    """A binary package of either build; None: it was not, or is not, there."""

    name: str
    architecture: str
    old: BinaryPackage | None
    new: BinaryPackage | None

    @property
    def what(self) -> str:
        if self.old is None or self.new is None:
            return ADDED if self.old is None else REMOVED
        return IDENTICAL if self.old.artifact.sha256 == self.new.artifact.sha256 else CHANGED

    @property
    def growth(self) -> int | None:
        """Bytes that its file is larger."""
        return self.new.artifact.size - self.old.artifact.size if self.old and self.new else None


@dataclass(frozen=True)
class Of(Generic[T]):
    """Something that changed of a package: a relation, or a path."""

    name: str
    architecture: str
    change: T


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A source file, a phase's seconds or a check's result, before and after; None: there was none."""

    name: str
    architecture: str = ""
    old: Any = None
    new: Any = None

    @property
    def differs(self) -> bool:
        return bool(self.old != self.new)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """`buildroots` are changes of packages by architecture; `unknown`: packages without a list of files to compare."""

    old: Side
    new: Side
    sources: list[Pair]
    packages: list[Package]
    relations: list[Of[Relation]]
    files: list[Of[Change]]
    unknown: list[str]
    checks: list[Pair]
    times: list[Pair]
    buildroots: list[Of[Change]]

    @property
    def knows_buildroots(self) -> bool:
        """Whether there is an architecture of which both have a .buildinfo."""
        return any(now and self.old.installed.get(architecture) for architecture, now in self.new.installed.items())

    @property
    def files_told(self) -> list[Of[Change]]:
        """The first of them."""
        return self.files[:MOST_TOLD]

    @property
    def files_untold(self) -> int:
        return len(self.files) - len(self.files_told)

    @property
    def counts(self) -> dict[str, int]:
        """How many packages there are of each kind."""
        kinds = [package.what for package in self.packages]
        return {kind: kinds.count(kind) for kind in (ADDED, REMOVED, CHANGED, IDENTICAL)}


def difference(old: Build, new: Build) -> Difference:
    """Of any two, also such as failed: what was not made is not there."""
    was, now = side(old), side(new)
    packages = [Package(name=name, architecture=architecture, old=was.packages.get(key), new=now.packages.get(key))
                for key in sorted({*was.packages, *now.packages}) if not _is_not_its(key, was, now)
                for name, architecture in [key]]  # fmt: skip
    files, unknown = _files(packages)
    return Difference(
        old=was, new=now, packages=packages, files=files, unknown=unknown,
        sources=_pairs(_digests(old), _digests(new)), relations=list(_relations(was, now)),
        checks=_pairs(was.checks, now.checks), times=_pairs(_times(was.tasks), _times(now.tasks)),
        buildroots=list(_buildroots(was, now)),
    )  # fmt: skip


def _is_not_its(key: Key, *sides: Side) -> bool:
    """Whether a package for all architectures is not there only because binary rebuilds make none."""
    return key[1] == "all" and any(one.build.binnmu and key not in one.packages for one in sides)


def _pairs(old: Mapping[Key, Any], new: Mapping[Key, Any]) -> list[Pair]:
    """By their keys, in the order they have in the newer build."""
    return [Pair(name=key[0], architecture=key[1], old=old.get(key), new=new.get(key)) for key in {**new, **old}]


def _digests(build: Build) -> dict[Key, str]:
    return {(file["name"], ""): file["sha256"] for file in build.files}


def _times(tasks: Mapping[str, Task]) -> dict[Key, float]:
    """Seconds by phase and architecture, the whole first."""
    found: dict[Key, float] = {}
    for architecture, task in tasks.items():
        if task.started_at and task.finished_at:
            found["whole", architecture] = (task.finished_at - task.started_at).total_seconds()
        for phase in task.result.get("phases", ()):
            found[str(phase["name"]), architecture] = float(phase["seconds"])
    return found


def _relations(old: Side, new: Side) -> Iterator[Of[Relation]]:
    for key in sorted(key for key in new.packages if key in old.packages):
        yield from (Of(*key, one) for one in changed(old.controls.get(key, ""), new.controls.get(key, "")))


def _buildroots(old: Side, new: Side) -> Iterator[Of[Change]]:
    """Only where both are known."""
    for architecture, now in new.installed.items():
        if (was := old.installed.get(architecture)) and now:
            yield from (Of("", architecture, one) for one in rows(changes(was, now)))


def _files(packages: list[Package]) -> tuple[list[Of[Change]], list[str]]:
    """What came and went in packages that both have."""
    found: list[Of[Change]] = []
    unknown: list[str] = []
    looked = 0
    for one in packages:
        if one.old is None or one.new is None:
            continue
        lists = [getattr(getattr(each, "files", None), "listing", None) for each in (one.old, one.new)]
        looked += sum(each.number for each in lists if each and lists[0] != lists[1])
        if None in lists or looked > MOST_PATHS:
            unknown.append(f"{one.name} ({one.architecture})")
        elif lists[0] != lists[1]:
            was, now = (set(_paths(each)) for each in lists)
            found += [Of(one.name, one.architecture, Change(REMOVED, path, path, "")) for path in sorted(was - now)]
            found += [Of(one.name, one.architecture, Change(ADDED, path, "", path)) for path in sorted(now - was)]
    return found, unknown


def _paths(listing: Any) -> list[str]:
    try:
        return list(listing.paths())
    except InputError:  # a damaged list says nothing
        return []
