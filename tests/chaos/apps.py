"""The method `count`: some seconds of numbered lines and one file, both of which name the attempt they are from."""

from __future__ import annotations

import json

from django.apps import AppConfig
from django.conf import settings

from hosts import registry
from hosts.registry import Job, KeptFile, Outcome


def command(job: Job) -> list[str]:
    wanted = [str(job.request[name]) for name in ("lines", "seconds", "bytes")]
    return registry.program("tests.chaos.counting", job.output, str(job.attempt), job.claim, *wanted)


def outcome(job: Job) -> Outcome:
    told = json.loads((job.output / "told.json").read_text())
    made = KeptFile(path=job.output / "made", name="made", kind="other")
    return Outcome(result={**told, "host": settings.HOST_NAME}, files=(made,))


class ChaosConfig(AppConfig):
    name = "tests.chaos"
    label = "chaos"

    def ready(self) -> None:
        registry.register(registry.Method(name="count", command=command, outcome=outcome))
