"""The archives' lists of binary packages, each verified by a signed InRelease."""

from __future__ import annotations

import base64
import binascii
import hashlib
import lzma
import re
import zlib
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

from chroots.engine.archives import openpgp
from chroots.engine.archives.fetch import RemoteFile, Store
from chroots.engine.archives.release import Release, fetch_release
from composes.pipeline.treefiles.marks import prefix
from composes.pipeline.treefiles.treefile import Repository, Tree
from debatomic.tools.errors import InputError

COMPRESSIONS = (".xz", ".gz", "")
NAME = re.compile(r"^Package: (\S+)$", re.MULTILINE)
BASE = re.compile(r"^(?:Essential: yes|Priority: required)$", re.MULTILINE)
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


def sources(tree: Tree, mirror: str, keyring: Path, keys: Path, snapshots: str = "") -> list[Source]:
    """Debian's archive and those of the treefile, each InRelease verified. `keys` is a folder to write to.

    `snapshots` is the address of Debian's archive at `{date}`, for a treefile with a `snapshot`.
    """
    debian = snapshots if tree.snapshot else mirror
    found = []
    for repository in (Repository(name="debian", uri=debian, suite=tree.suite, components=tree.components),
                       *tree.repositories):  # fmt: skip
        dated = replace(repository, uri=repository.uri.replace("{date}", tree.snapshot).rstrip("/"))
        check = tree.check_valid_until and not tree.snapshot
        release = fetch_release(dated.uri, dated.suite, _keyring(repository, keyring, keys), check_valid_until=check)
        source = Source(repository=dated, release=release)
        if tree.snapshot and dated.uri != repository.uri.rstrip("/"):
            _check_date(source, tree.snapshot)
        found.append(source)
    return found


def _check_date(source: Source, snapshot: str) -> None:
    """The archive of a day cannot be younger than that day."""
    wanted = datetime.strptime(snapshot, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if source.date > wanted.timestamp():
        raise InputError(
            f"{prefix(snapshot)}{source.release.url} is of {source.release.fields['Date']}, later than {snapshot}.",
            hint="Is DEBATOMIC_SNAPSHOTS the address of a snapshot service, with {date} in it?",
        )


def _keyring(repository: Repository, keyring: Path, keys: Path) -> Path:
    """The file with the keys that may sign this repository."""
    if not repository.key and not repository.fingerprint:
        return keyring
    content = dearmoured(repository) if repository.key else keyring.read_bytes()
    if repository.fingerprint:
        content = _only(content, repository)
    path = keys / f"{repository.name}.gpg"
    path.write_bytes(content)
    return path


def _only(content: bytes, repository: Repository) -> bytes:
    """The key with the repository's fingerprint."""
    found = openpgp.separate(content)
    wanted = repository.fingerprint.upper()
    if wanted not in found:
        where = "Its key" if repository.key else "Debian's keyring"
        raise InputError(f"{prefix(repository.fingerprint)}the key of repository {repository.name} is not the one that "
                         f"was meant: {where} has {', '.join(found)}, not {wanted}.",
                         hint="Nothing of this repository is used.")  # fmt: skip
    return found[wanted]


def dearmoured(repository: Repository) -> bytes:
    """The key of a repository as gpgv wants it."""
    match = ARMOUR.search(repository.key.replace("\r", "") + "\n")
    body = "".join(line for line in match[1].splitlines() if not line.startswith("=")) if match else ""
    try:
        key = base64.b64decode(body, validate=True)
    except binascii.Error:
        key = b""
    if not key:
        raise InputError(f"{prefix(repository.key)}the key of repository {repository.name} is not an "
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
    marks = BASE.finditer(text)  # a search in the whole text: a hundred times faster than paragraph by paragraph
    return sorted({"apt", *(field(_around(text, mark.start()), "Package") for mark in marks)})


def of_names(text: str, wanted: Collection[str]) -> Iterator[str]:
    """The paragraphs of these packages."""
    return (_around(text, match.start()) for match in NAME.finditer(text) if match[1] in wanted)


def _around(text: str, place: int) -> str:
    """The paragraph at a place of the text."""
    start, end = text.rfind("\n\n", 0, place), text.find("\n\n", place)
    return text[0 if start < 0 else start + 2 : len(text) if end < 0 else end]


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
