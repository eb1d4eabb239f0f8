"""Who signs what is published: a folder of gpg's that only the hub's own builder reads.

No key is in the database, in a request or in a chroot: what is signed comes in as bytes, signatures go out as bytes.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chroots.engine.state import locked
from debatomic.tools.errors import CommandFailed, InputError, Kind, ToolError
from debatomic.tools.files import whole
from debatomic.tools.run import Completed, run

ALGORITHM = "rsa3072"  # what every gpgme and gpgv of a machine in the field can check
NAME = "DebAtomic signing key"
AGENT_SECONDS = 10  # that a busy machine may take to end it


@dataclass(frozen=True)
class Signer:
    """Signs with every key of `home`: while keys are changed, machines that know either one are content."""

    home: Path

    def ensure(self, name: str = NAME) -> list[str]:
        """The fingerprints; a first key is made where there is none."""
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(self.home.parent / f".{self.home.name}.lock"):
            self.home.chmod(0o700)
            return self.fingerprints() or [self._made(name)]

    def add(self, name: str = NAME) -> str:
        """Make one more key, that signs from now on beside the others; its fingerprint."""
        self.ensure(name)
        return self._made(name)

    def retire(self, fingerprint: str) -> None:
        """Remove a key, secret and public. Raises InputError if there is none such, or no other."""
        known = self.fingerprints()
        if fingerprint not in known:
            raise InputError(f"There is no key {fingerprint}; there are {', '.join(known) or 'none'}.")
        if len(known) == 1:
            raise InputError("The only key cannot be retired: nothing could be signed.", hint="Add a new one before.")
        self._gpg("--yes", "--delete-secret-and-public-key", fingerprint)

    def fingerprints(self) -> list[str]:
        """Of the keys that sign, the oldest first."""
        with self._near() as home:
            return self._listed(home)

    def _listed(self, home: str) -> list[str]:
        found, wanted = [], False
        for line in self._gpg("--with-colons", "--list-secret-keys", home=home).stdout.splitlines():
            fields = line.split(":")
            if fields[0] == "sec":
                wanted = fields[1] not in ("e", "r")  # expired, revoked
            elif fields[0] == "fpr" and wanted:
                found.append(fields[9])
                wanted = False
        return found

    def public(self) -> bytes:
        """The public keys as one ASCII-armoured text."""
        return self._made_file("--armor", "--export", *self.fingerprints())

    def sign(self, content: bytes, key: str) -> bytes:
        """A detached signature by the key of this fingerprint. Raises ToolError when gpg gives none."""
        return self._made_file("--local-user", f"{key}!", "--detach-sign", stdin=content)

    def signatures(self, content: bytes) -> bytes:
        """One ASCII-armoured file of detached signatures, by every key."""
        return self._made_file("--armor", *_users(self.ensure()), "--detach-sign", stdin=content)

    def signed_release(self, text: bytes) -> tuple[bytes, bytes]:
        """InRelease and Release.gpg of a Release file, signed by every key. Raises ToolError when gpg gives none."""
        if self.home.is_dir():
            with self._near() as home:  # one agent for all of it: it starts and ends slower than it signs
                if users := _users(self._listed(home)):
                    return (self._made_file(*users, "--clear-sign", stdin=text, home=home),
                            self._made_file("--armor", *users, "--detach-sign", stdin=text, home=home))  # fmt: skip
        self.ensure()
        return self.signed_release(text)

    def enclosed(self, content: bytes, key: str) -> bytes:
        """A signed message by the key of this fingerprint, the content inside."""
        return self._made_file("--local-user", f"{key}!", "--sign", stdin=content)

    def _made(self, name: str) -> str:
        before = self.fingerprints()
        self._gpg("--yes", "--quick-gen-key", name, ALGORITHM, "sign", "never")
        return next(each for each in self.fingerprints() if each not in before)

    def _made_file(self, *args: str, stdin: bytes | None = None, home: str = "") -> bytes:
        with tempfile.TemporaryDirectory(prefix="gpg-") as folder:
            output = Path(folder) / "output"
            self._gpg("--output", os.fspath(output), *args, stdin=stdin, home=home)
            return output.read_bytes()

    def _gpg(self, *args: str, stdin: bytes | None = None, home: str = "") -> Completed:
        """Run it, in a home of its own or in the one that `_near` gave."""
        if not home:
            with self._near() as alone:
                return self._gpg(*args, stdin=stdin, home=alone)
        command = ["gpg", "--homedir", home, "--batch", "--no-tty", "--quiet", "--no-auto-check-trustdb",
                   "--pinentry-mode", "loopback", "--passphrase", "", *args]  # fmt: skip
        try:
            return run(command, stdin=stdin, capture=True)
        except CommandFailed as error:
            raise ToolError(f"The signing key in {self.home} does not work: {error}", kind=Kind.INFRASTRUCTURE,
                            lines=error.lines) from error  # fmt: skip

    @contextmanager
    def _near(self) -> Iterator[str]:
        """The home under a short name, as the agent's socket needs it; the agent ends with the block.

        One at a time: whoever ends an agent would end it for others, too, and one that is ending answers nobody.
        """
        if not self.home.is_dir():
            raise ToolError(f"There is no signing key in {self.home}.", kind=Kind.INFRASTRUCTURE,
                            hint="The hub's builder makes one when it starts.")  # fmt: skip
        lock = locked(self.home.parent / f".{self.home.name}.agent.lock")
        with lock, tempfile.TemporaryDirectory(prefix="gpg-") as folder:
            home = f"{folder}/home"
            Path(home).symlink_to(self.home.absolute())
            try:
                yield home
            finally:
                run(["gpgconf", "--homedir", home, "--kill", "gpg-agent"], check=False)
                self._until_gone()

    def _until_gone(self) -> None:
        """gpgconf only asks the agent to end; its socket goes when it does."""
        end = time.monotonic() + AGENT_SECONDS
        while (self.home / "S.gpg-agent").exists() and time.monotonic() < end:
            time.sleep(0.01)


def _users(keys: list[str]) -> list[str]:
    """gpg's words for signing with these."""
    return [word for key in keys for word in ("--local-user", f"{key}!")]


def write_public(signer: Signer, path: Path) -> None:
    """Where machines and people get the public keys from."""
    text = signer.public()
    if not path.is_file() or path.read_bytes() != text:
        with whole(path) as file:
            file.write(text)
