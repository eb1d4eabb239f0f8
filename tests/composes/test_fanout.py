"""A compose as a graph of tasks: its tree, each deliverable, publishing last; what fails, and what goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from chroots.engine.state import State as HostState
from composes import fanout
from composes.models import Compose, Definition
from composes.pipeline.graph import PHASES
from composes.pipeline.store import ResultStore
from composes.selection import Selection
from debatomic.access.models import AuditEntry, User
from debatomic.tools.errors import InputError
from hosts import hub
from hosts.kept import store
from hosts.models import Artifact, Host, Task
from hosts.registry import Job
from tests import scene

pytestmark = pytest.mark.django_db
PARTS = [{"name": "raw", "failable": False, "takes": ["rootfs", "commit"]},
         {"name": "oci", "failable": False, "takes": ["gather", "rootfs"]},
         {"name": "vhd", "failable": True, "takes": ["commit"]}]  # fmt: skip
COMMIT = {"ref": "debatomic/trixie/amd64/minimal", "commit": "c" * 64, "version": "13.1"}
NAMES = {stage: f"{stage}-{str(number) * 32}" for number, stage in enumerate(("gather", "rootfs", "commit"))}
GIVEN = {stage: {"identity": name, "facts": {}} for stage, name in NAMES.items()}


@pytest.fixture
def compose(definition: Definition, users: dict[str, User]) -> Compose:
    return Compose.objects.submit(definition=definition, variant="minimal", by=users["release-manager"])


def step(compose: Compose, host: Host, result: dict[str, Any] | None, folder: Path, *files: str) -> Task:
    """The host takes the next task of the compose: it ends with this result, or fails without one."""
    task = scene.begin(compose, host)
    if result is None:
        scene.fail(task, "The image has no room for the tree.")
        return Task.objects.get(pk=task.pk)
    for name in files:
        (folder / name).write_text(f"{name} of {compose}")
    kept = [hub.File(name=name, kind=Artifact.Kind.OTHER, sha256=store.put(folder / name)[0]) for name in files]
    assert task.claim and hub.finish(task.claim, result, kept)
    return Task.objects.get(pk=task.pk)


def grown(compose: Compose, host: Host, folder: Path, **more: Any) -> list[Task]:
    """The tree is made: the tasks of its deliverables."""
    result = {**COMMIT, "parts": PARTS, "given": GIVEN, "shared": {"rootfs": "stage-rootfs.tar.zst"}, **more}
    step(compose, host, result, folder, "lock.json", "repo.tar", "stage-rootfs.tar.zst")
    return list(compose.task.children.filter(method="deliverable").order_by("pk"))


def said(compose: Compose) -> dict[str, str]:
    """The states of the tasks by part."""
    return {task.request.get("part", task.method): task.state for task in compose.task.children.order_by("pk")}


def ended(compose: Compose) -> Compose:
    return Compose.objects.get(pk=compose.pk)


def test_the_tree_becomes_a_task_for_each_deliverable(compose: Compose, host: Host, tmp_path: Path) -> None:
    raw, oci, vhd = grown(compose, host, tmp_path)
    publish = compose.task.children.get(method="publish")
    tree = compose.task.children.get(method="compose-arch")
    assert [(task.request["part"], task.failable) for task in (raw, oci, vhd)] == [
        ("raw", False), ("oci", False), ("vhd", True)]  # fmt: skip
    assert set(publish.dependencies.all()) == {tree, raw, oci} and publish.ready_at is None
    kept = dict(tree.artifacts.values_list("name", "sha256"))
    assert {stage: each["sha256"] for stage, each in raw.request["given"].items()} == {
        "rootfs": kept["stage-rootfs.tar.zst"], "commit": kept["repo.tar"]}  # fmt: skip
    assert (raw.request["lock"], list(vhd.request["given"])) == (kept["lock.json"], ["commit"])
    assert ("previous_container" in oci.request, "previous_container" in raw.request) == (True, False)
    assert (tree.weight, raw.weight, raw.limits, raw.architecture) == (2.0, 1.0, tree.limits, "amd64")
    assert not AuditEntry.objects.filter(act="task.depend").exists()


def test_one_that_fails_leaves_the_others_alone_and_is_retried_alone(
    compose: Compose, host: Host, tmp_path: Path, users: dict[str, User]
) -> None:
    raw, *_ = grown(compose, host, tmp_path)
    assert step(compose, host, None, tmp_path) == raw
    assert (ended(compose).state, said(compose)["oci"]) == ("STARTED", "free")
    for _ in range(2):
        step(compose, host, {}, tmp_path)
    doomed = ended(compose)
    assert (doomed.state, doomed.task.reason) == ("DOOMED", f"{raw}: The image has no room for the tree.")
    assert said(compose) == {"compose-arch": "completed", "publish": "canceled", "raw": "failed", "oci": "completed",
                             "vhd": "completed"}  # fmt: skip
    hub.retry(raw, users["release-manager"])
    assert (ended(compose).state, said(compose)["publish"]) == ("STARTED", "free")
    assert step(compose, host, {}, tmp_path) == raw
    assert step(compose, host, {}, tmp_path).method == "publish"
    assert ended(compose).state == "FINISHED"
    assert [task.attempt for task in compose.task.children.order_by("pk")] == [1, 1, 2, 1, 1]


def test_of_two_that_failed_each_is_retried_alone(
    compose: Compose, host: Host, tmp_path: Path, users: dict[str, User]
) -> None:
    raw, oci, _ = grown(compose, host, tmp_path)
    ends: tuple[dict[str, Any] | None, ...] = (None, None, {})
    for result in ends:
        step(compose, host, result, tmp_path)
    hub.retry(oci, users["release-manager"])
    assert said(compose)["publish"] == "canceled"
    step(compose, host, {}, tmp_path)
    assert ended(compose).state == "DOOMED"
    hub.retry(raw, users["release-manager"])
    for _ in range(2):
        step(compose, host, {}, tmp_path)
    assert (ended(compose).state, said(compose)["publish"]) == ("FINISHED", "completed")


def test_a_compose_without_something_failable_is_incomplete(
    compose: Compose, host: Host, tmp_path: Path, users: dict[str, User], client_of: Callable[[str], Client]
) -> None:
    grown(compose, host, tmp_path)
    for _ in range(2):
        step(compose, host, {}, tmp_path)
    assert step(compose, host, {"ref": COMMIT["ref"]}, tmp_path).method == "publish", "it waits for nothing failable"
    assert ended(compose).state == "STARTED"
    vhd = step(compose, host, None, tmp_path)
    incomplete = ended(compose)
    assert (incomplete.state, vhd.failable) == ("FINISHED_INCOMPLETE", True)
    client = client_of("release-manager")
    for state, number in (("FINISHED_INCOMPLETE", 1), ("FINISHED", 0)):
        assert len(client.get(f"/api/v1/composes/?state={state}").json()["results"]) == number
        assert (str(incomplete) in client.get(f"/composes/?state={state}").content.decode()) == bool(number)
    parts = client.get(f"/api/v1/composes/{compose.pk}/").json()["parts"]
    assert [(each["name"], each["state"], each["failable"]) for each in parts] == [
        ("tree", "completed", False),
        ("raw", "completed", False),
        ("oci", "completed", False),
        ("vhd", "failed", True),
    ]
    page = " ".join(client.get(compose.get_absolute_url()).content.decode().split())
    assert f'<a href="{vhd.get_absolute_url()}">vhd</a>' in page and "finished incomplete" in page
    assert Artifact.objects.filter(name="stage-rootfs.tar.zst").exists(), "another host may retry it"
    assert client.post(f"/api/v1/composes/{compose.pk}/retry/").status_code == 200
    assert step(compose, host, {}, tmp_path) == vhd
    assert ended(compose).state == "FINISHED" and not Artifact.objects.filter(name="stage-rootfs.tar.zst").exists()


def gate(verdict: str) -> dict[str, Any]:
    return {"name": "boot-bios", "level": "block", "verdict": verdict, "sentence": "No.", "seconds": 1, "details": []}


def test_the_gates_of_every_deliverable_hold_publishing_back(compose: Compose, host: Host, tmp_path: Path) -> None:
    grown(compose, host, tmp_path)
    for verdict in ("failed", "passed", "failed"):
        step(compose, host, {"gates": [gate(verdict)]}, tmp_path)
    publish = compose.task.children.get(method="publish")
    assert publish.request["blocked"] == ["boot-bios: No."], "what is failable blocks nothing"
    assert (publish.request["commit"], publish.ready_at is not None) == ("c" * 64, True)


def test_a_canceled_compose_makes_no_deliverables(
    compose: Compose, host: Host, tmp_path: Path, users: dict[str, User]
) -> None:
    task = scene.begin(compose, host)
    compose.cancel(by=users["release-manager"])
    assert task.claim and hub.finish(task.claim, {**COMMIT, "parts": PARTS, "given": GIVEN}, [])
    assert ended(compose).state == "TERMINATED"
    assert said(compose) == {"compose-arch": "completed", "publish": "canceled"}


def test_a_part_of_a_compose_is_never_published(
    definition: Definition, users: dict[str, User], client_of: Callable[[str], Client]
) -> None:
    client = client_of("release-manager")
    asked = {"definition": "debian-atomic", "variant": "minimal", "only": ["qcow2"], "skip": ["test", "publish"]}
    made = client.post("/api/v1/composes/", asked, content_type="application/json")
    assert made.status_code == 201, made.content
    compose = Compose.objects.get(pk=made.json()["id"])
    (task,) = compose.task.children.all()
    job = Job(task=1, attempt=1, claim="", method="", title="", architecture="amd64", request=task.request, limits={})
    assert fanout.options(job) == ["--part", "tree", "--defer-gates", "--only=qcow2", "--skip=test"]
    compose.cancel(by=users["release-manager"])
    again = client.post(f"/api/v1/composes/{compose.pk}/resubmit/").json()
    assert Compose.objects.get(pk=again["id"]).task.request == {"only": ["qcow2"], "skip": ["test", "publish"]}
    posted = client.post("/composes/new/", {"what": "debian-atomic/minimal", "skip": "cdrom"})
    assert posted.status_code == 422 and "no phase or deliverable cdrom" in posted.content.decode()
    with pytest.raises(InputError, match="no phase or deliverable publish") as refused:
        Selection(only=("publish",)).check()
    assert refused.value.field == "only"


@pytest.mark.parametrize("hosts", [1, 2])
def test_results_travel_only_where_another_host_may_take_them(
    compose: Compose, definition: Definition, users: dict[str, User], host: Host, hosts: int
) -> None:
    if hosts == 2:
        second = Host.objects.create(name="second", architectures=["amd64"], capacity=2)
        second.channels.set(host.channels.all())
    Host.objects.update(seen_at=timezone.now())
    made = Compose.objects.submit(definition=definition, variant="minimal", by=users["release-manager"])
    request = made.task.children.get(method="compose-arch").request
    job = Job(task=1, attempt=1, claim="", method="", title="", architecture="amd64", request=request, limits={})
    assert ("--share" in fanout.options(job)) == (hosts == 2)


def test_a_host_fetches_only_what_it_lacks(tmp_path: Path, settings: Any) -> None:
    settings.STATE = tmp_path / "state"
    here = ResultStore(HostState(tmp_path / "state"))
    with here.result(NAMES["rootfs"], lambda folder: {}):
        """It is made."""
    sent = {stage: {**each, "sha256": str(number) * 64} for number, (stage, each) in enumerate(GIVEN.items())}
    sent["gather"]["sha256"] = ""
    request = {"part": "raw", "failable": True, "lock": "f" * 64, "given": sent}
    fetched = []

    def fetch(sha256: str, to: Path) -> None:
        fetched.append(sha256)
        to.parent.mkdir(exist_ok=True)
        to.write_text(sha256)

    job = Job(task=1, attempt=1, claim="", method="deliverable", title="", architecture="amd64", request=request,
              limits={}, folder=tmp_path / "job", fetch=fetch)  # fmt: skip
    assert fanout.options(job) == ["--part", "raw", "--lock", tmp_path / "job/lock.json", "--given",
                                   tmp_path / "job/given.json"]  # fmt: skip
    assert fetched == ["f" * 64, "2" * 64]
    told = json.loads((tmp_path / "job/given.json").read_text())
    assert {stage: each["archive"] for stage, each in told.items()} == {
        "gather": "", "rootfs": "", "commit": str(tmp_path / "job/given-commit")}  # fmt: skip


def test_the_words_are_the_pipelines(client_of: Callable[[str], Client], definition: Definition) -> None:
    page = client_of("release-manager").get("/composes/new/").content.decode()
    assert all(phase in page for phase in (*PHASES, "qcow2", "upgrade"))
