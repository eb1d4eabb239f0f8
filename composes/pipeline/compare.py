"""Two locks compared: which packages came, went and changed, and how much of it is new."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from debian.debian_support import Version

from composes.pipeline.packages.lock import Lock, Package


@dataclass(frozen=True, kw_only=True)
class Change:
    """A package that is in both, otherwise: `kind` is upgraded, downgraded or rebuilt (the same version again)."""

    kind: str
    old: Package
    new: Package

    @property
    def growth(self) -> int:
        """Bytes that the package file is larger."""
        return self.new.size - self.old.size


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What the new lock has otherwise than the old one. Sizes are bytes of package files."""

    architecture: str
    added: tuple[Package, ...]
    removed: tuple[Package, ...]
    changed: tuple[Change, ...]
    old_size: int
    new_size: int

    @property
    def fresh(self) -> int:
        """Bytes of the package files that the old one has not: what an update is made of."""
        return sum(each.size for each in self.added) + sum(each.new.size for each in self.changed)

    @property
    def is_same(self) -> bool:
        return not (self.added or self.removed or self.changed)

    def as_json(self) -> dict[str, Any]:
        """For programs: packages by name with their versions."""
        return {
            "architecture": self.architecture,
            "added": [_plain(each) for each in self.added],
            "removed": [_plain(each) for each in self.removed],
            "changed": [{"kind": each.kind, "old": _plain(each.old), "new": _plain(each.new)} for each in self.changed],
            "old_size": self.old_size, "new_size": self.new_size, "fresh": self.fresh,
        }  # fmt: skip

    def lines(self) -> Iterator[str]:
        """For people: an announcement's list."""
        yield f"{self.architecture}: {self.summary()}"
        yield from (f"  + {each.name} {each.version}" for each in self.added)
        yield from (f"  - {each.name} {each.version}" for each in self.removed)
        yield from (f"  * {each.new.name} {_versions(each)}" for each in self.changed)

    def summary(self) -> str:
        """One line: how many of each, and how much is new."""
        if self.is_same:
            return "the same packages"
        kinds = [each.kind for each in self.changed]
        counts = [(len(self.added), "added"), (len(self.removed), "removed"),
                  *((kinds.count(kind), kind) for kind in ("upgraded", "downgraded", "rebuilt"))]  # fmt: skip
        told = ", ".join(f"{number} {word}" for number, word in counts if number)
        return f"{told}; {self.fresh / 1e6:.1f} MB of packages are new"


def _versions(change: Change) -> str:
    if change.kind == "rebuilt":
        return f"{change.new.version} (rebuilt)"
    return f"{change.old.version} → {change.new.version}" + (" (downgraded)" if change.kind == "downgraded" else "")


def _plain(package: Package) -> dict[str, Any]:
    content = asdict(package)
    return {name: content[name] for name in ("name", "version", "architecture", "source", "origin", "size", "sha256")}


def compare(old: Lock, new: Lock) -> Comparison:
    """What `new` has otherwise than `old`, each list by name."""
    before, after = ({each.name: each for each in lock.packages} for lock in (old, new))
    both = sorted(before.keys() & after.keys())
    return Comparison(
        architecture=new.architecture,
        added=tuple(after[name] for name in sorted(after.keys() - before.keys())),
        removed=tuple(before[name] for name in sorted(before.keys() - after.keys())),
        changed=tuple(Change(kind=_kind(before[name], after[name]), old=before[name], new=after[name])
                      for name in both if before[name].sha256 != after[name].sha256),
        old_size=old.size, new_size=new.size,
    )  # fmt: skip


def _kind(old: Package, new: Package) -> str:
    if old.version == new.version:
        return "rebuilt"
    return "upgraded" if Version(new.version) > Version(old.version) else "downgraded"
