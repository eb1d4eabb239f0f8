"""A commit becomes a source package: native, or 3.0 (quilt) with the upstream tarball that the repository can give.

All of it runs in the jail of debatomic.tools.git, as nobody: whoever wrote the commit is not trusted. git-buildpackage
itself is not used, for its configuration names commands; of `debian/gbp.conf` only the name of upstream's tag is read.
"""

from __future__ import annotations

import configparser
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from builds.packing.upstream import Upstream, orig
from chroots.engine.archives.dsc import NAME, VERSION, Dsc, parse_dsc, verify
from debatomic.tools.errors import CommandFailed, InputError
from debatomic.tools.git import PROTOCOLS, REF, Jail, jailed
from debatomic.tools.git_servers import check_address

SIZE = 2 << 30  # bytes of any file
SECONDS = 1200.0
COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
HEADER = re.compile(r"(\S+) \(([^)\s]+)\) ")
FORMATS = ("3.0 (quilt)", "3.0 (native)", "1.0")
PLAIN = "* -text -eol -ident -filter -working-tree-encoding -export-ignore -export-subst\n"
TEXT = 1 << 20
CHANGELOG = 16 << 20  # the longest of Debian have a few MiB


@dataclass(frozen=True, kw_only=True)
class PackSpec:
    """`ref`: a branch, a tag or a whole commit; HEAD for the repository's own."""

    url: str
    ref: str
    output: Path
    protocols: tuple[str, ...] = PROTOCOLS
    hosts: tuple[str, ...] = ()  # that may be asked although they are not public: names, addresses, networks


@dataclass(frozen=True, kw_only=True)
class Packed:
    """What came of it; `upstream` says where the tarball is from, and is empty for a native package."""

    source: str
    version: str
    commit: str
    upstream: str
    files: tuple[str, ...]  # the .dsc first


def check(url: str, ref: str, protocols: tuple[str, ...]) -> None:
    """Raises InputError (field url or ref) for what is not to be asked."""
    check_address(url, protocols)
    if ref != "HEAD" and not REF.fullmatch(ref):
        raise InputError(f"“{ref:.60}” is no name of a branch or tag, and no commit.", field="ref")


def pack(spec: PackSpec, *, say: Callable[[str], object]) -> Packed:
    """Make the source package in `spec.output`. Raises InputError for what the repository lacks or has wrong."""
    check(spec.url, spec.ref, spec.protocols)
    with jailed(spec.url, spec.protocols, size=SIZE, seconds=SECONDS, hosts=spec.hosts) as jail:
        (jail.folder / "repository/info").mkdir(exist_ok=True)
        (jail.folder / "repository/info/attributes").write_text(PLAIN)  # before anything of others is there
        commit = _fetched(jail, spec.ref)
        say(f"{spec.ref} of {spec.url} is commit {commit}.")
        name, version = _named(jail)
        upstream = ""
        if (layout := _format(jail, version)) != "3.0 (native)":
            packer = "gzip" if layout == "1.0" else "xz"
            wanted = Upstream(name=name, version=version, settings=_settings(jail), packer=packer)
            upstream = orig(jail, wanted, say)
        _export(jail)
        dsc = _built(jail, name, version)
        files = (dsc.path.name, *dsc.files)
        for each in files:
            shutil.copyfile(dsc.path.parent / each, spec.output / each)
        say(f"{name} {version}: {len(files)} files.")
    return Packed(source=name, version=version, commit=commit, upstream=upstream, files=files)


def _fetched(jail: Jail, ref: str) -> str:
    """The commit, as `got`: asked for as a branch first, then as a tag."""
    if ref == "HEAD" or COMMIT.fullmatch(ref):
        jail.fetch(f"+{ref}:refs/heads/got", what=f"commit {ref}" if ref != "HEAD" else "commit")
    else:
        try:
            jail.fetch(f"+refs/heads/{ref}:refs/heads/got", what=f"branch {ref}")
        except InputError:
            jail.fetch(f"+refs/tags/{ref}:refs/tags/got", what=f"branch or tag {ref}")
    return jail.git("rev-parse", "got^{commit}").stdout.strip()


def _text(jail: Jail, path: str, most: int = TEXT) -> str | None:
    """A file of the commit; None where it has none. Raises InputError for one of more bytes than `most`."""
    try:
        size = int(jail.git("cat-file", "-s", f"got:{path}").stdout)
        if size > most:
            raise InputError(f"{path} is larger than the {most >> 20} MiB that it may have.")
        return jail.git("cat-file", "blob", f"got:{path}").stdout
    except CommandFailed:
        return None


def _named(jail: Jail) -> tuple[str, str]:
    """Name and version, as the changelog's first line has them."""
    listed = _text(jail, "debian/changelog", CHANGELOG)
    if listed is None:
        raise InputError("The commit has no debian/changelog: it is no Debian source package.")
    first = next((line for line in listed.splitlines() if line.strip()), "")
    found = HEADER.match(first)
    if not found or not NAME.fullmatch(found[1]) or not VERSION.fullmatch(found[2]):
        raise InputError(f"debian/changelog does not begin with a package and its version: “{first:.80}”.")
    return found[1], found[2]


def _format(jail: Jail, version: str) -> str:
    told = (_text(jail, "debian/source/format") or "").strip() or "1.0"
    if told not in FORMATS:
        raise InputError(f"debian/source/format says “{told:.40}”; it can be {' or '.join(FORMATS)}.")
    if told == "1.0" and "-" not in version:
        return "3.0 (native)"
    return told


def _settings(jail: Jail) -> dict[str, str]:
    """What debian/gbp.conf says of tags and branches: no other value is looked at."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(_text(jail, "debian/gbp.conf") or "")
    except configparser.Error as error:
        raise InputError(f"debian/gbp.conf cannot be read: {str(error).splitlines()[0]}") from None
    found = dict(parser.defaults())
    for section in ("buildpackage", "export-orig"):
        if parser.has_section(section):
            found |= dict(parser.items(section))
    return {name: value.strip("\"'") for name, value in found.items() if name == "upstream-tag"}


def _export(jail: Jail) -> None:
    """The commit's files in /work/tree."""
    jail.git("archive", "--format=tar", "--output=/work/commit.tar", "got")
    jail.run("mkdir", "/work/tree")
    jail.run("tar", "--extract", "--file=/work/commit.tar", "--directory=/work/tree", "--no-same-owner")


def _built(jail: Jail, name: str, version: str) -> Dsc:
    try:
        jail.run("dpkg-source", "--build", "tree")
    except CommandFailed as error:
        lines = error.tail.splitlines()
        told = next((line.partition("error: ")[2] for line in lines if "error: " in line), (lines or ["no reason"])[-1])
        raise InputError(
            f"dpkg-source makes no source package of it: {told.strip('. ')}.", lines=lines[-20:]
        ) from error
    path = jail.folder / f"{name}_{version.partition(':')[2] or version}.dsc"
    if path.is_symlink():
        raise InputError(f"{path.name} is a link.")
    if path.stat().st_size > CHANGELOG:
        raise InputError(f"{path.name} is larger than the {CHANGELOG >> 20} MiB that it may have.")
    dsc = parse_dsc(path)
    verify(dsc.files, jail.folder, path.name)
    if (dsc.name, dsc.version) != (name, version):
        raise InputError(f"debian/control names {dsc.name} {dsc.version}, debian/changelog {name} {version}.")
    return dsc
