"""What a machine downloads to get from one commit of an archive repository to another, object by object."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from composes.pipeline.publishing import gvariant
from debatomic.tools.errors import InputError

COMMIT = "(a{sv}aya(say)sstayay)"  # metadata, parent, related, subject, body, time, root's content and permissions
TREE = "(a(say)a(sayay))"  # files; folders with their content and permissions


@dataclass(frozen=True)
class Update:
    """Objects that are new, and their bytes as they are stored and sent."""

    objects: int
    size: int


def object_path(repo: Path, checksum: str, kind: str) -> Path:
    return repo / "objects" / checksum[:2] / f"{checksum[2:]}.{kind}"


def bound_refs(repo: Path, commit: str) -> list[str]:
    """The refs a commit is bound to: as anything else no machine accepts it."""
    metadata = dict(_commit(repo, commit)[0])
    return list(metadata["ostree.ref-binding"][1]) if "ostree.ref-binding" in metadata else []


def update(repo: Path, old: str, new: str) -> Update:
    """From the commit `old` (empty: from nothing) to `new`. Raises InputError where one is not in the repository."""
    known = set(_objects(repo, old)) if old else set()
    wanted = set(_objects(repo, new)) - known
    return Update(len(wanted), sum(object_path(repo, *each).stat().st_size for each in wanted))


def _commit(repo: Path, commit: str) -> tuple[list[tuple[str, tuple[str, list[str]]]], bytes, bytes]:
    """Metadata, and the checksums of the root folder's content and permissions."""
    parts = gvariant.read(COMMIT, _content(repo, commit, "commit"))
    return parts[0], parts[6], parts[7]


def _content(repo: Path, checksum: str, kind: str) -> bytes:
    try:
        return object_path(repo, checksum, kind).read_bytes()
    except FileNotFoundError:
        raise InputError(f"The repository has no {kind} {checksum}.") from None


def _objects(repo: Path, commit: str) -> Iterator[tuple[str, str]]:
    """Checksum and kind of every object a commit needs; some more than once."""
    _, root, permissions = _commit(repo, commit)
    yield commit, "commit"
    yield permissions.hex(), "dirmeta"
    seen, waiting = {root}, [root]
    while waiting:
        tree = waiting.pop().hex()
        yield tree, "dirtree"
        files, folders = gvariant.read(TREE, _content(repo, tree, "dirtree"))
        yield from ((checksum.hex(), "filez") for _, checksum in files)
        for _, content, meta in folders:
            yield meta.hex(), "dirmeta"
            if content not in seen:
                seen.add(content)
                waiting.append(content)
