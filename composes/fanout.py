"""A compose over several hosts: once its tree is made, each deliverable is a task of its own, and publishing waits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings

from chroots.engine.state import State as HostState
from composes import gates
from composes.gates import DELIVERABLE, MADE
from composes.pipeline import given
from composes.pipeline.parts import TREE, UPGRADE
from composes.pipeline.store import ResultStore
from composes.selection import PUBLISH
from debatomic.tools.errors import InputError
from debatomic.tools.files import write_json
from hosts import hub
from hosts.models import Artifact, Channel, Host, State, Task
from hosts.registry import Job

if TYPE_CHECKING:
    from composes.models import Compose

MOST = 50  # deliverables of one architecture
OF_ONE = {"previous": UPGRADE, "previous_container": "oci"}  # what one deliverable alone is made from


# On the hub


def is_shared(channel: Channel, architecture: str) -> bool:
    """Whether several hosts may make deliverables, so that results must travel."""
    serving = Host.objects.in_service().alive().filter(channels=channel).values_list("architectures", flat=True)
    return sum(architecture in architectures for architectures in serving) > 1


def spread(compose: Compose, tree: Task) -> None:
    """Have every deliverable made of a completed tree, and publishing wait for those that are not failable."""
    if Task.objects.filter(pk=compose.task_id, cancel_asked_at__isnull=False).exists():
        return
    parts = (tree.result.get("parts") or [])[:MOST]
    made = {each["name"]: _deliverable(compose, tree, each) for each in parts}
    blocking = [made[each["name"]] for each in parts if not each["failable"]]
    for publish in Task.objects.filter(parent=compose.task_id, method="publish", state=State.FREE).order_by("pk"):
        if blocking:
            hub.depend(publish, blocking, by=None)


def _deliverable(compose: Compose, tree: Task, part: dict[str, Any]) -> Task:
    name, kept = part["name"], dict(tree.artifacts.values_list("name", "sha256"))
    files = {"gather": "lock.json", "commit": "repo.tar", **(tree.result.get("shared") or {})}
    results = {stage: {**each, "sha256": kept.get(files.get(stage, ""), "")}
               for stage, each in tree.result["given"].items() if stage in part["takes"]}  # fmt: skip
    others = {key for key, of in OF_ONE.items() if of != name}
    request = {**{key: value for key, value in tree.request.items() if key not in others}, "part": name,
               "failable": bool(part["failable"]), "given": results, "lock": kept.get("lock.json", "")}  # fmt: skip
    return hub.submit(
        DELIVERABLE, f"{compose}, {tree.architecture}: {name}", parent=tree.parent, architecture=tree.architecture,
        request=request, channel=tree.channel, limits=tree.limits, weight=tree.weight / 2, by=compose.created_by,
        failable=bool(part["failable"]),
    )  # fmt: skip


def hold_back(compose: Compose) -> None:
    """Tell the tasks that will publish which gates block that, of all that was made."""
    made = Task.objects.filter(parent=compose.task_id, method__in=MADE, state=State.COMPLETED, failable=False)
    blocked = [each for result in made.order_by("pk").values_list("result", flat=True)
               for each in gates.blocking(result)]  # fmt: skip
    for publish in Task.objects.filter(parent=compose.task_id, method="publish", state=State.FREE):
        Task.objects.filter(pk=publish.pk).update(request={**publish.request, "blocked": blocked})


def note_incomplete(compose: Compose) -> bool:
    """Write down whether a completed compose lacks something failable; whether it is completed."""
    if not Task.objects.filter(pk=compose.task_id, state=State.COMPLETED).exists():
        return False
    lacking = Task.objects.filter(parent=compose.task_id, failable=True).exclude(state=State.COMPLETED).exists()
    type(compose).objects.filter(pk=compose.pk).update(incomplete=lacking)
    if not lacking:  # nobody will want to make a deliverable of it again
        Artifact.objects.filter(task__parent=compose.task_id, name=given.ROOTFS).delete()
    return True


# On the host


def options(job: Job) -> list[str | Path]:
    """The pipeline's options for one task of a compose: which part, and of which results."""
    request = job.request
    wanted = [f"--{word}={name}" for word in ("only", "skip") for name in request.get(word) or () if name != PUBLISH]
    if "part" not in request:
        return ["--part", TREE, "--defer-gates", *(["--share"] if request.get("shared") else []), *wanted]
    deferred = [] if request["failable"] else ["--defer-gates"]
    return ["--part", request["part"], *deferred, *wanted, *_lock(job), "--given", _given(job)]


def _lock(job: Job) -> list[str | Path]:
    """What must be made again is made of the same packages."""
    path = job.folder / "lock.json"
    job.fetch(job.request["lock"], path)
    return ["--lock", path]


def _given(job: Job) -> Path:
    """The results of the tree: those that this host lacks are fetched."""
    store = ResultStore(HostState(Path(settings.STATE)))
    known = {stage: {"identity": each["identity"], "facts": each["facts"], "archive": _archive(job, store, stage, each)}
             for stage, each in job.request["given"].items()}  # fmt: skip
    path = job.folder / "given.json"
    write_json(path, known)
    return path


def _archive(job: Job, store: ResultStore, stage: str, result: dict[str, Any]) -> str:
    """The file of a result that has to be unpacked; empty where it is here, or has to be made again."""
    if store.has(result["identity"]) or not result["sha256"]:
        return ""
    path = job.folder / f"given-{stage}"
    try:
        job.fetch(result["sha256"], path)
    except InputError:  # it is not kept any more
        return ""
    return str(path)
