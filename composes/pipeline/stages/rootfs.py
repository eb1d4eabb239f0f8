"""The installed tree made bootable and atomic: initramfs, layout, lint."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from chroots.engine.archives import openpgp
from composes.pipeline.customized import applying
from composes.pipeline.graph import Facts, Stage
from composes.pipeline.job import Job, Order
from composes.pipeline.programs import checked
from composes.pipeline.store import ResultStore
from composes.pipeline.system import first_boot, layout, systemd_boot
from composes.pipeline.system.initramfs import Initramfs
from composes.pipeline.system.inside import inside
from composes.pipeline.system.jailing import Cell, cell
from composes.pipeline.system.layout import LayoutOptions
from composes.pipeline.system.lint import Finding, lint
from composes.pipeline.treefiles.marks import place_of
from composes.pipeline.treefiles.options import TEXT, takes
from debatomic.tools.errors import CommandFailed, InputError

BOOTC_ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}
PAST = {"enable": "enabled", "disable": "disabled", "mask": "masked"}
APT_SOURCES = """\
Types: deb
URIs: http://deb.debian.org/debian
Suites: {suite}
Components: {components}
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""


def options(order: Order) -> Facts:
    wanted = order.tree.part("kargs", "enable", "disable", "mask", "purge_packages", "suite", "components",
                             "customizations", "first_boot")  # fmt: skip
    image = order.tree.image
    return {**wanted, "trusted_keys": order.trusted_keys, "filesystem": image.filesystem,
            "bootloader": image.bootloader}  # fmt: skip


def make(job: Job) -> Facts:
    """Leaves `tree` with /usr/etc instead of /etc, as OSTree wants it."""
    root = job.folder / "tree"
    job.progress.report(0.6, "copying the installed tree")
    checked(["cp", "-a", "--reflink=auto", os.fspath(job.input("tree", "tree")), os.fspath(root)])
    with cell(root, job.folder) as jail:
        version = _completed(job, jail)
    job.progress.report(0.9, "layout and lint")
    for name in inside(root, layout.transform, _layout_options(job)):
        job.log.line(f"dropped {name}")
    applying.finish(root, job.tree.customizations)
    findings: list[Finding] = inside(root, lint)
    _tell(job, findings)
    inside(root, _move_etc)
    return {"kernel": version, "lint": [{"rule": each.rule, "fatal": each.fatal, "details": each.details[:20]}
                                        for each in findings]}  # fmt: skip


def _completed(job: Job, jail: Cell) -> str:
    """All that takes programs of the tree; the version of its kernel."""
    root = jail.root
    _purge_packages(job, jail)
    version: str = inside(root, layout.prepare_boot, _composefs(job, jail))
    inside(root, first_boot.prepare, job.tree.first_boot)
    if job.tree.image.bootloader == "systemd-boot":
        inside(root, systemd_boot.prepare, job.tree.image.bootloader)
    job.progress.report(0.7, "initramfs")
    applying.apply(root, job.tree.customizations, lambda args: _in_tree(jail, args, job))
    _set_units(job, jail)
    _make_initramfs(job, jail, version)
    return version


def _composefs(job: Job, jail: Cell) -> str:
    """Whether the root is a composefs: yes, where the tree's ostree can; bootc takes maybe as well."""
    if not (jail.root / "usr/bin/ostree").exists():
        return "maybe"
    shown = jail.run(["ostree", "--version"], capture=True).stdout
    can = "composefs" in {line.strip("- '\"\t") for line in shown.splitlines()}
    job.log.line(f"the tree's ostree was built {'with' if can else 'without'} composefs")
    return "yes" if can else "maybe"


def _move_etc(root: Path) -> None:
    (root / "etc").rename(root / "usr/etc")


def _in_tree(jail: Cell, args: Sequence[str], job: Job, **more: str) -> None:
    env = {"SOURCE_DATE_EPOCH": str(job.inputs["tree"].facts["date"]), "DEBIAN_FRONTEND": "noninteractive",
           "TMPDIR": "/var/tmp", **more}  # noqa: S108 # fmt: skip
    jail.run(args, log=job.log, env=env)


def _purge_packages(job: Job, jail: Cell) -> None:
    for name in job.tree.purge_packages:
        try:
            _in_tree(jail, ["dpkg", "--purge", "--force-remove-essential", name], job)
        except CommandFailed as error:
            raise InputError(f"{place_of(name) or 'purge-packages'}: {name} cannot be removed: {_last(error)}.",
                             hint="Another package needs it.", lines=error.lines) from error  # fmt: skip


def _last(error: CommandFailed) -> str:
    """What a program said last."""
    return (error.lines or [str(error)])[-1].strip().rstrip(".")


def _set_units(job: Job, jail: Cell) -> None:
    for verb, names in (("enable", job.tree.enable), ("disable", job.tree.disable), ("mask", job.tree.mask)):
        for name in names:
            try:
                _in_tree(jail, ["systemctl", verb, name], job)
            except CommandFailed as error:
                where = place_of(name) or "units"
                raise InputError(f"{where}: the unit {name} cannot be {PAST[verb]}: {_last(error)}.",
                                 hint="Is the package that has it among packages?") from error  # fmt: skip


def _make_initramfs(job: Job, jail: Cell, version: str) -> None:
    def run(args: Sequence[str], *, captured: bool = False, **more: str) -> str:
        if captured:
            return jail.run(args, capture=True).stdout
        _in_tree(jail, args, job, **more)
        return ""

    kept = Initramfs(root=jail.root, version=version).have(ResultStore(job.order.state), run, again=job.again)
    job.log.line(f"initramfs {'kept: nothing changed that it is made of' if kept else 'made'}")


def _layout_options(job: Job) -> LayoutOptions:
    tree = job.tree
    text = APT_SOURCES.format(suite=tree.suite, components=" ".join(tree.components))
    keys = openpgp.binary(job.order.trusted_keys.encode(), "trusted keys") if job.order.trusted_keys else b""
    return LayoutOptions(trusted_keys=keys, kargs=tuple(map(str, tree.kargs)), apt_sources=text,
                         filesystem=tree.image.filesystem, esp_written=tree.image.bootloader == "systemd-boot",
                         bootc_architecture=BOOTC_ARCHITECTURES[tree.architecture])  # fmt: skip


def _tell(job: Job, findings: Sequence[Finding]) -> None:
    for each in findings:
        level = "error" if each.fatal else "warning"
        job.log.line(f"lint {level}: {each.rule}: {'; '.join(each.details[:20])}")


STAGE = Stage(name="rootfs", phase="rootfs", make=make, needs=("tree",), options=options, revision=2,
              schema=takes("kargs", "enable", "disable", "mask", "purge_packages", "suite", "components",
                           "customizations", "first_boot", trusted_keys=TEXT, filesystem=TEXT,
                           bootloader=TEXT))  # fmt: skip
