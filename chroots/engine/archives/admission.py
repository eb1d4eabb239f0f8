"""How one gets into an archive that is not open to all: from a file that only root reads; it never leaves this host."""

from __future__ import annotations

import base64
import os
import ssl
import stat
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from chroots.engine.configuration.places import parse_mapping
from chroots.engine.configuration.values import known
from debatomic.tools.errors import InputError

KEYS = ("user", "password", "certificate", "certificate_key")


@dataclass(frozen=True, kw_only=True)
class Secret:
    """A name and password, or a client certificate with its key, or both."""

    user: str = ""
    password: str = field(default="", repr=False)
    certificate: str = ""  # path
    certificate_key: str = ""  # path

    @property
    def header(self) -> dict[str, str]:
        """For a request over HTTP."""
        if not self.user:
            return {}
        word = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return {"Authorization": f"Basic {word}"}

    def context(self) -> ssl.SSLContext | None:
        if not self.certificate:
            return None
        context = ssl.create_default_context()
        context.load_cert_chain(self.certificate, self.certificate_key or None)
        return context


def read_secret(path: Path) -> Secret:
    """What a secret file says. Raises: InputError that tells none of it."""
    require_private(path)
    values = parse_mapping(path.read_text(), str(path))
    known(values, KEYS)
    for key, value in values.items():
        if not isinstance(value.content, str) or any(character.isspace() for character in value.content):
            raise InputError(f"{value.where}: {key} must be text in quotes without spaces.")
    secret = Secret(**{key: value.content for key, value in values.items()})
    if bool(secret.user) != bool(secret.password) or not (secret.user or secret.certificate):
        raise InputError(f"{path} must have the keys user and password, or certificate (and certificate_key).")
    if secret.certificate:
        require_private(Path(secret.certificate_key or secret.certificate))
    return secret


def require_private(path: Path) -> None:
    """Refuse a secret that others could read, or that is theirs."""
    try:
        found = path.stat()
    except OSError as error:
        raise InputError(f"The secret file {path} cannot be read: {error.strerror}.") from error
    if not stat.S_ISREG(found.st_mode) or found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o077:
        raise InputError(f"The secret file {path} can be read by others than root, so it is not used.",
                         hint=f"chown root {path} && chmod 600 {path}")  # fmt: skip


def apt_configuration(admissions: dict[str, Secret], folder: Path) -> Path:
    """A file for apt, in `folder`, to get in at these addresses; it names what is secret and does not hold it."""
    auth = folder / "auth.conf"
    with os.fdopen(os.open(auth, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        for address, secret in admissions.items():
            if secret.user:
                file.write(f"machine {address} login {secret.user} password {secret.password}\n")
    lines = [f'Dir::Etc::netrc "{auth}";', 'APT::Sandbox::User "root";']
    for address, secret in admissions.items():
        host = urlsplit(address).hostname
        if secret.certificate:
            lines.append(f'Acquire::https::{host}::SslCert "{secret.certificate}";')
            lines.append(f'Acquire::https::{host}::SslKey "{secret.certificate_key or secret.certificate}";')
    (folder / "apt.conf").write_text("\n".join([*lines, ""]))
    return folder / "apt.conf"
