"""Gates that block: nothing is published until somebody who may overrides them, with a reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from composes import upgrades
from composes.gates import verdicts
from composes.methods import publish_command
from composes.models import Compose, Definition
from debatomic.access.models import AuditEntry, User
from debatomic.tools.errors import InputError, ToolError
from hosts import hub
from hosts.kept import store
from hosts.models import Artifact, Host, State, Task
from hosts.registry import Job

pytestmark = pytest.mark.django_db
SENTENCE = "The system booted, but 1 units failed (uefi): a.service."


def gate(name: str, verdict: str, sentence: str = "It is well.") -> dict[str, Any]:
    return {"name": name, "level": "block", "verdict": verdict, "sentence": sentence, "seconds": 61.5,
            "details": ["a.service loaded failed"] if verdict == "failed" else []}  # fmt: skip


def job(task: Task) -> Job:
    return Job(task=task.pk, attempt=1, claim=str(task.claim), method=task.method, title="", architecture="",
               request=task.request, limits={})  # fmt: skip


def run(host: Host, method: str) -> Task:
    task = hub.claim(host)
    assert task is not None
    assert task.claim is not None
    assert task.method == method
    assert hub.start(task.claim)
    return Task.objects.get(pk=task.pk)


def made(compose: Compose, host: Host, folder: Path, *gates: dict[str, Any]) -> None:
    """The host makes the compose; its gates say this."""
    task = run(host, "compose-arch")
    files = []
    for name, kind in (("repo.tar", "tree"), ("disk.qcow2", "image"), ("result.json", "metadata")):
        (folder / name).write_text(f"{name} of {compose}")
        files.append(hub.File(name=name, kind=kind, sha256=store.put(folder / name)[0]))
    result = {"ref": "debatomic/trixie/amd64/minimal", "commit": "c" * 64, "version": "13.1", "gates": list(gates)}
    assert task.claim is not None
    assert hub.finish(task.claim, result, files)


def publish(host: Host) -> Task:
    """The host tries to publish, as a builder does: what the command refuses ends the task."""
    task = run(host, "publish")
    assert task.claim is not None
    with TemporaryDirectory() as folder:
        try:
            publish_command(replace(job(task), folder=Path(folder)))
        except ToolError as error:
            hub.fail(task.claim, reason=error.sentence, kind=error.kind.value, decisive=error.lines)
        else:
            hub.finish(task.claim, {}, [])
    return Task.objects.get(pk=task.pk)


@pytest.fixture
def compose(definition: Definition, users: dict[str, User]) -> Compose:
    return Compose.objects.submit(definition=definition, variant="minimal", by=users["release-manager"])


@pytest.fixture
def blocked(compose: Compose, host: Host, tmp_path: Path) -> Compose:
    said = (gate("lint", "passed"), gate("boot-uefi", "failed", SENTENCE), gate("tests", "warned"))
    made(compose, host, tmp_path, *said)
    publish(host)
    return Compose.objects.get(pk=compose.pk)


def test_a_gate_that_passes_or_warns_lets_it_be_published(compose: Compose, host: Host, tmp_path: Path) -> None:
    made(compose, host, tmp_path, gate("lint", "passed"), gate("tests", "warned"), gate("upgrade", "skipped"))
    assert publish(host).state == State.COMPLETED
    assert Compose.objects.get(pk=compose.pk).state == "FINISHED"


def test_a_gate_that_blocks_is_told_and_nothing_is_published(blocked: Compose, users: dict[str, User]) -> None:
    task = blocked.task.children.get(method="publish")
    assert (blocked.state, task.state) == ("DOOMED", State.FAILED)
    assert task.reason.startswith(f"A gate blocks publishing: boot-uefi: {SENTENCE}")
    assert [user for user in users if blocked.can_override(users[user])] == ["release-manager", "administrator"]


def test_a_retry_alone_does_not_get_past_it(blocked: Compose, host: Host, users: dict[str, User]) -> None:
    blocked.retry(by=users["administrator"])
    assert publish(host).state == State.FAILED


def test_overridden_it_is_published_without_making_it_again(
    blocked: Compose, host: Host, users: dict[str, User]
) -> None:
    blocked.override(by=users["release-manager"], reason=" a.service is known,\n see #12 ")
    assert publish(host).state == State.COMPLETED
    done = Compose.objects.get(pk=blocked.pk)
    assert (done.state, done.overridden["by"]) == ("FINISHED", "release-manager")
    assert done.overridden["reason"] == "a.service is known, see #12"
    assert done.task.children.get(method="compose-arch").attempt == 1
    said = verdicts(done.task.children.order_by("pk"), overridden=True)
    assert [(each.name, each.verdict) for each in said] == [
        ("lint", "passed"), ("boot-uefi", "overridden"), ("tests", "warned")]  # fmt: skip
    entry = AuditEntry.objects.get(act="compose.override")
    assert entry.user == users["release-manager"]
    assert entry.details["gates"] == [f"boot-uefi: {SENTENCE}"]
    assert not done.can_override(users["administrator"])


@pytest.mark.parametrize(("said", "ended", "reason"), [
    ([gate("boot-uefi", "passed")], State.COMPLETED, ""),
    ([gate("boot-uefi", "failed", SENTENCE)], State.COMPLETED, ""),
    ([gate("boot-uefi", "failed", SENTENCE), gate("lint", "failed", "No kernel.")], State.FAILED, "lint: No kernel."),
])  # fmt: skip
def test_publishing_that_is_begun_anew_asks_the_gates_again(
    blocked: Compose, host: Host, users: dict[str, User], said: list[dict[str, Any]], ended: State, reason: str
) -> None:
    blocked.override(by=users["administrator"], reason="known since spring")
    begun = run(host, "publish")
    assert begun.claim and hub.fail(begun.claim, reason="The disk is full.", kind="build")
    Task.objects.filter(parent=blocked.task_id, method="compose-arch").update(result={"gates": said})
    hub.retry(begun, users["administrator"])
    task = publish(host)
    assert (task.state, reason in task.reason) == (ended, True)
    assert Compose.objects.get(pk=blocked.pk).can_override(users["administrator"]) == bool(reason)


@pytest.mark.parametrize("reason", ["", "    ", "ok", "x" * 501])
def test_no_override_without_a_reason(blocked: Compose, users: dict[str, User], reason: str) -> None:
    with pytest.raises(InputError, match="Say why") as caught:
        blocked.override(by=users["administrator"], reason=reason)
    assert caught.value.field == "reason"
    assert not AuditEntry.objects.filter(act="compose.override").exists()


def test_nothing_to_override_is_said(compose: Compose, users: dict[str, User]) -> None:
    with pytest.raises(InputError, match="No gate holds"):
        compose.override(by=users["administrator"], reason="because I can")


def test_page_and_api_show_the_verdicts_and_take_the_override(
    blocked: Compose, client_of: Callable[[str], Client]
) -> None:
    page, api = f"/composes/{blocked.pk}/", f"/api/v1/composes/{blocked.pk}/"
    assert SENTENCE in client_of("viewer").get(page).content.decode()
    assert "override-reason" not in client_of("viewer").get(page).content.decode()
    assert "override-reason" in client_of("release-manager").get(page).content.decode()
    told = client_of("viewer").get(api).json()
    assert [(each["name"], each["verdict"]) for each in told["gates"]][1] == ("boot-uefi", "failed")
    body = json.dumps({"reason": "known since spring"})
    refused = client_of("packager").post(f"{api}override/", body, content_type="application/json")
    assert refused.status_code == 403
    empty = client_of("release-manager").post(f"{api}override/", "{}", content_type="application/json")
    assert (empty.status_code, list(empty.json())) == (400, ["reason"])
    done = client_of("release-manager").post(f"{api}override/", body, content_type="application/json").json()
    assert (done["gates"][1]["verdict"], done["overridden"]["reason"]) == ("overridden", "known since spring")
    assert "known since spring" in client_of("viewer").get(page).content.decode()


def test_the_page_shows_each_boot_of_the_upgrade_and_each_test(
    compose: Compose, host: Host, tmp_path: Path, client_of: Callable[[str], Client]
) -> None:
    steps = [{"name": name, "commit": "d" * 64, "state": "running", "failed": [], "said": [f"{name} said this"],
              "status": ["* debian"], "milestones": {"kernel": 3.0, "proved": 61.0}, "seconds": 61.0}
             for name in ("start", "upgrade", "rollback", "rebase")]  # fmt: skip
    upgrade = {"from": {"identity": "before.7", "commit": "d" * 64, "version": "13.0"}, "to": "c" * 64, "steps": steps,
               "firmware": "bios", "accelerator": "tcg", "seconds": 244.0, "files": 12, "bytes": 3 << 20}  # fmt: skip
    tests = [{"name": "ssh", "ok": True, "sentence": "passed", "seconds": 1.0, "output": ["active"]},
             {"name": "web", "ok": False, "sentence": "ended with status 7", "seconds": 2.0, "output": []}]  # fmt: skip
    boot = {"bios": {"seconds": 50.0, "milestones": {"kernel": 2.0}, "tests": tests}}
    task = run(host, "compose-arch")
    assert task.claim is not None
    result = {"ref": "r", "commit": "c" * 64, "version": "13.1", "gates": [], "upgrade": upgrade, "boot": boot}
    assert hub.finish(task.claim, result, [])
    html = client_of("viewer").get(f"/composes/{compose.pk}/").content.decode()
    for told in ("Upgrade from before.7", "12 files with", "4 min 4 s", "rollback said this", "web ended with status"):
        assert told in " ".join(html.split())


def test_the_button_overrides(blocked: Compose, client_of: Callable[[str], Client]) -> None:
    address = f"/composes/{blocked.pk}/override/"
    assert client_of("packager").post(address, {"reason": "let me through"}).status_code == 403
    assert "Say why" in client_of("administrator").post(address, {"reason": ""}, follow=True).content.decode()
    done = client_of("administrator").post(address, {"reason": "let me through"}, follow=True).content.decode()
    assert "is being published although gates block it" in done
    assert Compose.objects.get(pk=blocked.pk).is_live


def test_the_next_compose_upgrades_the_one_published_before(
    compose: Compose, host: Host, tmp_path: Path, definition: Definition, users: dict[str, User]
) -> None:
    def following() -> dict[str, Any]:
        made = Compose.objects.submit(definition=definition, variant="minimal", by=users["administrator"])
        request: dict[str, Any] = made.task.children.get(method="compose-arch").request
        made.cancel(by=users["administrator"])
        return dict(request["previous"])

    assert compose.task.children.get(method="compose-arch").request["previous"] == {}
    made(compose, host, tmp_path, gate("lint", "passed"))
    assert following() == {}, "it is not published yet"
    publish(host)
    previous = following()
    assert previous["identity"] == compose.identity
    assert [each["name"] for each in previous["files"]] == ["disk.qcow2", "result.json"]
    kept = Artifact.objects.get(name="disk.qcow2").sha256
    assert previous["files"][0]["sha256"] == kept


def test_a_host_fetches_what_is_upgraded_and_goes_without_where_it_is_gone(tmp_path: Path) -> None:
    request = {"previous": {"identity": "a.0", "files": [{"name": "disk.qcow2", "sha256": "1" * 64}]}}
    common: dict[str, Any] = {"task": 1, "attempt": 1, "claim": str(uuid4()), "method": "compose-arch", "title": "",
                              "architecture": "amd64", "limits": {}}  # fmt: skip

    def fetch(sha256: str, to: Path) -> None:
        to.write_text(sha256)

    def gone(sha256: str, to: Path) -> None:
        raise InputError("not kept any more")

    there = Job(**common, request=request, folder=tmp_path / "there", fetch=fetch)
    folder = tmp_path / "there/previous/a.0"
    assert upgrades.options(there) == ["--previous", folder]
    assert (folder / "disk.qcow2").read_text() == "1" * 64
    assert upgrades.options(Job(**common, request=request, folder=tmp_path / "gone", fetch=gone)) == []
    assert upgrades.options(Job(**common, request={"previous": {}})) == []
