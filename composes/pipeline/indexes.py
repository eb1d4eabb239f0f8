"""The archives' lists of binary packages, each verified by a signed InRelease."""

from __future__ import annotations

import base64
import binascii
import hashlib
import lzma
import re
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

from chroots.engine.archives.fetch import RemoteFile, Store
from chroots.engine.archives.release import Release, fetch_release
from composes.pipeline.marks import place_of
from composes.pipeline.treefile import Repository, Tree
from debatomic.tools.errors import InputError

COMPRESSIONS = (".xz", ".gz", "")
NAME = re.compile(r"^Package: (\S+)$", re.MULTILINE)
PROVIDES = re.compile(r"^Provides: (.+)$", re.MULTILINE)
ARMOUR = re.compile(r"-----BEGIN PGP PUBLIC KEY BLOCK-----\n(?:[^\n]+:[^\n]*\n)*\n(.*?)-----END", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Source:
    """One archive with the InRelease it has now."""

    repository: Repository
    release: Release

    @property
    def date(self) -> int:
        return int(parsedate_to_datetime(self.release.fields["Date"]).timestamp())


def sources(tree: Tree, mirror: str, keyring: Path, keys: Path) -> list[Source]:
    """Debian's archive and those of the treefile, each InRelease verified. `keys` is a folder to write to."""
    found = []
    for repository in (Repository(name="debian", uri=mirror, suite=tree.suite, components=tree.components),
                       *tree.repositories):  # fmt: skip
        signed_by = _keyring(repository, keys) if repository.key else keyring
        release = fetch_release(repository.uri, repository.suite, signed_by)
        found.append(Source(repository=repository, release=release))
    return found


def _keyring(repository: Repository, keys: Path) -> Path:
    path = keys / f"{repository.name}.gpg"
    path.write_bytes(dearmoured(repository))
    return path


def dearmoured(repository: Repository) -> bytes:
    """The key of a repository as gpgv wants it."""
    match = ARMOUR.search(repository.key.replace("\r", "") + "\n")
    body = "".join(line for line in match[1].splitlines() if not line.startswith("=")) if match else ""
    try:
        key = base64.b64decode(body, validate=True)
    except binascii.Error:
        key = b""
    if not key:
        place = place_of(repository.key)
        raise InputError(f"{place + ': ' if place else ''}the key of repository {repository.name} is not an "
                         "ASCII-armoured OpenPGP key.")  # fmt: skip
    return key


def packages_text(source: Source, architecture: str, store: Store) -> str:
    """The Packages lists of an archive for one architecture, its components one after the other."""
    with ThreadPoolExecutor(4) as pool:
        return "\n".join(pool.map(lambda name: _component(source, name, architecture, store),
                                  source.repository.components))  # fmt: skip


def _component(source: Source, component: str, architecture: str, store: Store) -> str:
    path = f"{component}/binary-{architecture}/Packages"
    for ending in COMPRESSIONS:
        if path + ending in source.release.files:
            sha256, size = source.release.files[path + ending]
            base = source.release.url.rpartition("/")[0]
            name = f"{path.rpartition('/')[0]}/by-hash/SHA256/{sha256}" if source.release.by_hash else path + ending
            stored = store.get(RemoteFile(name=path, url=f"{base}/{name}", size=size, sha256=sha256))
            return _unpacked(stored.read_bytes(), ending).decode(errors="replace")
    where = f"{source.repository.uri} {source.repository.suite}"
    raise InputError(f"{where} has no component {component} for {architecture}.",
                     hint=f"Its components are {source.release.fields.get('Components', 'not listed')}.")  # fmt: skip


def _unpacked(content: bytes, ending: str) -> bytes:
    if ending == ".xz":
        return lzma.decompress(content)
    return zlib.decompress(content, 31) if ending == ".gz" else content


def stanzas(text: str) -> Iterator[str]:
    """The paragraphs of a Packages list."""
    return (part for part in re.split(r"\n\n+", text) if part)


def field(stanza: str, name: str) -> str:
    """One field of a paragraph; empty if it is not there."""
    match = re.search(rf"^{name}: *(.*)$", stanza, re.MULTILINE)
    return match[1] if match else ""


def names(text: str) -> set[str]:
    """All that can be asked for by name in a Packages list: packages and what they provide."""
    provided = (re.split(r"[ (]", each.strip(), maxsplit=1)[0]
                for line in PROVIDES.findall(text) for each in line.split(","))  # fmt: skip
    return {*NAME.findall(text), *provided}


def base_names(text: str) -> list[str]:
    """What every Debian system has: essential and required packages, and apt."""
    wanted = {"apt"}
    for stanza in stanzas(text):
        if field(stanza, "Essential") == "yes" or field(stanza, "Priority") == "required":
            wanted.add(field(stanza, "Package"))
    return sorted(wanted)


def digest(found: Iterable[Source]) -> str:
    """Equal digests mean that no archive changed."""
    parts = [f"{each.repository.name} {each.release.digest}" for each in found]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def write_archive(folder: Path, packages: bytes, *, origin: str, suite: str) -> None:
    """The lists of an archive for apt on this host, which trusts it: its content was verified before."""
    folder.mkdir(exist_ok=True)
    (folder / "Packages").write_bytes(packages)
    names_of_suite = f"Suite: {suite}\nCodename: {suite}\nDate: Thu, 01 Jan 1970 00:00:00 UTC\n"
    listed = f" {hashlib.sha256(packages).hexdigest()} {len(packages)} Packages\n"
    (folder / "Release").write_text(f"Origin: {origin}\n{names_of_suite}SHA256:\n{listed}")
