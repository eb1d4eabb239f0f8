"""A treefile out of a git repository: its newest commit alone, fetched by an unprivileged git that sees nothing else.

There is no work tree and no hook: git writes an archive of the commit, and of that only plain files are read.
"""

from __future__ import annotations

import os
import re
import tarfile
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from composes.pipeline.treefiles import treefile
from debatomic.tools.errors import InputError
from debatomic.tools.git import PROTOCOLS, REF, jailed
from debatomic.tools.git_servers import check_address

__all__ = ["PROTOCOLS", "Fetched", "GitSource", "check", "fetch"]
MAIN = re.compile(r"(?!.*(^|/)\.\.?(/|$))[A-Za-z0-9_][A-Za-z0-9_./+-]{0,190}\.(yaml|json)")
TEXT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,150}\.(yaml|json|asc)")
REPOSITORY_BYTES = 64 << 20  # of any file git writes
TEXT_BYTES = 1 << 20
MEMBERS = 20000
SECONDS = 120.0
MEMORY = 1 << 30
DISK = 1 << 30  # of all files


@dataclass(frozen=True, kw_only=True)
class GitSource:
    """Where a definition is kept: `path` is that of its main file in the repository."""

    url: str
    branch: str
    path: str


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """The treefiles of a commit, by their names beside the main one; author and message are the commit's."""

    commit: str
    author: str
    message: str
    main: str
    files: dict[str, str]


def check(source: GitSource, protocols: Collection[str]) -> None:
    """Raises InputError (field url, branch or path) for what git is not to be asked."""
    check_address(source.url, protocols)
    if not REF.fullmatch(source.branch):
        raise InputError(f"“{source.branch:.60}” is no name of a branch.", field="branch")
    if not MAIN.fullmatch(source.path):
        raise InputError(f"“{source.path:.60}” is no path of a treefile: it ends with .yaml or .json.", field="path")


def fetch(
    source: GitSource, *, name: str, protocols: Collection[str], log: Callable[[bytes], object],
    hosts: Collection[str] = (),
) -> Fetched:  # fmt: skip
    """The newest commit of the branch, its treefile validated. `name` is the definition's, or empty for any.

    `hosts` may be asked although they are not public: names, addresses, networks.

    Raises InputError with file and line for a bad treefile, InfrastructureError where the server cannot be reached.
    """
    check(source, protocols)
    with jailed(
        source.url, protocols, size=REPOSITORY_BYTES, seconds=SECONDS, hosts=hosts, memory=MEMORY, disk=DISK
    ) as jail:
        jail.fetch(f"+refs/heads/{source.branch}:refs/heads/got", what=f"branch {source.branch}")
        said = jail.git("log", "-1", "--no-show-signature", "--format=%H%x00%an <%ae>%x00%s", "got").stdout
        commit, author, message = [*said.rstrip("\n").split("\0"), "", ""][:3]
        log(f"commit {commit} of {author}: {message}\n".encode())
        folder = os.fspath(PurePosixPath(source.path).parent)
        jail.git("archive", "--format=tar", "--output=/work/commit.tar", "got", *([] if folder == "." else [folder]))
        texts = _texts(jail.folder / "commit.tar", folder)
        main = PurePosixPath(source.path).name
        if main not in texts:
            raise InputError(f"There is no file {source.path} in the branch {source.branch} of {source.url}.")
        files = _included(texts, main, jail.folder / "texts", name)
    return Fetched(commit=commit, author=author[:200], message=message[:200], main=main, files=files)


def _included(texts: dict[str, str], main: str, folder: Path, name: str) -> dict[str, str]:
    """What the main file includes, once it is sure that everything resolves."""
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    content = treefile.load(folder / main)
    for variant in treefile.variants(content):
        for architecture in treefile.architectures(content):
            treefile.resolve(content, variant, architecture)
    if name and content["name"] != name:
        raise InputError(f"{main} names the definition {content['name']}, not {name}.")
    return {path: texts[path] for path in treefile.files(folder / main)}


def _texts(archive: Path, folder: str) -> dict[str, str]:
    """The plain files of an archive that may belong to a treefile, by their paths below `folder`."""
    found: dict[str, str] = {}
    top = "" if folder == "." else f"{folder}/"
    with tarfile.open(archive) as tar:
        for number, member in enumerate(tar):
            if number > MEMBERS:
                raise InputError(f"The folder of the treefile has more than {MEMBERS} files.")
            path = member.name.removeprefix(top)
            if not member.isreg() or not member.name.startswith(top) or not TEXT.fullmatch(path) or ".." in path:
                continue
            if member.size <= TEXT_BYTES and (file := tar.extractfile(member)):
                try:
                    found[path] = file.read().decode()
                except UnicodeDecodeError:
                    continue  # no text of a treefile; if one includes it, it is told as missing
    return found
