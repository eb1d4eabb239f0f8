"""What travels from a builder host: the repository as one tar, disks that are not, compressed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from composes.pipeline.delivery import replacing
from composes.pipeline.publishing.publish import export_repo
from debatomic.tools.errors import Kind, ToolError
from debatomic.tools.files import sha256, write_json
from debatomic.tools.run import run

Deliverable = dict[str, Any]


def pack(output: Path, told: Callable[[float, str], object]) -> dict[str, Any]:
    """Pack a finished compose's folder; the report that is then in its `result.json`, of a failure too."""
    report: dict[str, Any] = json.loads((output / "result.json").read_text())
    try:
        _pack(output, report, told)
    except (ToolError, OSError) as error:
        kind = error.kind if isinstance(error, ToolError) else Kind.DISK
        report |= {"ok": False, "reason": f"The compose could not be packed: {error}", "kind": kind.value}
    write_json(output / "result.json", report)
    return report


def _pack(output: Path, report: dict[str, Any], told: Callable[[float, str], object]) -> None:
    if report["commit"] and (output / "repo").is_dir():
        told(0.0, "pack the repository")
        tar = output / "repo.tar"
        with replacing(tar) as made:
            export_repo(output / "repo", made)
        facts = {"ref": report["ref"], "commit": report["commit"], "version": report["version"]}
        report["deliverables"].append(_deliverable(tar, "commit", facts))
    for index, each in enumerate(report["deliverables"]):
        if each["kind"] in ("raw", "vhd"):
            told(0.3, "compress the disk")
            report["deliverables"][index] = _compressed(output / each["path"], each["kind"], each["facts"])


def _compressed(disk: Path, kind: str, facts: dict[str, Any]) -> Deliverable:
    target = disk.with_name(f"{disk.name}.zst")
    with replacing(target) as made:
        run(["zstd", "-q", "-3", "-T0", "--rm", os.fspath(disk), "-o", os.fspath(made)])
    return _deliverable(target, kind, facts)


def _deliverable(path: Path, kind: str, facts: dict[str, Any]) -> Deliverable:
    return {"name": path.name, "kind": kind, "path": path.name, "sha256": sha256(path), "size": path.stat().st_size,
            "facts": facts}  # fmt: skip
