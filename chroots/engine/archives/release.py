"""The signed table of contents of a suite: InRelease, believed only when its signature verifies."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

from chroots.engine.archives.fetch import Missing, RemoteFile, Store, read
from debatomic.tools.errors import InputError, ToolError
from debatomic.tools.run import run

INRELEASE_LIMIT = 8 << 20


@dataclass(frozen=True, kw_only=True)
class Release:
    """A verified InRelease: the files of the suite by their path below `dists/<suite>/`."""

    url: str
    digest: str  # of the InRelease file: equal digests mean that nothing in the suite changed
    fields: Mapping[str, str]
    files: Mapping[str, tuple[str, int]]  # path: (sha256, size)

    @property
    def by_hash(self) -> bool:
        return self.fields.get("Acquire-By-Hash", "") == "yes"

    @property
    def dated_at(self) -> int:
        """When the archive says it was last changed, in seconds since 1970; 0 where it does not say."""
        return int(parsedate_to_datetime(self.fields["Date"]).timestamp()) if "Date" in self.fields else 0


def fetch_release(
    mirror: str, suite: str, keyring: Path, secret: Path | None = None, *, check_valid_until: bool = True
) -> Release:
    """The InRelease of a suite, fetched now and verified with gpgv against `keyring`."""
    url = f"{mirror}/dists/{suite}/InRelease"
    try:
        content = read(url, limit=INRELEASE_LIMIT, secret=secret)
    except Missing as error:
        if _unsigned(f"{mirror}/dists/{suite}/Release", secret):
            raise InputError(f"The archive {mirror} is not signed: its suite '{suite}' has Release, but no InRelease.",
                             hint="Nothing of this archive is used.") from error  # fmt: skip
        raise InputError(f"The archive {mirror} has no suite '{suite}': {url} does not exist.") from error
    release = parse_release(verified_text(content, url, keyring), url, digest=hashlib.sha256(content).hexdigest())
    check_release(release, suite, now=datetime.now(UTC) if check_valid_until else None)
    return release


def _unsigned(url: str, secret: Path | None) -> bool:
    """Whether a Release file without a signature is there, after InRelease was not."""
    try:
        read(url, limit=INRELEASE_LIMIT, secret=secret)
    except ToolError:
        return False
    return True


def verified_text(signed: bytes, url: str, keyring: Path) -> str:
    """What a clear-signed text says, nothing outside the signature included."""
    if not keyring.exists():
        raise InputError(
            f"The keyring {keyring} does not exist.", hint="Install it: apt install debian-archive-keyring"
        )
    with tempfile.TemporaryDirectory(prefix="debatomic-gpgv-") as name:
        source, text = Path(name, "InRelease"), Path(name, "text")
        source.write_bytes(signed)
        done = run(["gpgv", "--quiet", "--keyring", os.fspath(keyring), "--output", os.fspath(text), os.fspath(source)],
                   capture=True, check=False, time_limit=60)  # fmt: skip
        if done.returncode or not text.exists():
            raise InputError(
                f"The signature of {url} does not verify against the keyring {keyring}: {reason(done.stdout)}",
                hint="Nothing of this archive is used.",
                lines=done.stdout.splitlines()[-10:],
            )
        return text.read_text(errors="replace")


def reason(output: str) -> str:
    """The line of gpgv that says what is wrong."""
    lines = [line.removeprefix("gpgv: ") for line in output.splitlines()]
    telling = [line for line in lines if line.startswith(("BAD signature", "Can't check", "no valid", "verify"))]
    return (telling or lines or ["no signature in it"])[0].rstrip(".") + "."


def parse_release(text: str, url: str, *, digest: str) -> Release:
    """The fields and the SHA256 table of a Release file."""
    fields: dict[str, str] = {}
    files: dict[str, tuple[str, int]] = {}
    current = ""
    for line in text.splitlines():
        if not line.startswith(" "):
            current, _, value = line.partition(":")
            fields[current] = value.strip()
        elif current == "SHA256" and len(parts := line.split()) == 3:
            files[parts[2]] = (parts[0], int(parts[1]))
    return Release(url=url, digest=digest, fields=fields, files=files)


def check_release(release: Release, suite: str, *, now: datetime | None) -> None:
    """Refuse another suite's InRelease and, unless `now` is None, one that is too old to be believed."""
    names = {release.fields.get("Suite", ""), release.fields.get("Codename", "")}
    if suite not in names:
        raise InputError(
            f"{release.url} is signed, but for the suite {' or '.join(sorted(names - {''}))}, not for {suite}."
        )
    if now and (until := release.fields.get("Valid-Until")) and parsedate_to_datetime(until) < now:
        raise InputError(f"{release.url} was valid until {until}: this mirror is out of date.",
                         hint="Use another mirror, or check this machine's clock. Where a snapshot is meant, write "
                         "check_valid_until: false into the chroot's definition.")  # fmt: skip


def stored_index(release: Release, file: RemoteFile, store: Store) -> Path:
    """An index of the suite; by its digest, if it can be had so: that is there while the archive is being updated."""
    if release.by_hash:
        try:
            return store.get(replace(file, url=f"{file.url.rpartition('/')[0]}/by-hash/SHA256/{file.sha256}"))
        except Missing:
            pass  # not all mirrors have it
    return store.get(file)
