"""The other way to a base: debootstrap makes it, and its own apt adds what debootstrap knows nothing of."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from chroots.engine.archives.repositories import Sources
from chroots.engine.isolation.unprivileged import is_host_root
from chroots.engine.spec import ChrootSpec
from debatomic.tools.errors import InputError
from debatomic.tools.run import Output, run

VARIANTS = ("buildd", "minbase")
ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive"}
INSTALL = ("apt-get", "-y", "-q", "-o", "Dpkg::Use-Pty=0", "-o", "APT::Sandbox::User=root")


def require_possible(spec: ChrootSpec, mirror: str) -> None:
    """Refuse what only mmdebstrap can do. Raises: InputError"""
    wrong = ""
    if spec.variant not in VARIANTS:
        wrong = f"has the variants {' and '.join(VARIANTS)}, not {spec.variant}"
    elif closed := next((each.name for each in spec.repositories if each.secret), ""):
        wrong = f"cannot be told the secret of the repository {closed}"
    elif mirror.startswith("file:") or any(uri.startswith("file:") for each in spec.repositories for uri in each.uris):
        wrong = "does not take an archive that is a folder of this host"
    if wrong:
        raise InputError(f"The base of {spec.name} cannot be made: debootstrap {wrong}.",
                         hint="Write bootstrap: mmdebstrap into its definition.")  # fmt: skip


def debootstrap_command(spec: ChrootSpec, mirror: str, tree: Path) -> list[str]:
    """debootstrap's command line; the packages of the definition come later, from all its repositories."""
    return [
        "debootstrap", f"--arch={spec.architecture}", f"--variant={spec.variant}", "--force-check-gpg",
        f"--components={','.join(spec.components)}", f"--keyring={spec.keyring}", *spec.bootstrap_options,
        spec.suite, os.fspath(tree), mirror,
    ]  # fmt: skip


def apt_settings(spec: ChrootSpec) -> str:
    """What mmdebstrap would have said to apt."""
    lines = ['Acquire::Languages "none";', 'APT::Install-Recommends "false";']
    return "\n".join([*lines, *([] if spec.check_valid_until else ['Acquire::Check-Valid-Until "false";']), ""])


def steps(spec: ChrootSpec) -> list[list[str]]:
    """What is run in the new tree, one after the other."""
    foreign = [["dpkg", "--add-architecture", name] for name in spec.foreign_architectures]
    packages = [[*INSTALL, "install", *spec.packages]] if spec.packages else []
    return [*foreign, ["apt-get", "-q", "update"], [*INSTALL, "dist-upgrade"], *packages, ["apt-get", "clean"]]


def debootstrap(spec: ChrootSpec, mirror: str, tree: Path, more: Sources, log: Output, *, env: Mapping[str, str],
                time_limit: float, idle_limit: float) -> None:  # fmt: skip
    """Make the tree. Raises: CommandFailed, TimedOut, InputError"""
    require_possible(spec, mirror)
    if not is_host_root():
        raise InputError(f"The base of {spec.name} cannot be made: debootstrap needs root on the host.",
                         hint="Use sudo, or write bootstrap: mmdebstrap into its definition.")  # fmt: skip
    run(debootstrap_command(spec, mirror, tree), log=log, env=env, time_limit=time_limit, idle_limit=idle_limit)
    (tree / "etc/apt/apt.conf.d/99debootstrap").write_text(apt_settings(spec))
    for file in more.files:
        shutil.copyfile(file, tree / "etc/apt/sources.list.d" / file.name)
    for step in steps(spec):
        run(
            ["chroot", os.fspath(tree), *step],
            log=log,
            env={**ENVIRONMENT, **env},
            time_limit=time_limit,
            idle_limit=idle_limit,
        )
