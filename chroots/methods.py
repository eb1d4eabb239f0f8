"""What hosts do for chroots."""

from __future__ import annotations

import json

from django.conf import settings

from chroots.models import ChrootCopy
from chroots.orders import REFRESH
from hosts.models import Event, State, Task
from hosts.orders import register as register_order
from hosts.registry import Job, Method, Outcome, program, register


def init_command(job: Job) -> list[str]:
    mirror = job.request.get("mirror") or settings.MIRROR
    return program(
        "chroots.engine", "init", job.request["chroot"], "--refresh", "--state", settings.STATE,
        "--output", job.output, *(["--mirror", mirror] if mirror else []),
    )  # fmt: skip


def init_outcome(job: Job) -> Outcome:
    result = json.loads((job.output / "result.json").read_text())
    return Outcome(result={"base": result["base"]})


def init_changed(task: Task) -> None:
    if task.state == State.COMPLETED:
        ChrootCopy.objects.note(task.request["chroot"], task)
    name = task.request["chroot"]
    topics = ["chroots", f"chroot:{name}", f"task:{task.pk}"]
    Event.objects.create(kind="chroot", key=name, what=task.state, topics=topics)


def register_methods() -> None:
    register_order(REFRESH)
    register(Method(name="chroot-init", weight=1.0, command=init_command, outcome=init_outcome, changed=init_changed))
