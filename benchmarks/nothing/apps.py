"""An app with a method that does nothing: the program `true`."""

from __future__ import annotations

from django.apps import AppConfig

from hosts import registry
from hosts.registry import Job, Outcome


def command(job: Job) -> list[str]:
    return ["true"]


def outcome(job: Job) -> Outcome:
    return Outcome(result={})


class NothingConfig(AppConfig):
    name = "benchmarks.nothing"
    label = "nothing"

    def ready(self) -> None:
        registry.register(registry.Method(name="no-op", command=command, outcome=outcome))
