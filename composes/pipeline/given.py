"""Results that another host made: their names and facts, and for some the files, which travel as one file each."""

from __future__ import annotations

import json
import os
import re
import shutil
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from composes.pipeline.delivery import replacing
from composes.pipeline.graph import Facts, Result
from composes.pipeline.publishing.publish import as_folder
from debatomic.tools.errors import InputError, Kind, ToolError
from debatomic.tools.files import link_or_copy
from debatomic.tools.run import run

IDENTITY = re.compile(r"[a-z0-9][a-z0-9-]*-[0-9a-f]{32}")
ROOTFS = "stage-rootfs.tar.zst"


@dataclass(frozen=True, kw_only=True)
class Given:
    """One stage's result; `archive` is None where it must be in this host's store already, or is made again."""

    stage: str
    identity: str
    facts: Facts
    archive: Path | None = None

    def restore(self, folder: Path) -> Facts:
        """Fill a stage's folder from the archive. Raises ToolError where there is none any more, or it is damaged."""
        if self.archive is None:
            raise ToolError(f"The result of {self.stage} was removed meanwhile.", kind=Kind.INFRASTRUCTURE)
        try:
            UNPACKED[self.stage](self.archive, folder)
        except (ToolError, OSError, tarfile.TarError) as error:
            raise ToolError(f"The result of {self.stage} that another host made cannot be unpacked: {error}",
                            kind=Kind.INFRASTRUCTURE) from error  # fmt: skip
        return self.facts


def read(path: Path) -> dict[str, Given]:
    """`{stage: {"identity", "facts", "archive": PATH or ""}}`. Raises InputError."""
    try:
        content: dict[str, dict[str, Any]] = json.loads(path.read_text())
        return {name: _given(name, each) for name, each in content.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} lists no results of stages: {error}.") from error


def _given(stage: str, content: Mapping[str, Any]) -> Given:
    if not IDENTITY.fullmatch(content["identity"]) or not content["identity"].startswith(f"{stage}-"):
        raise ValueError(f"{content['identity']} is no name of a result of {stage}")
    archive = Path(content["archive"]) if content.get("archive") and stage in UNPACKED else None
    return Given(stage=stage, identity=content["identity"], facts=dict(content["facts"]), archive=archive)


def same(given: Given, made: Result) -> None:
    """Raises ToolError where this host made another thing than the one that was given."""
    wanted = given.facts.get("digest")
    if wanted and made.digest != wanted:
        raise ToolError(f"This host made {made.stage} {made.digest}, but the compose has {wanted}.",
                        hint="What decides it changed meanwhile; compose anew.", kind=Kind.INFRASTRUCTURE)  # fmt: skip


def told(results: Mapping[str, Result]) -> dict[str, Any]:
    """What other hosts must know of these results, for their `--given`."""
    return {name: {"identity": each.identity, "facts": each.facts} for name, each in results.items()
            if name in UNPACKED}  # fmt: skip


def share(results: Mapping[str, Result], output: Path) -> dict[str, str]:
    """Pack what does not travel anyway, into the output folder: file names by stage."""
    if "rootfs" not in results:
        return {}
    with replacing(output / ROOTFS) as made:
        run(["tar", *AS_IT_IS, "--use-compress-program=zstd -3 -T0", "-cf", os.fspath(made),
             "-C", os.fspath(results["rootfs"].folder), "tree"])  # fmt: skip
    return {"rootfs": ROOTFS}


AS_IT_IS = ("--numeric-owner", "--xattrs", "--xattrs-include=*", "--acls", "--sparse")


def _lock(archive: Path, folder: Path) -> None:
    shutil.copyfile(archive, folder / "lock.json")


def _repository(archive: Path, folder: Path) -> None:
    with as_folder(archive, folder):  # it is that of the stage then
        link_or_copy(archive, folder / "repo.tar")


def _tree(archive: Path, folder: Path) -> None:
    run(["tar", *AS_IT_IS, "--same-owner", "--preserve-permissions", "--use-compress-program=zstd -d", "-xf",
         os.fspath(archive), "-C", os.fspath(folder)])  # fmt: skip


UNPACKED: dict[str, Callable[[Path, Path], None]] = {"gather": _lock, "rootfs": _tree, "commit": _repository}
