"""Bring a compose's commit into a repository that is served: objects first, the ref and the summary last."""

from __future__ import annotations

import os
import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from composes.pipeline.publishing.ostree import Repo
from composes.pipeline.publishing.served import Served, Step
from composes.pipeline.publishing.updates import bound_refs
from debatomic.tools.errors import CommandFailed, InputError
from debatomic.tools.files import whole

MEMBER = re.compile(r"^(?:config|summary|(?:objects|refs|state|tmp|extensions)(?:/[A-Za-z0-9._-]+)*)\Z")


def publish(
    served: Served, source: Path, ref: str, *, commit: str = "", keep_as: str = "", order: int = 0
) -> dict[str, Any]:
    """Make `ref` of the served repository the one commit that `source` (its tar, or a shared folder) holds.

    Each object's checksum is verified on the way. `keep_as` holds the commit beyond the time the ref names it. A ref
    that names the commit of a compose with a higher `order` stays as it is. What it returns is described at
    `Served.move`.
    """
    with as_folder(source, served.scratch) as folder:
        found = _commit(Repo(served.repo.tools, folder), ref, commit)
        _import(served, folder, found)
        if keep_as:
            served.keep(keep_as, found)
        step = Step(ref=ref, commit=found)
        newer = order and served.ordering.of(served.repo.resolve(ref)) > order
        if order:
            served.ordering.note(found, order)
        return served.passed_over(step) if newer else served.move([step])[0]


def _commit(source: Repo, ref: str, expected: str) -> str:
    """The one commit of the source. Raises InputError if it is another one, or not bound to the ref."""
    found = source.refs()
    if len(found) != 1:
        raise InputError(f"The repository to publish has {len(found)} refs, not one.")
    commit = source.resolve(found[0])
    if not commit or (expected and commit != expected):
        raise InputError(f"The repository to publish holds the commit {commit or 'of no ref'}, not {expected}.")
    if ref not in bound_refs(source.path, commit):
        raise InputError(f"The commit is bound to the ref {found[0]}; as {ref} no machine could pull it.",
                         hint="Publish it under its own ref, or compose it with another ref.")  # fmt: skip
    return commit


def _import(served: Served, source: Path, commit: str) -> None:
    try:
        served.repo.pull(source, commit, untrusted=True)
    except CommandFailed as error:
        raise InputError(f"The repository to publish is damaged: {error}", lines=error.lines) from error


@contextmanager
def as_folder(source: Path, scratch: Path) -> Iterator[Path]:
    if source.is_dir():
        yield source
        return
    folder = scratch / "repo"
    folder.mkdir()
    try:
        with tarfile.open(source) as tar:
            _extract(tar, folder)
    except (tarfile.TarError, FileNotFoundError, EOFError) as error:
        raise InputError(f"{source} is neither an OSTree repository nor a tar of one: {error}.") from error
    yield folder


def _extract(tar: tarfile.TarFile, folder: Path) -> None:
    """Plain files and folders that a repository has, nothing else."""
    for member in tar:
        name = member.name.removeprefix("./").rstrip("/")
        if name in ("", "."):
            continue
        if not MEMBER.match(name) or "/../" in f"/{name}/" or not (member.isfile() or member.isdir()):
            raise InputError(f"The tar of the repository holds {member.name}, which no repository has.")
        path = folder / name
        if member.isdir():
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        content = tar.extractfile(member)
        assert content is not None
        with path.open("wb") as file:
            while chunk := content.read(1 << 20):
                file.write(chunk)


def export_repo(source: Path, target: Path) -> None:
    """A tar of a compose's repository, the same for the same commit."""
    if not (source / "config").is_file():
        raise InputError(f"{source} is not an OSTree repository.")
    with whole(target) as file, tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for top, folders, names in os.walk(source):
            folders.sort()
            for name in sorted((*folders, *names)):
                path = Path(top, name)
                relative = os.fspath(path.relative_to(source))
                if MEMBER.match(relative) and not relative.startswith("tmp/"):
                    _add(tar, path, relative)


def _add(tar: tarfile.TarFile, path: Path, name: str) -> None:
    member = tar.gettarinfo(path, name)
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = 0
    member.mode = 0o755 if member.isdir() else 0o644
    if member.isdir():
        tar.addfile(member)
    elif member.isfile():
        with path.open("rb") as content:
            tar.addfile(member, content)
