"""A source version and its binary rebuilds: those have no packages for all architectures, so both are kept together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from builds.submitting.rebuilds import without_number
from builds.tagging.tag_models import TagEntry

if TYPE_CHECKING:
    from builds.models import Build


@dataclass(frozen=True, kw_only=True)
class Kin:
    """One build: the version of its source, and the number of the rebuild it is, or 0."""

    version: str
    binnmu: int = 0


@dataclass(frozen=True, kw_only=True)
class Family:
    """Of source packages with rebuilds, all builds (by id)."""

    kin: Mapping[int, Kin] = field(default_factory=dict)

    def is_lacking(self, build: int, taken: Iterable[int]) -> bool:
        """Whether this is of a version of which nothing but rebuilds is taken."""
        mine = self.kin.get(build)
        if mine is None:
            return False
        same = [other.binnmu for pk in taken if (other := self.kin.get(pk)) and other.version == mine.version]
        return bool(same) and 0 not in same


ALONE = Family()


def known(builds: Collection[int]) -> Family:
    """Of those of these builds, which some tag has, whose source packages have rebuilds in any."""
    rebuilt = TagEntry.objects.filter(build__binnmu__gt=0).order_by().values("build__source")
    rows = TagEntry.objects.filter(build__source__in=rebuilt).order_by()
    found = {pk: Kin(version=without_number(version, number), binnmu=number)
             for pk, version, number in rows.values_list("build_id", "build__version", "build__binnmu")
             if pk in builds}  # fmt: skip
    return Family(kin=found)


def places(builds: Iterable[tuple[str, int]]) -> Iterator[int]:
    """Of builds of one source package (version, number of the rebuild), the newest first, which in the row each is.

    A version and its rebuilds have one place, that of what they rebuild; the same made twice has two.
    """
    keys: list[tuple[str, int]] = []
    decisive: dict[tuple[str, int], int] = {}  # which of them tells the place
    times: dict[tuple[str, int], int] = {}
    for position, (version, binnmu) in enumerate(builds):
        time = times[version, binnmu] = times.get((version, binnmu), 0) + 1
        keys.append((without_number(version, binnmu), time))
        if keys[-1] not in decisive or not binnmu:
            decisive[keys[-1]] = position
    row = {key: place for place, key in enumerate(sorted(decisive, key=decisive.__getitem__))}
    return (row[key] for key in keys)


def rebuilt_whole(entries: Iterable[TagEntry], build: Build) -> list[int]:
    """The entries of older builds of its version of which a rebuild makes every package."""
    new = set(build.binaries.values_list("name", "architecture"))
    found = []
    for entry in entries:
        old = set(entry.build.binaries.values_list("name", "architecture"))
        if entry.build_id < build.pk and entry.build.source_version == build.source_version and old and old <= new:
            found.append(entry.pk)
    return found


def rest_of(build: Build) -> Iterator[int]:
    """The builds that have the packages for all architectures which this rebuild has not made."""
    if build.binnmu:
        same = type(build).objects.filter(source=build.source, version=build.source_version, scratch=False)
        yield from same.filter(binaries__architecture="all").distinct().values_list("pk", flat=True)
