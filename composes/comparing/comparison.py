"""Composes compared: their locks and records by architecture, and the definitions they were made of."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404

from composes.comparing.recorded import Details, details
from composes.defining import definitions
from composes.models import Compose
from composes.pipeline import compare
from composes.pipeline.compare import Comparison
from composes.pipeline.contents.changes import mb
from composes.pipeline.packages import lock
from composes.pipeline.packages.lock import Lock
from composes.pipeline.treefiles import shown
from debatomic.tools.errors import InputError
from hosts.kept import store


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What a compose has otherwise than an older one; `configuration` has lines by architecture, `details` stand in the
    order of `packages`."""

    old: Compose
    new: Compose
    packages: tuple[Comparison, ...]
    configuration: dict[str, list[str]]
    details: tuple[Details, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {"old": str(self.old), "new": str(self.new), "configuration": self.configuration,
                "packages": [each.as_json() for each in self.packages],
                "details": [_plain(each) for each in self.details]}  # fmt: skip

    def text(self) -> str:
        """For an announcement."""
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{self.new}: what is new since {self.old}"
        for each in self.packages:
            yield ""
            yield from each.lines()
        for architecture, lines in self.configuration.items():
            yield ""
            yield f"{architecture}: the definition"
            yield from (f"  {line}" for line in lines)
        for one in self.details:
            yield ""
            yield f"{one.architecture}: what this means for a machine"
            yield from _details_lines(one)


def _plain(each: Details) -> dict[str, Any]:
    return {"architecture": each.architecture, "changes": each.changes and each.changes.as_json(),
            "vulnerabilities": each.risks.as_json(), "static_delta": each.delta}  # fmt: skip


def _details_lines(each: Details) -> Iterator[str]:
    if each.delta:
        yield f"Download of the update by its static delta: {mb(each.delta)}"
    yield from each.risks.lines()
    if each.changes:
        yield from each.changes.lines()
    else:
        yield "Sizes and changelogs: one of the two composes has no record of them."


def locks_of(compose: Compose) -> dict[str, Lock]:
    """The locks of a compose by architecture. Raises InputError where one is not kept any more."""
    found = {}
    for kept in compose.artifacts.filter(name="lock.json"):
        content = _lock(compose, kept.sha256)
        found[content.architecture] = content
    return found


def _lock(compose: Compose, sha256: str) -> Lock:
    with tempfile.TemporaryDirectory(prefix="debatomic-") as folder:
        try:
            return lock.read(store.nearby(sha256, Path(folder) / "lock.json"))
        except FileNotFoundError:
            raise InputError(f"The lock of {compose} is not kept any more.") from None


def older_than(new: Compose, pk: int, visible: QuerySet[Compose]) -> Compose:
    """The compose to compare with: the visible one of that id, else (0) the last finished one before.

    Raises Http404 where there is none of that id, InputError where none was finished before.
    """
    old = get_object_or_404(visible, pk=pk) if pk else new.previous
    if old is None:
        raise InputError(f"There is no finished compose of {new.revision.definition} {new.variant} before.")
    return old


def difference(old: Compose, new: Compose) -> Difference:
    """Both composed to the end of `gather` at least. Raises InputError where one has no lock."""
    before, after = locks_of(old), locks_of(new)
    both = [architecture for architecture in after if architecture in before]
    if not both:
        without = new if not after else old
        raise InputError(f"{without} has no lock to compare: its packages were never gathered.")
    return Difference(
        old=old, new=new, packages=tuple(compare.compare(before[each], after[each]) for each in both),
        configuration={each: lines for each in both if (lines := _configuration(old, new, each))},
        details=tuple(details(old, new, both)),
    )  # fmt: skip


def _configuration(old: Compose, new: Compose, architecture: str) -> list[str]:
    trees = [definitions.trees(each.revision.files, each.revision.main).get((each.variant, architecture))
             for each in (old, new)]  # fmt: skip
    return list(shown.differences(trees[0], trees[1])) if trees[0] and trees[1] else []
