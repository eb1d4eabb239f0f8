"""Composes as hosts make and publish them, and channels that carry them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from composes.models import Compose, Definition, Move, ReleaseChannel
from composes.pipeline.packages.lock import Lock, Package
from debatomic.access.models import User
from hosts import hub
from hosts.kept import store
from hosts.models import Artifact, Host, Task
from tests import scene

REF = "debatomic/trixie/amd64/minimal"
REFS = {"nightly": REF, "testing": f"testing/{REF}", "stable": f"stable/{REF}"}


@dataclass
class Factory:
    """Makes composes of one variant, each with another version of the package apt."""

    definition: Definition
    by: User
    host: Host
    folder: Path
    made: list[Compose] = field(default_factory=list)

    def compose(self, *, published: bool = True) -> Compose:
        """The next one, finished; its commit is made of its number."""
        number = len(self.made) + 1
        compose = Compose.objects.submit(definition=self.definition, variant="minimal", by=self.by)
        self.made.append(compose)
        lock = self.folder / "lock.json"
        _lock(number).write(lock)
        result = {"version": f"13.{number}", "commit": str(number) * 64, "ref": REF, "channels": list(REFS),
                  "refs": dict(sorted(REFS.items())), "deliverables": [],
                  "boot": {"bios": {"seconds": 12.0, "milestones": {}, "status": []}}}  # fmt: skip
        sha256, _ = store.put(lock)
        task = scene.begin(compose, self.host)
        assert task.claim
        assert hub.finish(task.claim, result, [hub.File(name="lock.json", kind=Artifact.Kind.METADATA, sha256=sha256)])
        if published:
            self.publish(compose)
        return Compose.objects.for_lists().get(pk=compose.pk)

    def publish(self, compose: Compose) -> None:
        self.tell(scene.begin(compose, self.host))

    def tell(self, task: Task, **more: Any) -> None:
        """What the host says of a publishing that it did."""
        assert task.method == "publish" and task.claim
        facts = {"ref": REF, "commit": task.request["commit"], "previous": "", "signed_by": ["ABCD"], "objects": 3,
                 "size": 1000, "delta": None, **more}  # fmt: skip
        assert hub.finish(task.claim, facts, [])

    def do(self, move: Move) -> Move:
        """Have the host do what a move asked for."""
        claimed = hub.claim(self.host)
        assert claimed is not None and claimed.pk == move.task_id and claimed.claim
        assert hub.start(claimed.claim)
        moved = [{"ref": ref, "commit": commit, "previous": "", "signed_by": [], "objects": 1, "size": 1, "delta": 1,
                  "serial": move.task_id}
                 for ref, commit in claimed.request["refs"].items()]  # fmt: skip
        assert hub.finish(claimed.claim, {"moved": moved}, [])
        return Move.objects.get(pk=move.pk)

    def fail(self, move: Move) -> Task:
        claimed = hub.claim(self.host)
        assert claimed is not None and claimed.claim and hub.start(claimed.claim)
        scene.fail(Task.objects.get(pk=claimed.pk), "The disk is full.", "disk")
        return Task.objects.get(pk=move.task_id)


def channel(name: str) -> ReleaseChannel:
    return ReleaseChannel.objects.for_lists().get(variant="minimal", name=name)


def carried(name: str) -> str:
    """The identity of what a channel carries; empty for nothing."""
    compose = channel(name).carries
    return compose.identity if compose else ""


def _lock(number: int) -> Lock:
    package = Package(name="apt", architecture="amd64", version=f"{number}.0", sha256=str(number) * 64, size=1_000_000,
                      uri=f"http://mirror.example.org/apt_{number}.deb", origin="debian", source="apt")  # fmt: skip
    return Lock(suite="trixie", architecture="amd64", debian_version="13.1", date=1, packages=(package,), releases={})
