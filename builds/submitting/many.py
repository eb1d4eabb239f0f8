"""Many source packages of the archive in one go: looked at first, each refusal named; submitted only when asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from builds import sources, submit
from builds.submitting.policy import BuiltAlready
from builds.submitting.rebuilds import Rebuild
from debatomic.tools.errors import InputError
from hosts.queue.wishes import AS_USUAL, Wishes

if TYPE_CHECKING:
    from builds.models import Build, Target
    from chroots.engine.archives.archive import Archive
    from debatomic.access.models import User

MOST = 300  # source packages in one go
PATTERN = re.compile(r"[*?\[]")
PACKAGE = re.compile(r"(?:src:)?[a-z0-9][a-z0-9+.-]{0,99}")
ALLOWED = re.compile(r"[a-z0-9+.*?\[\]-]{1,100}")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """How all of them are built; lines are `NAME`, `NAME VERSION` or a pattern as `lib*-perl`."""

    target: Target
    lines: Sequence[str]
    by: User
    scratch: bool = False
    architectures: Sequence[str] = ()
    wishes: Wishes = AS_USUAL
    rebuild: Rebuild | None = None  # binary rebuilds, for this reason
    needing: Sequence[str] = ()  # packages: all that build-depends on them is asked for, too


@dataclass(frozen=True, kw_only=True)
class Look:
    """What would become of one source package: `make` submits it; or `why` not, with the `page` that says more."""

    source: str
    version: str
    why: str = ""
    page: str = ""
    make: Callable[[], Build] | None = field(default=None, compare=False)


@dataclass(kw_only=True)
class Outcome:
    """What was submitted, and what was not."""

    looks: list[Look]
    builds: list[Build] = field(default_factory=list)

    @property
    def good(self) -> list[Look]:
        return [look for look in self.looks if look.make]

    @property
    def refused(self) -> list[Look]:
        return [look for look in self.looks if look.why]


def look(asked: Asked) -> Outcome:
    """Nothing is submitted. Raises InputError (field sources) where no list can be made of it."""
    chroot = asked.target.chroots.filter(enabled=True).first()
    if chroot is None or not asked.target.enabled:
        raise InputError(f"Target {asked.target} takes no builds now.", field="target")
    archive = sources.archive_of(chroot)
    archive.refresh()
    wanted = list(dict.fromkeys([*_wanted(asked.lines, archive.matching), *_needing(asked, archive)]))
    if not wanted:
        raise InputError("No source package is named.", field="sources")
    if len(wanted) > MOST:
        raise InputError(f"These are {len(wanted)} source packages; at most {MOST} go at once.",
                         hint="Name fewer, or a narrower pattern.", field="sources")  # fmt: skip
    return Outcome(looks=[_look(asked, name, version) for name, version in wanted])


def submit_all(asked: Asked, *, although: bool = False) -> Outcome:
    """Submit them; where some are refused, none of them, or those that are good if `although`."""
    outcome = look(asked)
    if outcome.refused and not although:
        return outcome
    looks: list[Look] = []
    for one in outcome.looks:
        try:
            if one.make:
                outcome.builds.append(one.make())
            looks.append(one)
        except InputError as error:  # somebody else was quicker
            looks.append(_refused(one.source, one.version, error))
    outcome.looks = looks
    return outcome


def _wanted(lines: Sequence[str], matching: Callable[[str], list[str]]) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(lines, 1):
        name, version, *rest = [*line.partition("#")[0].replace("=", " ", 1).split(), "", ""][:3]
        if rest and rest[0]:
            raise InputError(f"Line {number} has more than a name and a version: “{line.strip():.80}”.",
                             field="sources")  # fmt: skip
        if not PATTERN.search(name):
            yield from [(name, version)] if name else []
            continue
        if not ALLOWED.fullmatch(name) or version:
            raise InputError(f"Line {number}: “{line.strip():.80}” is no pattern of names.", field="sources")
        found = matching(name)
        if not found:
            raise InputError(f"Line {number}: no source package is named like {name}.", field="sources")
        yield from ((each, "") for each in found)


def _needing(asked: Asked, archive: Archive) -> Iterator[tuple[str, str]]:
    """The reverse build dependencies; for binary rebuilds none that only packages for all architectures have."""
    for package in asked.needing:
        if not PACKAGE.fullmatch(package):
            raise InputError(f"“{package:.80}” is no name of a package, such as libfoo-dev or src:libfoo.",
                             field="reverse_build_depends")  # fmt: skip
        try:
            found = archive.needing(package, indep=asked.rebuild is None)
        except InputError as error:
            error.field = "reverse_build_depends"
            raise
        if not found:
            raise InputError(f"Nothing in {archive.suite} build-depends on {package}.", field="reverse_build_depends")
        yield from ((name, "") for name in found)


def _look(asked: Asked, name: str, version: str) -> Look:
    try:
        make = submit.prepared(
            asked.target, name, version, by=asked.by, scratch=asked.scratch, wishes=asked.wishes,
            architectures=asked.architectures, thorough=False, rebuild=asked.rebuild,
        )  # fmt: skip
    except InputError as error:
        return _refused(name, version, error)
    return Look(source=name, version=make.version, make=make)


def _refused(name: str, version: str, error: InputError) -> Look:
    return Look(source=name, version=version, why=error.sentence,
                page=error.page if isinstance(error, BuiltAlready) else "")  # fmt: skip
