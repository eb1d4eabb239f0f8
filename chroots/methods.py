"""What hosts do for chroots, and for themselves."""

from __future__ import annotations

import json
from collections.abc import Set
from pathlib import Path
from typing import Any

from django.conf import settings

from chroots import refreshing, schedule, upkeep
from chroots.models import ChrootCopy, Refresh
from chroots.orders import REFRESH
from hosts import hub
from hosts.models import Artifact, Event, State, Task
from hosts.registry import (
    Job,
    KeptFile,
    Method,
    Outcome,
    program,
    register,
    register_contents,
    register_examination,
    register_round,
)  # fmt: skip
from hosts.schedule.orders import register as register_order

BATCH = 500


def of_definition(job: Job) -> list[str | Path]:
    """The engine's options for the chroot's own definition, which came with the task; none for a shipped one."""
    if not (text := job.request.get("definition")):
        return []
    folder = job.folder / "definitions"
    folder.mkdir()
    (folder / f"{job.request['chroot']}.yaml").write_text(text)
    return ["--definitions", folder]


def of_mirror(job: Job) -> list[str]:
    mirror = job.request.get("mirror") or settings.MIRROR
    return ["--mirror", mirror] if mirror else []


def _engine(job: Job, verb: str, *options: str | Path) -> list[str]:
    return program("chroots.engine", verb, *options, "--state", settings.STATE, "--output", job.output)


def init_command(job: Job) -> list[str]:
    return _engine(job, "init", job.request["chroot"], "--refresh", *of_definition(job), *of_mirror(job))


def init_outcome(job: Job) -> Outcome:
    result = _told(job)
    kept = KeptFile(path=job.output / refreshing.PACKAGES, name=refreshing.PACKAGES, kind=Artifact.Kind.METADATA,
                    media_type="application/json")  # fmt: skip
    return Outcome(result={"base": result["base"]}, files=(kept,))


def init_changed(task: Task) -> None:
    if task.state == State.COMPLETED:
        ChrootCopy.objects.note(task.request["chroot"], task)
    announce(task)


def announce(task: Task) -> None:
    name = task.request["chroot"]
    topics = ["chroots", f"chroot:{name}", f"task:{task.pk}"]
    Event.objects.create(kind="chroot", key=name, what=task.state, topics=topics)


def scrub_command(job: Job) -> list[str]:
    return _engine(job, "scrub", job.request["chroot"], *of_definition(job), *of_mirror(job))


def scrub_changed(task: Task) -> None:
    """The copy is gone, unless something that uses it kept it there, or there is another one by now."""
    if task.state == State.COMPLETED and not task.result.get("stayed"):
        told = {"chroot__name": task.request["chroot"], "base_id": task.request["base_id"]}
        ChrootCopy.objects.filter(host=task.host_id, **told).delete()
    announce(task)


def clean_command(job: Job) -> list[str]:
    return _engine(job, "clean", job.request["chroot"])


def doctor_command(job: Job) -> list[str]:
    return _engine(job, "doctor", *of_mirror(job))


def _told(job: Job) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((job.output / "result.json").read_text())
    return found


def told_outcome(job: Job) -> Outcome:
    """What the engine said is the result."""
    return Outcome(result=_told(job))


def manifests(contents: Set[str]) -> set[str]:
    """Those of these SHA-256 that are lists of packages: they are kept as long as their refresh is."""
    ordered = sorted(contents)
    found: set[str] = set()
    for start in range(0, len(ordered), BATCH):
        batch = Refresh.objects.filter(manifest__in=ordered[start : start + BATCH])
        found.update(batch.order_by().values_list("manifest", flat=True))
    return found


def examination(state: Path) -> list[str]:
    """What a builder asks of its machine: can the engine build here?"""
    mirror = ["--mirror", settings.MIRROR] if settings.MIRROR else []
    return program("chroots.engine", "doctor", "--json", "--state", state, *mirror)


def register_methods() -> None:
    register_order(REFRESH)
    register(Method(name=refreshing.REFRESH, right="chroots.refresh"))
    register(Method(name=refreshing.INIT, command=init_command, outcome=init_outcome, changed=init_changed,
                    right="chroots.refresh"))  # fmt: skip
    register(Method(name=upkeep.SCRUB, command=scrub_command, outcome=told_outcome, changed=scrub_changed,
                    right="chroots.refresh"))  # fmt: skip
    register(Method(name=upkeep.CLEAN, command=clean_command, outcome=told_outcome, changed=announce,
                    right="chroots.refresh"))  # fmt: skip
    register(Method(name=hub.DOCTOR, weight=0.1, command=doctor_command, outcome=told_outcome,
                    right="hosts.edit"))  # fmt: skip
    register_contents(manifests)
    register_round(schedule.refresh_due)
    register_examination(examination)
