"""`debatomic files` and `debatomic attestation`: where a file is, and who built a package of what."""

from __future__ import annotations

import json
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from builds.attesting.envelope import opened, signed_bytes
from chroots.engine.archives import openpgp
from debatomic.client import downloads
from debatomic.client.answers import answer
from debatomic.client.hub import Hub
from debatomic.client.screen import Screen, harmless
from debatomic.tools.errors import CommandFailed, InputError
from debatomic.tools.files import sha256
from debatomic.tools.run import run


def files_options(made: ArgumentParser) -> None:
    made.add_argument("name", metavar="NAME", help="libfoo.so.1, libfoo*, bin/foo or /usr/bin/foo")
    made.add_argument("--tag", default="", metavar="T", help="only what is in this tag now")
    made.add_argument("--repository", default="", metavar="SUITE", help="only what this repository has now")
    made.add_argument("--limit", type=int, default=50, metavar="N", help="at most so many packages (50)")


def files(asked: Namespace, hub: Hub) -> bool:
    """Which built packages have a file of this name; whether there is one."""
    found: list[dict[str, Any]] = []
    begin = ""
    while len(found) < asked.limit:
        page = hub.get("files/", name=asked.name, tag=asked.tag, repository=asked.repository, **{"from": begin})
        found += page["results"]
        begin = page["following"]
        if not begin:
            break
    found = found[: asked.limit]
    lines = [f"{each['name']}_{each['version']}_{each['architecture']} (build {each['build']}): /{path}"
             for each in found for path in each["paths"]]  # fmt: skip
    answer(asked, found, harmless("\n".join(lines), colours=False))
    return bool(found)


def attestation_options(made: ArgumentParser) -> None:
    made.add_argument("build", type=int, metavar="BUILD", help="its ID")
    made.add_argument("--output", type=Path, default=Path(), metavar="DIR", help="the folder to put them in (here)")
    made.add_argument("--verify", type=Path, nargs="+", metavar="FILE", help="packages that must be what was signed")
    made.add_argument("--keys", type=Path, metavar="KEYS", help="verify: the hub's public keys, from where you trust")


def attestation(asked: Namespace, hub: Hub) -> bool:
    """Fetch the signed statements of a build, and verify packages with them."""
    if asked.verify and not asked.keys:
        raise InputError("Give the public keys you trust with --keys FILE.",
                         hint=f"{hub.account.address}/repositories/keys.asc are this hub's.")  # fmt: skip
    known = list(hub.listing("attestations/", limit=100, build=asked.build))
    envelopes = [each["envelope"] for each in known if each["envelope"]]
    if not envelopes:
        raise InputError(f"Build {asked.build} has no attestation{' yet' if known else ''}.")
    paths = downloads.fetch_all(hub, envelopes, asked.output, Screen(out=sys.stderr))
    if not asked.verify:
        answer(asked, [{**each, "path": str(path)} for each, path in zip(envelopes, paths, strict=True)], "")
        return True
    statements = [verified(path, asked.keys) for path in paths]
    told = [_matched(file, statements) for file in asked.verify]
    answer(asked, told, harmless("\n".join(each["sentence"] for each in told), colours=False))
    return True


def verified(path: Path, keys: Path) -> dict[str, Any]:
    """The statement of an envelope that one of these keys signed. Raises InputError where none did."""
    try:
        payload, signatures = opened(path.read_bytes())
        packets = openpgp.binary(keys.read_bytes(), str(keys))
    except OSError as error:
        raise InputError(f"{error.filename} cannot be read: {error.strerror}.") from error
    with tempfile.TemporaryDirectory(prefix="debatomic-") as folder:
        ring, signed, signature = (Path(folder) / name for name in ("keys.gpg", "signed", "signature"))
        ring.write_bytes(packets)
        signed.write_bytes(signed_bytes(payload))
        for _, content in signatures:
            signature.write_bytes(content)
            try:
                run(["gpgv", "--keyring", str(ring), str(signature), str(signed)], capture=True)
                return dict(json.loads(payload))
            except CommandFailed:
                continue
    raise InputError(f"None of the keys in {keys} signed {path}.", hint="Do not trust it.")


def _matched(file: Path, statements: list[dict[str, Any]]) -> dict[str, Any]:
    """Which statement a file is a subject of. Raises InputError for a file that is none."""
    try:
        digest = sha256(file)
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}.") from error
    for said in statements:
        if any(subject["digest"].get("sha256") == digest for subject in said["subject"]):
            given = said["predicate"]["buildDefinition"]["externalParameters"]
            by = said["predicate"]["runDetails"]["builder"]["id"]
            sentence = (f"{file}: good. Built of {given['source']} {given['version']} for {given['target']} by {by}, "
                        f"submitted by {given['submittedBy']}.")  # fmt: skip
            return {"file": str(file), "sha256": digest, "builder": by, **given, "sentence": sentence}
    raise InputError(f"{file} is not what was signed: no statement of this build names its SHA-256 {digest}.")
