"""Packages into a buildroot: apt in it chooses, the host fetches and checks, and they are installed without network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from chroots.engine.archives.fetch import Store
from chroots.engine.layers.buildroot import Buildroot
from chroots.engine.layers.dependencies import ARCHIVES, apt_get, parse_uris
from chroots.engine.spec import Repository
from chroots.engine.state import State
from debatomic.tools.errors import CommandFailed, InputError, Kind, ToolError
from debatomic.tools.files import link_or_copy


def install(
    root: Buildroot, names: Sequence[str], state: State, work: Path, *, recommends: bool,
    repositories: Sequence[Repository] = (),
) -> list[str]:  # fmt: skip
    """Install packages, by name or `name=version`; the files of those that came in.

    Raises: ToolError with apt's own words where they cannot be had.
    """
    wanted = [*(["--install-recommends"] if recommends else []), "install", *_checked(names)]
    try:
        debs = parse_uris(root.run([*apt_get("--print-uris"), *wanted], capture=True).stdout, repositories)
        if debs:
            archives = work / "archives"
            (archives / "partial").mkdir(parents=True)
            for deb, path in zip(debs, Store(state.files).get_all(debs), strict=True):
                link_or_copy(path, archives / deb.name)
            root.run([*apt_get("--no-download"), *wanted], read_only={ARCHIVES: archives},
                     scratch=[f"{ARCHIVES}/partial"])  # fmt: skip
    except CommandFailed as error:
        raise _explained(names, error) from error
    return [deb.name for deb in debs]


def _checked(names: Sequence[str]) -> list[str]:
    for name in names:
        if not name[:1].isalnum():
            raise InputError(f"'{name}' is no package's name.")
    return list(names)


def _explained(names: Sequence[str], error: CommandFailed) -> ToolError:
    lines = [line.removeprefix("E: ") for line in error.tail.splitlines() if line.startswith("E: ")]
    told = lines[0].rstrip(".") if lines else str(error).rstrip(".")
    return ToolError(f"{', '.join(names)} cannot be installed: {told}.", kind=Kind.DEP_WAIT,
                     lines=error.tail.splitlines()[-10:])  # fmt: skip
