"""What hosts do for a trial: the engine's verb `try`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings

from chroots.methods import announce, of_definition, of_mirror
from chroots.models import ChrootCopy
from chroots.trying.submitting import TRY
from hosts.models import Artifact, State, Task
from hosts.registry import Job, KeptFile, Method, Outcome, program, register

DIFFERENCE = "difference.json"
TEXTS = {".txt", ".log", ".text"}


def try_command(job: Job) -> list[str]:
    """The engine's command, with the uploaded files fetched from the hub."""
    request = job.request
    named = {"--install": request["packages"], "--copy-in": _fetched(job), "--copy-out": request["places"]}
    limits = {f"--{name.replace('_', '-')}": value for name, value in job.limits.items() if value}
    return program(
        "chroots.engine", "try", request["chroot"], "--output", job.output, "--state", settings.STATE,
        *(str(word) for option, values in named.items() for value in values for word in (option, value)),
        *(str(word) for pair in limits.items() for word in pair), "--user", request["user"],
        *([f"--run={request['script']}"] if request["script"].strip() else []),
        *(["--network"] if request["network"] else []), *of_definition(job), *of_mirror(job),
    )  # fmt: skip


def _fetched(job: Job) -> list[Path]:
    folder = job.folder / "given"
    folder.mkdir()
    for file in job.request["files"]:
        job.fetch(file["sha256"], folder / file["name"])
    return [folder / file["name"] for file in job.request["files"]]


def try_outcome(job: Job) -> Outcome:
    """Keep what was copied out, and the difference."""
    result: dict[str, Any] = json.loads((job.output / "result.json").read_text())
    shown = ("status", "changes", "missing", "files", "phases", "base", "seconds")
    difference = KeptFile(path=job.output / DIFFERENCE, name=DIFFERENCE, kind=Artifact.Kind.METADATA,
                          media_type="application/json")  # fmt: skip
    copied = (_copied(job.output / file["name"]) for file in result["files"])
    told = {**{name: result[name] for name in shown}, "installed": len(result["installed"])}
    return Outcome(result=told, files=(difference, *copied))


def _copied(path: Path) -> KeptFile:
    media_type = "text/plain" if path.suffix in TEXTS else "application/octet-stream"
    return KeptFile(path=path, name=path.name, kind=Artifact.Kind.OTHER, media_type=media_type)


def try_changed(task: Task) -> None:
    """Remember the base it used, and tell pages."""
    if task.state == State.COMPLETED:
        ChrootCopy.objects.note(task.request["chroot"], task)
    announce(task)


def sweep(job: Job) -> list[str]:
    """Remove what a killed program of this host left."""
    return program("chroots.engine", "sweep", "--state", settings.STATE)


def caches(request: dict[str, Any]) -> tuple[str, ...]:
    """The chroot's base."""
    return (request["chroot"],) if "chroot" in request else ()


def register_trials() -> None:
    register(Method(name=TRY, command=try_command, outcome=try_outcome, after=sweep, changed=try_changed,
                    caches=caches, right="chroots.try"))  # fmt: skip
