"""What hosts do for checks: fetch what a build made, and run the engine's check over it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import zstandard
from django.conf import settings

from builds.quality import gates
from builds.quality.check_models import CheckResult
from builds.quality.requests import METHOD
from builds.submitting.rebuilds import told_engine
from builds.tagging.beside import of_repository
from chroots.engine.checking.table import CHECKS
from chroots.methods import of_definition, of_mirror
from debatomic.tools.files import write_json
from hosts.models import Artifact
from hosts.registry import (
    About,
    Job,
    Keeper,
    KeptFile,
    Method,
    Outcome,
    program,
    register,
    register_keeper,
    register_round,
)

LOG = "build.log"
SHOWN = ("verdict", "summary", "decisive", "facts", "check")
TYPES = {".html": "text/html"}


def check_command(job: Job) -> list[str]:
    """The engine's command for one check."""
    request = job.request
    needs = CHECKS[request["check"]].needs if request["check"] in CHECKS else frozenset()
    folder = _fetched(job, [*request["made"], *(request.get("siblings", []) if "siblings" in needs else [])], "made")
    if request.get("log") and "log" in needs:
        job.fetch(request["log"], job.folder / "log.zst")
        with (job.folder / "log.zst").open("rb") as packed, (folder / LOG).open("wb") as log:
            zstandard.ZstdDecompressor().copy_stream(packed, log)
    earlier = request["before"] if "before" in needs else []
    earlier = [*earlier, *request.get("before_siblings", [])] if earlier and "siblings" in needs else earlier
    before: list[str | Path] = ["--before", _fetched(job, earlier, "before")] if earlier else []
    limits = {"--time-limit": "time_limit", "--idle-limit": "idle_limit", "--memory": "memory", "--disk": "disk",
              "--processors": "processors"}  # fmt: skip
    given = [str(word) for name, key in limits.items() if (value := job.limits.get(key)) for word in (name, value)]
    return program(
        "chroots.engine", "check", request["check"], folder, "--chroot", request["chroot"], "--output", job.output,
        "--state", settings.STATE, *before, *(_source(job) if "source" in needs else []), *given, *_as_built(job),
        *of_repository(job), *of_mirror(job), *of_definition(job),
    )  # fmt: skip


def _fetched(job: Job, files: Sequence[Mapping[str, str]], name: str) -> Path:
    folder = job.folder / name
    folder.mkdir()
    for file in files:
        job.fetch(file["sha256"], folder / file["name"])
    return folder


def _as_built(job: Job) -> list[str]:
    """With the same build profiles."""
    profiles = job.request.get("profiles") or []
    return [f"--profiles={','.join(profiles)}", *(["--nocheck"] if "nocheck" in profiles else [])] if profiles else []


def _source(job: Job) -> list[str | Path]:
    """The source package as it was frozen at submit: of the archive by its name, or uploaded."""
    request = job.request
    write_json(job.folder / "expect.json", {file["name"]: file["sha256"] for file in request["files"]})
    expected: list[str | Path] = ["--expect", job.folder / "expect.json", *told_engine(request)]
    if request["origin"] == "archive":
        return ["--source", request["source"], "--version", request["version"], *expected]
    folder = _fetched(job, request["files"], "source")
    described_by = next(file["name"] for file in request["files"] if file["name"].endswith(".dsc"))
    return ["--source", folder / described_by, *expected]


def check_outcome(job: Job) -> Outcome:
    """Keep the reports, and of the result what pages show."""
    result: dict[str, Any] = json.loads((job.output / "result.json").read_text())
    return Outcome(
        result={name: result[name] for name in SHOWN if name in result},
        files=tuple(_kept(job.output / name) for name in result["reports"]),
    )


def _kept(path: Path) -> KeptFile:
    return KeptFile(path=path, name=path.name, kind=Artifact.Kind.OTHER,
                    media_type=TYPES.get(path.suffix, "text/plain"))  # fmt: skip


def check_about(request: Mapping[str, Any]) -> About:
    return About(package=request.get("source", ""), target=request.get("target", ""))


def check_caches(request: dict[str, Any]) -> tuple[str, ...]:
    """The chroot's base, and the layer with the tools of this check."""
    return (request["chroot"], f"{request['chroot']} check {request['check']}") if "chroot" in request else ()


def sweep(job: Job) -> list[str]:
    return program("chroots.engine", "sweep", "--state", settings.STATE)


def kept_checks() -> Any:
    """The tasks of the checks of builds that a tag has: retention leaves them alone."""
    tagged = CheckResult.objects.filter(build__tag_entries__isnull=False, task__isnull=False)
    return tagged.order_by().values("task_id")


def register_check_methods() -> None:
    register_keeper(Keeper(kept_checks))
    register_round(gates.tend)
    register(Method(name=METHOD, command=check_command, outcome=check_outcome, after=sweep, changed=gates.changed,
                    about=check_about, caches=check_caches))  # fmt: skip
