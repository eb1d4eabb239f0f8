"""A container image to a registry, by skopeo: the same bytes, so the same digest."""

from __future__ import annotations

import argparse
import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from composes.pipeline.container.archive import index
from debatomic.tools.errors import CommandFailed, InputError, Kind, ToolError
from debatomic.tools.run import run

TARGET = re.compile(
    r"^(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]{1,5})?)(?P<name>(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)+)"
    r":(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})\Z"
)
LONGEST = 3600.0  # seconds
SAID = re.compile(r'msg="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, kw_only=True)
class Registry:
    """How to get in: `credentials` is a file as `skopeo login --authfile` writes it; `tls` off is for tests."""

    credentials: Path | None = None
    tls: bool = True


def push(source: Path, targets: Sequence[str], registry: Registry) -> str:
    """Bring an OCI archive to each of `targets`, as registry.example.org/debian/minimal:13.20261121.0. Its digest.

    Raises InputError for a wrong target or archive, ToolError with what the registry said.
    """
    for target in targets:
        if not TARGET.match(target):
            raise InputError(f"{target} names no image; write it as registry.example.org/debian/minimal:latest.")
    try:
        with source.open("rb") as file:
            digest = index(file).manifest
    except OSError as error:
        raise InputError(f"There is no OCI archive {source}: {error.strerror}.") from error
    for target in targets:
        _run(copy_command(source, target, registry), target)
        there = _run(inspect_command(target, registry), target)
        if f"sha256:{hashlib.sha256(there.encode()).hexdigest()}" != digest:
            raise ToolError(f"{target} is not the image {digest} after the push.", kind=Kind.INFRASTRUCTURE,
                            hint="Did somebody else push to it?")  # fmt: skip
    return digest


def copy_command(source: Path, target: str, registry: Registry) -> list[str]:
    return [
        "skopeo", "copy", "--insecure-policy", "--preserve-digests", "--quiet",
        f"--dest-tls-verify={str(registry.tls).lower()}", *_credentials(registry, "--dest-authfile"),
        f"oci-archive:{source}", f"docker://{target}",
    ]  # fmt: skip


def inspect_command(target: str, registry: Registry) -> list[str]:
    return ["skopeo", "inspect", "--raw", f"--tls-verify={str(registry.tls).lower()}",
            *_credentials(registry, "--authfile"), f"docker://{target}"]  # fmt: skip


def _credentials(registry: Registry, option: str) -> list[str]:
    return [option, os.fspath(registry.credentials)] if registry.credentials else []


def _run(command: Sequence[str], target: str) -> str:
    try:
        return run(command, capture=True, time_limit=LONGEST, env={"TMPDIR": "/var/tmp"}).stdout  # noqa: S108
    except CommandFailed as error:
        said = SAID.findall(error.tail)
        reason = said[-1].replace('\\"', '"') if said else str(error)
        raise ToolError(f"{target} could not be pushed: {reason.rstrip('.')}.", kind=Kind.INFRASTRUCTURE,
                        lines=error.lines) from error  # fmt: skip


def options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--from", dest="source", type=Path, required=True, help="an OCI archive: container.oci.tar")
    verb.add_argument("--to", dest="targets", action="append", required=True, metavar="HOST/NAME:TAG",
                      help="where to; several tags are several --to")  # fmt: skip
    verb.add_argument("--authfile", type=Path, metavar="FILE", help="as `skopeo login --authfile FILE HOST` writes it")
    verb.add_argument("--plain-http", action="store_true", help="the registry has no TLS, or a certificate of its own")


def command(options: argparse.Namespace, _: Sequence[str]) -> int:
    """The verb `push`."""
    registry = Registry(credentials=options.authfile, tls=not options.plain_http)
    digest = push(options.source, options.targets, registry)
    print(f"{', '.join(options.targets)} is now {digest}", flush=True)
    return 0
