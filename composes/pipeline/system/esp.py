"""The EFI system partition's content for systemd-boot, as the machine itself would bring it up to date."""

from __future__ import annotations

from pathlib import Path

from composes.pipeline.job import Job
from composes.pipeline.system import systemd_boot
from debatomic.tools.errors import Kind, ToolError


def fill(job: Job, sysroot: Path, folder: Path) -> None:
    """Loader, kernels and entries of the one deployment in `sysroot`."""
    script = job.folder / "esp-sync"
    script.write_text(systemd_boot.SYNC_SCRIPT)
    found = sorted((sysroot / "ostree/deploy").glob(f"*/deploy/*.0/{systemd_boot.PROGRAM}"))
    if len(found) != 1:
        raise ToolError(f"The deployment has no {systemd_boot.PROGRAM}.", kind=Kind.INTERNAL)
    job.tools.run(["sh", script, sysroot, folder, found[0]])
    script.unlink()
