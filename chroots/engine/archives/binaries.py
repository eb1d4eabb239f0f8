"""Binary packages of the archives a chroot is made from, found by the name of their file.

InRelease (signed) lists the Packages indexes by SHA-256, which list each package's file by SHA-256.
"""

from __future__ import annotations

import gzip
import lzma
import re
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from chroots.engine.archives.fetch import RemoteFile, Store
from chroots.engine.archives.mirror import default_mirror
from chroots.engine.archives.release import Release, fetch_release, stored_index
from chroots.engine.archives.repositories import addresses, public_keys
from chroots.engine.spec import ChrootSpec
from debatomic.tools.errors import InputError

FILE = re.compile(r"(?P<package>[a-z0-9][a-z0-9+.-]+)_(?P<version>[A-Za-z0-9.+~-]+)_(?P<architecture>[a-z0-9-]+)"
                  r"\.(?:deb|udeb|ddeb)")  # fmt: skip
Opener = Callable[[Path], AbstractContextManager[Iterable[bytes]]]
OPENERS: Mapping[str, Opener] = {".xz": lzma.LZMAFile, ".gz": gzip.GzipFile, "": FileIO}
FIELDS = ("Package", "Version", "Architecture", "Filename", "Size", "SHA256")


@dataclass(frozen=True, kw_only=True)
class Place:
    """One suite of one archive, and what it is verified with."""

    uri: str
    suite: str
    components: tuple[str, ...]
    keyring: Path
    secret: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Binary:
    """A binary package of the archive."""

    package: str
    version: str
    architecture: str
    file: RemoteFile


def parts(name: str) -> tuple[str, str, str]:
    """Package, version (without epoch) and architecture of a binary package's file. Raises: InputError."""
    if not (match := FILE.fullmatch(name)):
        raise InputError(f"{name!r} is not the name of a binary package's file.")
    return match["package"], match["version"], match["architecture"]


def find_binaries(chroot: ChrootSpec, names: Collection[str], store: Store) -> dict[str, list[Binary]]:
    """What the chroot's archives have of the packages that files of these names hold, whatever the version.

    Raises: InputError for a name that is none; InfrastructureError without network.
    """
    found: dict[str, list[Binary]] = {name: [] for name in names}
    wanted: dict[tuple[str, str], list[str]] = {}
    for name in names:
        package, _, architecture = parts(name)
        wanted.setdefault((package, architecture), []).append(name)
    architectures = {architecture for _, architecture in wanted}
    with _places(chroot) as places:
        for place in places:
            for binary in _listed(place, architectures, {package for package, _ in wanted}, store):
                for name in wanted.get((binary.package, binary.architecture), []):
                    if binary not in found[name]:
                        found[name].append(binary)
    return found


@contextmanager
def _places(chroot: ChrootSpec) -> Iterator[list[Place]]:
    mirror = chroot.mirror or default_mirror()
    found = [Place(uri=mirror, suite=chroot.suite, components=chroot.components, keyring=chroot.keyring)]
    with ExitStack() as undo:
        folder = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="debatomic-keys-")))
        for each in chroot.repositories:
            keyring = folder / f"{each.name}.gpg"
            keyring.write_bytes(public_keys(each, chroot.keyring))
            found += [Place(uri=uri, suite=suite, components=each.components, keyring=keyring, secret=each.secret)
                      for uri in addresses(each, mirror) for suite in each.suites]  # fmt: skip
        yield found


def _listed(place: Place, architectures: set[str], packages: set[str], store: Store) -> Iterator[Binary]:
    """The packages of these names in one suite's indexes."""
    release = fetch_release(place.uri, place.suite, place.keyring, place.secret)
    for path in index_paths(release, place.components, architectures):
        sha256, size = release.files[path]
        file = RemoteFile(name=path, url=f"{place.uri}/dists/{place.suite}/{path}", size=size, sha256=sha256,
                          secret=place.secret)  # fmt: skip
        with OPENERS[Path(path).suffix](stored_index(release, file, store)) as lines:
            for fields in paragraphs(lines, packages):
                yield _binary(place, fields)


def index_paths(release: Release, components: Collection[str], architectures: Collection[str]) -> list[str]:
    """The Packages indexes to look in, each once; packages for all architectures are in every architecture's."""
    there = release.fields.get("Architectures", "").split()
    folders = [name for name in there if name in architectures and name != "all"] or there[:1]
    stems = [f"{part}/binary-{name}/Packages" for component in components for name in folders
             for part in (component, f"{component}/debian-installer")]  # fmt: skip
    chosen = (next((f"{stem}{end}" for end in OPENERS if f"{stem}{end}" in release.files), "") for stem in stems)
    return [path for path in chosen if path]


def paragraphs(lines: Iterable[bytes], packages: Collection[str]) -> Iterator[dict[str, str]]:
    """The paragraphs of a Packages file about these packages; only the fields that are needed."""
    starts = {f"Package: {name}\n".encode() for name in packages}
    fields: dict[str, str] = {}
    for line in lines:
        if line in starts or fields:
            name, _, value = line.decode(errors="replace").partition(":")
            if name in FIELDS:
                fields[name] = value.strip()
            elif line == b"\n":
                yield fields
                fields = {}
    if fields:
        yield fields


def _binary(place: Place, fields: Mapping[str, str]) -> Binary:
    path = fields["Filename"]
    file = RemoteFile(name=path.rpartition("/")[2], url=f"{place.uri}/{path}", size=int(fields["Size"]),
                      sha256=fields["SHA256"], secret=place.secret)  # fmt: skip
    return Binary(package=fields["Package"], version=fields["Version"], architecture=fields["Architecture"], file=file)
