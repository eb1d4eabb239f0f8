"""Two records compared: the changelog between the versions, sizes by package, defaults, and what to download."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from debian.debian_support import Version

from composes.pipeline.contents import defaults, objects
from composes.pipeline.contents.changelogs import Entry
from composes.pipeline.contents.defaults import Edit
from composes.pipeline.contents.record import Contents, Installed


@dataclass(frozen=True, kw_only=True)
class News:
    """What the changelog of a source package says between two of its versions, newest first.

    `complete` is false where the record does not reach back to the old version.
    """

    source: str
    old: str
    new: str
    entries: tuple[Entry, ...]
    complete: bool

    @property
    def text(self) -> str:
        """The entries as a changelog has them, the version above each."""
        return self.text_of(len(self.entries))

    def text_of(self, number: int) -> str:
        """The newest entries."""
        shown = self.entries[:number]
        return "\n\n".join("\n".join((f"{each.version}  ({each.date})", *each.changes)) for each in shown)


@dataclass(frozen=True, kw_only=True)
class Size:
    """Bytes of a package, installed; 0 where it is not there."""

    name: str
    old: int
    new: int

    @property
    def growth(self) -> int:
        return self.new - self.old


@dataclass(frozen=True, kw_only=True)
class Download:
    """What a machine with the old commit fetches for the new one: whole objects, as the archive repository has them."""

    objects: int
    size: int
    whole: int  # bytes of all objects of the new commit: what a machine without any fetches


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What the record of a compose has otherwise than an older one. `sizes` has what grew or shrank, the most first."""

    architecture: str
    news: tuple[News, ...]
    sizes: tuple[Size, ...]
    old_size: int
    new_size: int
    etc: tuple[Edit, ...]
    download: Download | None = None

    @property
    def growth(self) -> int:
        return self.new_size - self.old_size

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """For people: an announcement's paragraphs."""
        yield f"Installed size: {mb(self.old_size)} → {mb(self.new_size)} ({mb(self.growth, sign=True)})"
        yield from (f"  {each.name}: {mb(each.growth, sign=True)}" for each in self.sizes[:10])
        if self.download:
            yield (f"Download of the update: {mb(self.download.size)} in {self.download.objects} objects "
                   f"(the whole system: {mb(self.download.whole)})")  # fmt: skip
        for each in self.news:
            yield ""
            yield f"{each.source} {each.old} → {each.new}"
            yield from (f"  {line}".rstrip() for line in each.text.splitlines())
            if not each.complete:
                yield "  (older entries are not in the record)"
        if self.etc:
            yield ""
            yield "Defaults in /etc"
            yield from (f"  {SIGNS[each.kind]} /etc/{each.path}" for each in self.etc)


SIGNS = {"added": "+", "removed": "-", "changed": "*"}


def mb(size: int, *, sign: bool = False) -> str:
    """Bytes as megabytes, one digit behind the point."""
    return f"{size / 1e6:{'+' if sign else ''}.1f} MB"


def changes(old: Contents, new: Contents, download: Download | None = None) -> Changes:
    """What `new` has otherwise than `old`."""
    return Changes(
        architecture=new.architecture, news=tuple(_news(old, new)), sizes=tuple(_sizes(old, new)),
        old_size=old.size, new_size=new.size, etc=tuple(defaults.edits(old.etc, new.etc)), download=download,
    )  # fmt: skip


def download(old: dict[bytes, int], new: dict[bytes, int]) -> Download:
    """The update between the objects of two commits."""
    number, size = objects.fresh(old, new)
    return Download(objects=number, size=size, whole=sum(new.values()))


def _sizes(old: Contents, new: Contents) -> list[Size]:
    nothing = Installed(version="", source="", source_version="", size=0)
    found = [Size(name=name, old=old.packages.get(name, nothing).size, new=new.packages.get(name, nothing).size)
             for name in sorted(old.packages.keys() | new.packages.keys())]  # fmt: skip
    return sorted((each for each in found if each.growth), key=lambda each: -abs(each.growth))


def _news(old: Contents, new: Contents) -> Iterator[News]:
    before, after = source_versions(old.packages), source_versions(new.packages)
    for source in sorted(before.keys() & after.keys()):
        was, now = before[source], after[source]
        if was != now:
            newer, older, kept = (was, now, old) if Version(was) > Version(now) else (now, was, new)
            listed = kept.changelogs.get(source, ())
            yield News(source=source, old=was, new=now, entries=tuple(_between(listed, older, newer)),
                       complete=_reaches(listed, older))  # fmt: skip


def source_versions(packages: Mapping[str, Installed]) -> dict[str, str]:
    """The newest version of each source package that something is installed of."""
    found: dict[str, str] = {}
    for each in packages.values():
        has = found.get(each.source)
        if has is None or Version(each.source_version) > Version(has):
            found[each.source] = each.source_version
    return found


def _between(entries: tuple[Entry, ...], older: str, newer: str) -> Iterator[Entry]:
    low, high = Version(older), Version(newer)
    return (each for each in entries if low < Version(each.version) <= high)


def _reaches(entries: tuple[Entry, ...], version: str) -> bool:
    """Whether the entries go back to this version, so that none between can be missing."""
    return any(Version(each.version) <= Version(version) for each in entries)
