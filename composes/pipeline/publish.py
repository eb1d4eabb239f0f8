"""Bring a compose's commit into a repository that is served: objects first, the ref and the summary last."""

from __future__ import annotations

import os
import re
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from chroots.engine.layers import base
from chroots.engine.spec import ChrootSpec
from chroots.engine.state import State, locked
from composes.pipeline.job import Log
from composes.pipeline.ostree import Repo
from composes.pipeline.store import ResultStore
from composes.pipeline.tools import entered
from debatomic.tools.errors import CommandFailed, InputError
from debatomic.tools.files import whole

MEMBER = re.compile(r"^(?:config|summary|(?:objects|refs|state|tmp|extensions)(?:/[A-Za-z0-9._-]+)*)\Z")
REF = re.compile(r"^[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*\Z")


def publish(source: Path, target: Path, ref: str, *, state: State, tools: ChrootSpec, log: Log, commit: str) -> str:
    """Make `ref` of the archive repository `target` the one commit that `source` (a repo or its tar) holds; its id.

    Each object's checksum is verified on the way; whoever reads the repository meanwhile sees the old state or the new.
    """
    if not REF.match(ref):
        raise InputError(f"{ref} is not a possible ref.")
    target.mkdir(parents=True, exist_ok=True)
    store = ResultStore(state)
    with ExitStack() as stack:
        scratch = stack.enter_context(store.scratch())
        stack.enter_context(locked(target.parent / f".{target.name}.lock"))
        layer = base.ensure(tools, state, log)
        repo_path = stack.enter_context(_as_folder(source, scratch))
        shared = [state.root, target, repo_path]
        entry = stack.enter_context(entered(layer, work=scratch, shared=shared, log=log))
        return _import(Repo(entry, repo_path), Repo(entry, target).have("archive"), ref, commit)


def _import(source: Repo, target: Repo, ref: str, expected: str) -> str:
    found = source.refs()
    if len(found) != 1:
        raise InputError(f"The repository to publish has {len(found)} refs, not one.")
    commit = source.resolve(found[0])
    if ref != found[0]:
        raise InputError(f"The commit is bound to the ref {found[0]}; as {ref} no machine could pull it.",
                         hint="Publish it under its own ref, or compose it with another ref.")  # fmt: skip
    if not commit or (expected and commit != expected):
        raise InputError(f"The repository to publish holds the commit {commit or 'of no ref'}, not {expected}.")
    try:
        target.pull(source.path, commit, untrusted=True)
    except CommandFailed as error:
        raise InputError(f"The repository to publish is damaged: {error}", lines=error.lines) from error
    target.set_ref(ref, commit)
    target.summary()
    return commit


@contextmanager
def _as_folder(source: Path, scratch: Path) -> Iterator[Path]:
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
