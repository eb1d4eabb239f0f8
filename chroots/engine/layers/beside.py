"""Repositories that one build has beside its chroot's own: verified and fetched here, read by apt in the buildroot.

The base stays as it is. apt is told of each repository by an address that means nothing, so that packages come the same
way whatever the host calls it; what it has is preferred to what the archive has.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from chroots.engine.archives.binaries import OPENERS, index_paths
from chroots.engine.archives.fetch import RemoteFile, Store
from chroots.engine.archives.release import Release, fetch_release, stored_index
from chroots.engine.archives.repositories import deb822, public_keys
from chroots.engine.layers.package_lists import LISTS_OF_BASE
from chroots.engine.spec import ChrootSpec, Repository
from debatomic.tools.files import link_or_copy

PLACE = "/run/repositories"  # where a buildroot sees what apt is told of them
PRIORITY = 990  # of apt's preferences: before the archive's, but nothing installed is downgraded
SNAPSHOT = "%Y%m%dT%H%M%SZ"
READ = ("Origin", "Label", "Suite", "Version", "Codename", "Date", "NotAutomatic", "ButAutomaticUpgrades",
        "Acquire-By-Hash", "Architectures", "Components", "Description")  # fmt: skip
QUOTED = {"_": "%5f", "/": "_"}  # in the names of apt's lists


@dataclass(frozen=True, kw_only=True)
class Taken:
    """One suite of a repository, as it is now."""

    repository: Repository
    uri: str
    suite: str
    release: Release
    keys: bytes
    number: int

    @property
    def told(self) -> str:
        """The address that apt is told."""
        return f"http://repository-{self.number}.invalid"

    @property
    def list_name(self) -> str:
        """What the names of apt's lists of it begin with."""
        suite = "".join(QUOTED.get(letter, letter) for letter in self.suite)
        return f"repository-{self.number}.invalid_dists_{suite}_"

    @property
    def facts(self) -> dict[str, str]:
        """For the record: name, uri, suite, SHA-256 of its InRelease, and its snapshot, where it keeps any."""
        dated, keeps = self.release.dated_at, "Snapshots" in self.release.fields
        snapshot = datetime.fromtimestamp(dated, UTC).strftime(SNAPSHOT) if dated and keeps else ""
        return {"name": self.repository.name, "uri": self.uri, "suite": self.suite, "release": self.release.digest,
                "snapshot": snapshot}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Beside:
    """All of them for one build; there may be none."""

    taken: tuple[Taken, ...] = ()

    @property
    def digests(self) -> list[str]:
        """Equal ones offer the same packages."""
        return [each.release.digest for each in self.taken]

    @property
    def options(self) -> tuple[str, ...]:
        """apt-get's, to know of them; the lists are another option's."""
        if not self.taken:
            return ()
        return ("-o", f"Dir::Etc::sourceparts={PLACE}/sources", "-o", f"Dir::Etc::preferencesparts={PLACE}/preferences")

    def located(self, file: RemoteFile) -> RemoteFile:
        """A file that apt named, with the address where it really is."""
        for each in self.taken:
            if file.url.startswith(f"{each.told}/"):
                return replace(file, url=each.uri + file.url.removeprefix(each.told), secret=each.repository.secret)
        return file

    def furnish(self, tree: Path, folder: Path) -> None:
        """Make `folder` what buildroots see at PLACE: sources and preferences, those of the base `tree` among them."""
        for name, kept in (("sources", "sources.list.d"), ("preferences", "preferences.d")):
            (folder / name).mkdir(parents=True)
            for path in sorted((tree / "etc/apt" / kept).glob("*")):
                if path.is_file() and not path.is_symlink():
                    shutil.copy2(path, folder / name)
        for each in self.taken:
            known = replace(each.repository, uris=(each.told,), suites=(each.suite,))
            (folder / "sources" / f"repository-{each.number}.sources").write_text(deb822(known, "", each.keys))
            preference = f'Package: *\nPin: origin "repository-{each.number}.invalid"\nPin-Priority: {PRIORITY}\n'
            (folder / "preferences" / f"repository-{each.number}.pref").write_text(preference)

    def lists(self, tree: Path, chroot: ChrootSpec, store: Store, folder: Path) -> None:
        """Make `folder` what apt takes for its lists: those of the base `tree`, and theirs, each by its digest."""
        (folder / "partial").mkdir(parents=True)
        for path in (tree / LISTS_OF_BASE).iterdir():
            if path.is_symlink():
                (folder / path.name).symlink_to(path.readlink())
            elif path.is_file():
                link_or_copy(path, folder / path.name)
        for each in self.taken:
            (folder / f"{each.list_name}InRelease").write_text(_text(each.release))
            for index in index_paths(each.release, each.repository.components, _architectures(chroot)):
                _unpack(each, index, store, folder)


def take(chroot: ChrootSpec, repositories: tuple[Repository, ...]) -> Beside:
    """What the repositories are now. Raises InputError where one is not there or not signed with its key."""
    taken: list[Taken] = []
    for repository in repositories:
        keys = public_keys(repository, chroot.keyring)
        for uri in repository.uris:
            for suite in repository.suites:
                release = _release(repository, uri, suite, keys)
                taken.append(Taken(repository=repository, uri=uri, suite=suite, release=release, keys=keys,
                                   number=len(taken)))  # fmt: skip
    return Beside(taken=tuple(taken))


def _release(repository: Repository, uri: str, suite: str, keys: bytes) -> Release:
    with tempfile.TemporaryDirectory(prefix="debatomic-keys-") as name:
        keyring = Path(name, "keys.gpg")
        keyring.write_bytes(keys)
        return fetch_release(uri, suite, keyring, repository.secret)


def _architectures(chroot: ChrootSpec) -> tuple[str, ...]:
    return (chroot.architecture, *chroot.foreign_architectures)


def _text(release: Release) -> str:
    """What apt reads of a Release that was verified."""
    fields = "".join(f"{name}: {release.fields[name]}\n" for name in READ if release.fields.get(name))
    rows = "".join(f" {digest} {size} {path}\n" for path, (digest, size) in release.files.items())
    return f"{fields}SHA256:\n{rows}"


def _unpack(taken: Taken, path: str, store: Store, folder: Path) -> None:
    sha256, size = taken.release.files[path]
    file = RemoteFile(name=path, url=f"{taken.uri}/dists/{taken.suite}/{path}", size=size, sha256=sha256,
                      secret=taken.repository.secret)  # fmt: skip
    name = taken.list_name + path.removesuffix(Path(path).suffix).replace("/", "_")
    with (
        OPENERS[Path(path).suffix](stored_index(taken.release, file, store)) as lines,
        (folder / name).open("wb") as to,
    ):
        to.writelines(lines)
