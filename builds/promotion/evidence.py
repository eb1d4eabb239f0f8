"""What is known of builds beyond their rows: results by name, and who signed their source.

Whoever makes such facts registers a reader of them; policies ask here, many builds at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

V = TypeVar("V")


@dataclass(frozen=True)
class Result:
    """What a check said of a build: passed, warned, failed or skipped, and a sentence."""

    verdict: str
    sentence: str = ""


Reader = Callable[[Collection[int]], Mapping[int, Mapping[str, V]]]


class Evidence(Generic[V]):
    """Facts by name of builds; of those that several readers know by the same name, the last one's."""

    def __init__(self) -> None:
        self._readers: list[Reader[V]] = []

    def register(self, reader: Reader[V]) -> None:
        """Ask this one, too: of ids of builds it tells facts by name."""
        if reader not in self._readers:
            self._readers.append(reader)

    def of(self, builds: Collection[int]) -> dict[int, dict[str, V]]:
        """By build, then by name; every build is there."""
        found: dict[int, dict[str, V]] = {build: {} for build in builds}
        for reader in self._readers:
            for build, facts in reader(builds).items():
                found[build].update(facts)
        return found


results: Evidence[Result] = Evidence()  # by the name of the check: lintian, autopkgtest, …
signatures: Evidence[str] = Evidence()  # by the fingerprint of the key, in capitals: whose it is
