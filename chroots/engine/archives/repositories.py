"""Archives beside the main one: as sources for apt, each verified by its own key, and what a base knows of them."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chroots.engine.archives import openpgp
from chroots.engine.archives.admission import apt_configuration, read_secret
from chroots.engine.archives.fetch import read
from chroots.engine.archives.release import Release, fetch_release
from chroots.engine.spec import ChrootSpec, Repository
from debatomic.tools.errors import InputError

KEY_LIMIT = 4 << 20


@dataclass(frozen=True, kw_only=True)
class Sources:
    """What mmdebstrap gets: options, and files in apt's format deb822."""

    files: tuple[Path, ...] = ()
    configuration: Path | None = None  # of apt, to get in with; not to be kept in the tree

    @property
    def options(self) -> list[str]:
        return [f"--aptopt={self.configuration}"] if self.configuration else []

    def forget(self, tree: Path) -> None:
        """Take the configuration out of a tree again: mmdebstrap leaves it there."""
        kept = tree / "etc/apt/apt.conf.d/99mmdebstrap"
        if self.configuration:
            kept.write_text(kept.read_text().replace(self.configuration.read_text(), ""))


@contextmanager
def sources(spec: ChrootSpec, mirror: str) -> Iterator[Sources]:
    """The repositories of a chroot for apt; secrets lie in a folder of root's until the block ends."""
    with tempfile.TemporaryDirectory(prefix="debatomic-sources-") as name:
        folder = Path(name)
        files = [folder / f"{repository.name}.sources" for repository in spec.repositories]
        for repository, file in zip(spec.repositories, files, strict=True):
            file.write_text(deb822(repository, mirror, public_keys(repository, spec.keyring)))
        admissions = {uri: read_secret(each.secret) for each in spec.repositories if each.secret
                      for uri in addresses(each, mirror)}  # fmt: skip
        configuration = apt_configuration(admissions, folder) if admissions else None
        yield Sources(files=tuple(files), configuration=configuration)


def addresses(repository: Repository, mirror: str) -> list[str]:
    return [uri.replace("{mirror}", mirror) for uri in repository.uris]


def deb822(repository: Repository, mirror: str, keys: bytes) -> str:
    """The paragraph for apt; the keys are in it, so that it means the same wherever it is read."""
    signed_by = "".join(f" {line or '.'}\n" for line in openpgp.armored(keys).splitlines())
    uris = (uri.replace("file://", "copy://", 1) for uri in addresses(repository, mirror))  # into apt's cache as well
    return (f"Types: deb\nURIs: {' '.join(uris)}\nSuites: {' '.join(repository.suites)}\n"
            f"Components: {' '.join(repository.components)}\nSigned-By:\n{signed_by}")  # fmt: skip


def public_keys(repository: Repository, keyring: Path) -> bytes:
    """The keys that a repository must be signed with. Raises: InputError where they are not those that were meant."""
    where = repository.key or str(keyring)
    try:
        content = read(where, limit=KEY_LIMIT) if where.startswith("https://") else Path(where).read_bytes()
    except OSError as error:
        raise InputError(
            f"The key {where} of the repository {repository.name} cannot be read: {error.strerror}."
        ) from error
    keys = openpgp.binary(content, where)
    found = openpgp.fingerprints(keys)
    if repository.fingerprint and found != [repository.fingerprint]:
        raise InputError(f"The key {where} of the repository {repository.name} is not the one that was meant: it has "
                         f"{', '.join(found) or 'no key'} instead of {repository.fingerprint}.",
                         hint="Nothing of this repository is used.")  # fmt: skip
    return keys


def releases(spec: ChrootSpec, mirror: str) -> list[Release]:
    """The InRelease of each archive of a chroot, the mirror's first, each verified."""
    check = spec.check_valid_until
    found = [fetch_release(mirror, spec.suite, spec.keyring, check_valid_until=check)]
    with tempfile.TemporaryDirectory(prefix="debatomic-keys-") as folder:
        for repository in spec.repositories:
            keyring = Path(folder, f"{repository.name}.gpg")
            keyring.write_bytes(public_keys(repository, spec.keyring))
            found += [fetch_release(uri, suite, keyring, repository.secret, check_valid_until=check)
                      for uri in addresses(repository, mirror) for suite in repository.suites]  # fmt: skip
    return found


def release_digest(found: Sequence[Release]) -> str:
    """Names the state of all archives of a chroot: while it is equal, there is nothing new in them."""
    digests = [release.digest for release in found]
    return digests[0] if len(digests) == 1 else hashlib.sha256(" ".join(digests).encode()).hexdigest()


def secret_for(url: str, repositories: Sequence[Repository]) -> Path | None:
    """The secret of the repository an address belongs to."""
    fitting = ((len(uri), each.secret) for each in repositories for uri in each.uris if url.startswith(f"{uri}/"))
    return max(fitting, default=(0, None), key=lambda found: found[0])[1]
