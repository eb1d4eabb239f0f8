"""Composes compared: their locks by architecture, and the definitions they were made of."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404

from composes import definitions
from composes.models import Compose
from composes.pipeline import compare, lock, shown
from composes.pipeline.compare import Comparison
from composes.pipeline.lock import Lock
from debatomic.tools.errors import InputError
from hosts.kept import store


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What a compose has otherwise than an older one; `configuration` has lines by architecture."""

    old: Compose
    new: Compose
    packages: tuple[Comparison, ...]
    configuration: dict[str, list[str]]

    def as_json(self) -> dict[str, Any]:
        return {"old": str(self.old), "new": str(self.new), "configuration": self.configuration,
                "packages": [each.as_json() for each in self.packages]}  # fmt: skip

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
    )  # fmt: skip


def _configuration(old: Compose, new: Compose, architecture: str) -> list[str]:
    trees = [definitions.trees(each.revision.files, each.revision.main).get((each.variant, architecture))
             for each in (old, new)]  # fmt: skip
    return list(shown.differences(trees[0], trees[1])) if trees[0] and trees[1] else []
