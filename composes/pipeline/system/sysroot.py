"""A sysroot in a plain folder: what will be the root file system of the disk."""

from __future__ import annotations

import shutil
from pathlib import Path

from composes.pipeline.job import Job
from composes.pipeline.publishing import caches
from composes.pipeline.publishing.ostree import Repo
from composes.pipeline.system import grub

STATEROOT = "debian"
UNSYNCED = {"OSTREE_SYSROOT_DEBUG": "mutable-deployments", "OSTREE_SYSROOT_OPTS": "skip-sync"}  # no immutable flag
BACKENDS = {"grub": "syslinux", "systemd-boot": "none"}  # libostree's
METADATA = ("commit", "commitmeta", "dirmeta", "dirtree")  # kinds of objects that are the same in every repository
FIXED_KARGS = ("rw", "systemd.gpt_auto=0")


def deploy(job: Job, source: Repo, root_uuid: str) -> Path:
    """Deploy the commit of `source` into a new sysroot.

    GRUB reads the menu that libostree writes for syslinux; for systemd-boot it writes none but its entries.
    """
    sysroot = job.folder / "sysroot"
    sysroot.mkdir()
    remote, url = job.tree.remote
    job.tools.run(["ostree", "admin", "init-fs", "--modern", sysroot])
    job.tools.run(["ostree", "admin", "stateroot-init", f"--sysroot={sysroot}", STATEROOT])
    repo = Repo(job.tools, sysroot / "ostree/repo")
    backend = BACKENDS[job.tree.image.bootloader]
    for key, value in (("readonly", "true"), ("bootprefix", "true"), ("bootloader", backend)):
        repo.do("config", "set", f"sysroot.{key}", value)
    if remote:
        verified = "true" if job.order.trusted_keys else "false"
        repo.do("remote", "add", f"--set=gpg-verify={verified}", remote, url, job.tree.ref)
    _write_boot(sysroot, job.tree.image.bootloader)
    caches.give(job, job.inputs["commit"].facts["commit"], repo)
    repo.pull(source.path, job.tree.ref, remote=remote, synced=False)
    own_metadata(repo.path / "objects")
    kargs = (f"root=UUID={root_uuid}", *FIXED_KARGS, *job.tree.kargs)  # a name may come twice: two consoles
    job.tools.widely.run(
        ["ostree", "admin", "deploy", f"--sysroot={sysroot}", f"--os={STATEROOT}",
         *(f"--karg-append={each}" for each in kargs), f"{remote}:{job.tree.ref}" if remote else job.tree.ref],
        env=UNSYNCED,
    )  # fmt: skip
    return sysroot


def own_metadata(objects: Path) -> None:
    """Metadata that ostree linked from the source becomes a copy: whoever changes its times changes them here only."""
    for kind in METADATA:
        for path in objects.glob(f"*/*.{kind}"):
            copy = path.with_name(f"{path.name}.own")
            shutil.copy2(path, copy)
            copy.replace(path)


def boot_arguments(sysroot: Path) -> str:
    """The kernel's arguments of the one deployment, as its boot entry has them."""
    entry = next((sysroot / "boot/loader/entries").glob("*.conf"))
    return next(line.partition(" ")[2] for line in entry.read_text().splitlines() if line.startswith("options "))


def _write_boot(sysroot: Path, bootloader: str) -> None:
    boot = sysroot / "boot"
    (boot / "loader.0").mkdir(parents=True, exist_ok=True)
    if not (boot / "loader").is_symlink():
        (boot / "loader").symlink_to("loader.0")
    if bootloader != "grub":
        return
    for folder in ("syslinux", "grub"):
        (boot / folder).mkdir()
    (boot / "loader/syslinux.cfg").write_text(grub.SYSLINUX_HEADER)
    (boot / "syslinux/syslinux.cfg").symlink_to("../loader/syslinux.cfg")
    (boot / "grub/grub.cfg").write_text(grub.CONFIGURATION)
