from __future__ import annotations

import json

from django.apps import AppConfig

from hosts import registry
from hosts.registry import Job, KeptFile, Outcome


def command(job: Job) -> list[str]:
    for name, sha256 in job.request.get("files", {}).items():
        job.fetch(sha256, job.folder / name)
    return ["sh", "-c", job.request["script"], "sh", str(job.output)]


def outcome(job: Job) -> Outcome:
    kept = [KeptFile(path=path, name=path.name, kind="other") for path in sorted(job.output.iterdir())]
    result = job.output / "result.json"
    return Outcome(result=json.loads(result.read_text()) if result.exists() else {}, files=tuple(kept))


class TryoutConfig(AppConfig):
    name = "tests.hub.tryout"
    label = "tryout"

    def ready(self) -> None:
        registry.register(registry.Method(name="script", command=command, outcome=outcome))
