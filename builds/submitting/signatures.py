"""Who signed a source package, judged by the keys its target names."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from django.db import models

from chroots.engine.archives import dsc, openpgp
from debatomic.tools.errors import InputError
from debatomic.tools.run import run

if TYPE_CHECKING:
    from builds.models import Target

BEGIN = "-----BEGIN PGP SIGNED MESSAGE-----"
SIGNED = re.compile(rf"{BEGIN}\r?\n(?:(?!{BEGIN}).)*?\n-----END PGP SIGNATURE-----\s*", re.DOTALL)
FINGERPRINT = re.compile(r"[0-9A-F]{40}|[0-9A-F]{64}")
STATUS = "[GNUPG:] "
EXPIRED = {"EXPKEYSIG": "the key has expired", "REVKEYSIG": "the key is revoked",
           "EXPSIG": "the signature has expired"}  # fmt: skip


class Checking(models.TextChoices):
    """What a target does about signatures of what is uploaded. The archive's own signature is always checked."""

    IGNORED = "ignored", "not looked at"
    INFORMATIVE = "informative", "shown"
    REQUIRED = "required", "required"


@dataclass(frozen=True, kw_only=True)
class Signature:
    """What is known of it, as a sentence; `by` is the fingerprint of a key that the target names, else empty."""

    told: str = ""
    by: str = ""


NOT_CHECKED = Signature()


def examine(target: Target, path: Path) -> Signature:
    """Judge the clear signature of a `.dsc` or `.changes`. Raises InputError for a bad one, and what is required."""
    if target.signatures == Checking.IGNORED:
        return NOT_CHECKED
    found = _judged(path, target.keyring, target.fingerprints.split())
    if target.signatures == Checking.REQUIRED and not found.by:
        raise InputError(
            f"{target} takes only what a key it names has signed; {path.name}: {found.told}",
            hint="debsign signs it.", field="files",
        )  # fmt: skip
    return found


def require_known(target: Target, origin: str, found: Signature) -> None:
    """What `examine` found out, perhaps long ago, by the target's demand of today. Raises InputError (field files).

    Source packages of the archive are signed by it. Keys that were taken out of the keyring count no more.
    """
    if target.signatures != Checking.REQUIRED or origin == "archive":
        return
    if not found.by or found.by not in _known(target):
        raise InputError(f"{target} takes only what a key it names has signed.",
                         hint="Sign it with debsign, and upload it anew.", field="files")  # fmt: skip


def _known(target: Target) -> set[str]:
    """Fingerprints of the primary keys that may sign for it, or whose subkeys may."""
    keyring = target.keyring.encode()
    primary = set(openpgp.fingerprints(openpgp.binary(keyring, "The keyring"))) if keyring else set()
    only = set(target.fingerprints.split())
    return primary & only if only and only <= primary else primary


def checked_keyring(text: str) -> str:
    """The keys as they were given. Raises InputError, field keyring."""
    if text.strip():
        openpgp.binary(text.encode(), "The keyring")
    return text.strip() + "\n" if text.strip() else ""


def checked_fingerprints(text: str) -> str:
    """Fingerprints one a line, as gpg shows them or without spaces. Raises InputError, field fingerprints."""
    lines = ["".join(line.split()).upper() for line in text.splitlines() if line.strip()]
    for line in lines:
        if not FINGERPRINT.fullmatch(line):
            raise InputError(f"“{line:.70}” is no fingerprint: 40 or 64 digits, one key a line.", field="fingerprints")
    return "\n".join(lines)


def _judged(path: Path, keyring: str, only: list[str]) -> Signature:
    text = path.read_text(encoding="utf-8", errors="replace") if path.stat().st_size <= dsc.LIMIT else ""
    if BEGIN not in text:
        return Signature(told="not signed.")
    if not SIGNED.fullmatch(text):
        raise InputError(f"{path.name} has more in it than one signed text.", field="files")
    if not keyring:
        return Signature(told="signed, but the target names no keys to check it with.")
    with tempfile.TemporaryDirectory(prefix="debatomic-gpgv-") as name:
        keys, said = Path(name, "keys.gpg"), Path(name, path.name)
        keys.write_bytes(openpgp.binary(keyring.encode(), "The keyring"))
        done = run(["gpgv", "--status-fd", "1", "--keyring", os.fspath(keys), "--output", os.fspath(said),
                    os.fspath(path)], capture=True, check=False, time_limit=60)  # fmt: skip
        states = _states(done.stdout)
        if "BADSIG" in states:
            raise InputError(f"{path.name} was altered after it was signed.", hint="Sign it again.", field="files")
        if said.exists() and dict(dsc.control_fields(said)) != dict(dsc.control_fields(path)):
            raise InputError(f"{path.name} says something beside what is signed.", field="files")
    return _verdict(states, only)


def _states(output: str) -> dict[str, list[str]]:
    """gpgv's status lines by their first word."""
    lines = (line.removeprefix(STATUS).split() for line in output.splitlines() if line.startswith(STATUS))
    return {line[0]: line[1:] for line in lines if line}


def _verdict(states: Mapping[str, list[str]], only: list[str]) -> Signature:
    for word, why in EXPIRED.items():
        if word in states:
            return Signature(told=f"signed by {_name(states[word])}, but {why}.")
    if "GOODSIG" not in states or "VALIDSIG" not in states:
        key = (states.get("NO_PUBKEY") or states.get("ERRSIG") or ["unknown"])[0]
        return Signature(told=f"signed by the key {key}, which the target does not name.")
    valid = states["VALIDSIG"]
    fingerprints = {valid[0], valid[-1]}  # of the key that signed, and of its primary key
    name = _name(states["GOODSIG"])
    if only and not fingerprints & set(only):
        return Signature(told=f"signed by {name} ({valid[-1]}), whose fingerprint the target does not name.")
    return Signature(told=f"signed by {name}.", by=valid[-1])


def _name(words: list[str]) -> str:
    """Of a key's owner; the first word is the key."""
    return " ".join(words[1:])[:120] or words[0]
