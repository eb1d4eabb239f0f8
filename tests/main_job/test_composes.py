"""A compose through the application: it boots, it is served and shown, it is canceled and killed without remains."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import zstandard

from chroots.engine.archives.signing import Signer
from debatomic.templatetags.pages import duration
from debatomic.tools.run import run
from tests.application import STATE, Application, left_of, wait
from tests.hub.site import kill
from tests.machine import Machine, field_tools

pytestmark = pytest.mark.integration
OURS = f"{STATE}/"  # what a compose runs names a path in it


def composed(application: Application) -> dict[str, Any]:
    return dict(application.post("composes/", json={"definition": "debian-atomic", "variant": "minimal"}))


@pytest.fixture(scope="module")
def finished(application: Application) -> dict[str, Any]:
    return application.until(f"composes/{composed(application)['id']}/", "FINISHED", seconds=900)


@pytest.fixture(scope="module")
def delivered(application: Application, finished: dict[str, Any]) -> dict[str, dict[str, Any]]:
    kept = [one for one in application.get(f"composes/{finished['id']}/artifacts/") if one["kind"] != "log"]
    assert len({one["name"] for one in kept}) == len(kept)
    return {one["name"]: one for one in kept}


def test_its_page_shows_that_it_booted(
    application: Application, finished: dict[str, Any], delivered: dict[str, dict[str, Any]]
) -> None:
    boots = application.result(finished, "boot")
    assert set(boots) == {"bios", "uefi"}
    with application.client("visitor") as visitor:
        page = visitor.get(finished["page"]).text
        for firmware, facts in boots.items():
            assert f'<strong class="num">{duration(facts["seconds"])}</strong>' in page
            picture = visitor.get(_address(application, delivered[f"console-{firmware}.png"]))
            assert picture.content.startswith(b"\x89PNG\r\n\x1a\n")
            assert f"/artifacts/{delivered[f'serial-{firmware}.log']['id']}/" in page
            assert f"* debian {facts['commit']}.0" in "\n".join(facts["status"])


def test_its_commit_is_served(application: Application, finished: dict[str, Any]) -> None:
    facts = next(one["facts"] for one in finished["deliverables"] if one["kind"] == "commit")
    commit = facts["commit"]
    repository = f"{application.address}/ostree/repo"
    assert httpx.get(f"{repository}/refs/heads/{facts['ref']}").text.strip() == commit
    content = httpx.get(f"{repository}/objects/{commit[:2]}/{commit[2:]}.commit").content
    assert hashlib.sha256(content).hexdigest() == commit


def test_its_container_is_pulled(application: Application, finished: dict[str, Any], tmp_path: Path) -> None:
    container = application.result(finished, "container")
    host = application.address.removeprefix("http://")
    source = f"docker://{host}/debian-atomic/minimal:{finished['version']}"
    args = ["skopeo", "copy", "--quiet", "--src-tls-verify=false", source, f"oci:{tmp_path}/pulled:x"]
    run(args, time_limit=300)
    (described,) = json.loads((tmp_path / "pulled/index.json").read_text())["manifests"]
    assert described["digest"] == container["digest"]
    signed = f"signatures/debian-atomic/minimal@{described['digest'].replace(':', '=')}/signature-1"
    assert httpx.get(f"{application.address}/ostree/{signed}").status_code == 200
    with application.client("visitor") as visitor:
        page = visitor.get(finished["page"]).text
    assert container["digest"] in page
    assert f"{len(container['rules'])} rules, 0 with findings" in page


def test_its_disk_is_downloaded(application: Application, delivered: dict[str, dict[str, Any]]) -> None:
    disk = delivered["disk.raw.zst"]
    digest, unpacked = hashlib.sha256(), zstandard.ZstdDecompressor().decompressobj()
    begin = b""
    with httpx.stream("GET", _address(application, disk), timeout=120) as answer:
        assert answer.status_code == 200
        for chunk in answer.iter_raw():
            digest.update(chunk)
            begin = begin if len(begin) > 1024 else begin + unpacked.decompress(chunk)
    assert digest.hexdigest() == disk["sha256"]
    assert begin[512:520] == b"EFI PART"


def _address(application: Application, artifact: dict[str, Any]) -> str:
    return f"{application.address}/artifacts/{artifact['id']}/{artifact['name']}"


def _in_rootfs(application: Application, compose: dict[str, Any]) -> None:
    application.until_log(compose, b"== PHASE gather")
    wait(lambda: left_of(OURS), 60, application.output)


def test_a_canceled_compose_leaves_nothing(application: Application, finished: dict[str, Any]) -> None:
    compose = composed(application)
    _in_rootfs(application, compose)
    application.post(f"composes/{compose['id']}/cancel/")
    application.until(f"composes/{compose['id']}/", "TERMINATED", seconds=60)
    wait(lambda: not left_of(OURS), 60, lambda: left_of(OURS))


@pytest.fixture(scope="module")
def second(application: Application, finished: dict[str, Any]) -> dict[str, Any]:
    """The next compose, whose builder was killed on the way."""
    compose = composed(application)
    _in_rootfs(application, compose)
    kill(application.builder())
    return application.until(f"composes/{compose['id']}/", "FINISHED", seconds=1500)


@pytest.mark.timeout(1800)  # it boots six times
def test_a_killed_builder_composes_again(
    application: Application, finished: dict[str, Any], second: dict[str, Any]
) -> None:
    assert [attempt["outcome"] for attempt in application.task(second)["attempts"]] == ["lost", "completed"]
    assert {one["kind"] for one in second["deliverables"]} == {one["kind"] for one in finished["deliverables"]}
    wait(lambda: not left_of(OURS), 60, lambda: left_of(OURS))


def test_each_deliverable_was_made_by_a_task_of_its_own(
    application: Application, finished: dict[str, Any], second: dict[str, Any]
) -> None:
    """What the tree's task made is taken from the host's store; the next compose has an upgrade to try, too."""
    names = ["tree", "oci", "raw", "qcow2"]
    assert [each["name"] for each in finished["parts"]] == names
    assert {each["name"] for each in second["parts"]} == {*names, "upgrade"}
    assert {each["state"] for each in (*finished["parts"], *second["parts"])} == {"completed"}
    raw = application.get(f"tasks/{finished['parts'][2]['task']}/")["result"]
    assert {each["name"]: each["reused"] for each in raw["stages"]}["commit"] is True
    assert raw["commit"] == application.task(finished)["result"]["commit"]


def _channel(application: Application, name: str) -> dict[str, Any]:
    found = application.get("release-channels/", definition="debian-atomic", variant="minimal", name=name)
    return dict(found["results"][0])


def _moved(application: Application, channel: dict[str, Any], verb: str, **asked: Any) -> dict[str, Any]:
    """The channel after a move that the hub's builder did."""
    move = application.post(f"release-channels/{channel['id']}/{verb}/", json={"reason": "a test", **asked})
    application.until(f"tasks/{move['task']}/", "completed", seconds=120)
    return _channel(application, channel["name"])


