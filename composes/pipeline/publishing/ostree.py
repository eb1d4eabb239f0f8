"""OSTree by its command line, from the tools chroot."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from composes.pipeline.tools import Tools
from debatomic.tools.errors import CommandFailed, Kind, ToolError

ZLIB_LEVEL = "4"  # 2 % larger than 6, the default, in half of the time
CHECKSUM = re.compile(r"^[0-9a-f]{64}\Z")


@dataclass(frozen=True, kw_only=True)
class Commit:
    """A commit and the checksum of its content alone (without date, metadata and parent)."""

    id: str
    content: str


@dataclass(frozen=True)
class Repo:
    """One OSTree repository at `path`, worked on with the tools' ostree."""

    tools: Tools
    path: Path

    def do(self, verb: str, *args: str | os.PathLike[str]) -> None:
        self.tools.widely.run(["ostree", verb, f"--repo={self.path}", *args])

    def read(self, verb: str, *args: str | os.PathLike[str]) -> str:
        return self.tools.widely.read(["ostree", verb, f"--repo={self.path}", *args])

    def have(self, mode: str) -> Repo:
        """The repository, made if there is none."""
        if not (self.path / "config").exists():
            self.path.mkdir(parents=True, exist_ok=True)
            self.do("init", f"--mode={mode}")
            if mode == "archive":
                self.do("config", "set", "archive.zlib-level", ZLIB_LEVEL)
        return self

    def has(self, commit: str) -> bool:
        """Whether this commit is there, whole."""
        there = (self.path / "objects" / commit[:2] / f"{commit[2:]}.commit").is_file()
        return there and not (self.path / "state" / f"{commit}.commitpartial").exists()

    def pull(self, source: Path, *what: str, remote: str = "", untrusted: bool = False, synced: bool = True) -> None:
        """Objects of refs or commits from a repository on this host; `synced` to the disk where they are to last."""
        more = [*([f"--remote={remote}"] if remote else []), *(["--untrusted"] if untrusted else []),
                *([] if synced else ["--disable-fsync"])]  # fmt: skip
        self.do("pull-local", *more, source, *what)

    def set_ref(self, ref: str, commit: str) -> None:
        self.do("refs", f"--create={ref}", "--force", commit)

    def refs(self) -> list[str]:
        return self.read("refs").split()

    def resolve(self, ref: str) -> str:
        """The commit a ref names; empty if there is no such ref."""
        try:
            found = self.read("rev-parse", ref)
        except CommandFailed:
            return ""
        return found if CHECKSUM.match(found) else ""

    def show(self, ref: str) -> Commit:
        shown = self.read("show", ref)
        commit, content = (re.search(rf"^{word}:?\s+([0-9a-f]{{64}})$", shown, re.MULTILINE)
                           for word in ("commit", "ContentChecksum"))  # fmt: skip
        if not commit or not content:
            raise ToolError(f"ostree does not show the commit {ref}.", kind=Kind.INTERNAL, lines=shown.splitlines())
        return Commit(id=commit[1], content=content[1])

    def summary(self) -> None:
        """Clients believe the summary before the refs: it must follow every change."""
        self.do("summary", "--update")