def test_composes_are_released_signed_and_withdrawn(
    application: Application, finished: dict[str, Any], second: dict[str, Any], tmp_path: Path
) -> None:
    """Machines verify what they pull; the one that had the older compose gets a small update."""
    commits = [application.task(one)["result"]["commit"] for one in (finished, second)]
    keys = httpx.get(f"{application.address}/ostree/keys.asc").content
    nightly, testing, stable = (_channel(application, name) for name in ("nightly", "testing", "stable"))
    (ref,) = nightly["refs"]
    assert nightly["identity"] == second["identity"]
    with field_tools(tmp_path) as tools:
        machine = Machine(tools, tmp_path, f"{application.address}/ostree/repo", keys)
        for channel in (testing, stable):
            moved = _moved(application, channel, "promote", compose=finished["id"])
            assert moved["identity"] == finished["identity"]
            assert machine.pull(f"{channel['name']}/{ref}") == commits[0]
        preview = application.get(f"release-channels/{testing['id']}/preview/", compose=second["id"])
        _moved(application, testing, "promote", compose=second["id"], label="RC-1.0")
        assert machine.pull(f"testing/{ref}") == commits[1]
        (facts,) = application.get(f"release-channels/{testing['id']}/moves/")["results"][0]["refs"].values()
        assert facts["size"] == preview["refs"][0]["download"]["size"] < 10_000_000, "another version, little more"
        assert 0 < facts["delta"] < 10_000_000
        assert _moved(application, testing, "withdraw")["identity"] == finished["identity"]
        assert machine.pull(f"testing/{ref}") == commits[0]
        stranger = Signer(tmp_path / "stranger")
        stranger.ensure()
        (tmp_path / "other").mkdir()
        other = Machine(tools, tmp_path / "other", f"{application.address}/ostree/repo", stranger.public())
        assert "public key not found" in other.refused(ref)


def test_a_machine_of_the_first_upgraded_to_the_second_and_back(
    application: Application, finished: dict[str, Any], second: dict[str, Any]
) -> None:
    verdicts = {one["name"]: one["verdict"] for one in second["gates"]}
    assert verdicts == dict.fromkeys(("lint", "container", "boot-bios", "boot-uefi", "tests", "upgrade"), "passed")
    assert {one["name"]: one["verdict"] for one in finished["gates"]}["upgrade"] == "skipped"
    old, new = (application.task(one)["result"]["commit"] for one in (finished, second))
    facts = application.result(second, "upgrade")
    steps = facts["steps"]
    assert (facts["from"]["identity"], facts["from"]["commit"]) == (finished["identity"], old)
    assert [step["name"] for step in steps] == ["start", "upgrade", "rollback", "rebase"]
    assert [step["commit"] for step in steps[:3]] == [old, new, old]
    assert steps[3]["commit"] not in (old, new)
    assert "debatomic-gate:debatomic-gate/rebase" in "\n".join(steps[3]["status"])
    assert {(step["state"], *step["failed"]) for step in steps} == {("running",)}
    assert facts["bytes"] > 0
    with application.client("visitor") as visitor:
        page = visitor.get(second["page"]).text
    assert f"Upgrade from {finished['identity']}" in page
    assert page.count("The console after the step") == 4
