"""Scaling: decisions as a table, mistakes in the file, and the shipped hook with real builders."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.test import Client
from django.utils import timezone

from debatomic.tools.errors import InputError
from hosts import hub
from hosts.fleet import scaling, scaling_policies
from hosts.fleet.scaling_policies import Limits, Policy, Seen, decide
from hosts.models import Host, Registration, ScalingAct, Task
from tests.hub.site import ROOT, Site, marked, wait

UP, DOWN = Limits(queue=4, wait=120, load=0.9), Limits(queue=0, load=0.1)
IDLE = {"waiting": 0, "oldest": 0.0, "load": 0.0}


@pytest.mark.parametrize(("hosts", "seen", "wanted", "reason"), [
    (0, {}, 1, "Fewer hosts than 1."), (1, {}, None, ""), (2, {}, 1, "0 tasks wait and 0% of the capacity is in use."),
    (1, {"waiting": 4}, None, ""), (1, {"waiting": 5}, 2, "5 tasks wait, more than 4."),
    (3, {"waiting": 50}, None, ""), (4, {"waiting": 50}, 3, "More hosts than 3."),
    (1, {"waiting": 1, "oldest": 121.0}, 2, "A task has waited 121 s, more than 120 s."),
    (1, {"waiting": 0, "oldest": 121.0}, None, ""),
    (1, {"load": 0.95}, 2, "95% of the capacity is in use, more than 90%."),
    (2, {"load": 0.5}, None, ""), (2, {"waiting": 1}, None, ""),
])  # fmt: skip
def test_decisions(hosts: int, seen: dict[str, Any], wanted: int | None, reason: str) -> None:
    policy = Policy(name="p", minimum=1, maximum=3, up=UP, down=DOWN)
    decision = decide(policy, Seen(hosts=hosts, **{**IDLE, **seen}))
    assert (decision and decision.wanted, decision.reason if decision else "") == (wanted, reason)


GOOD = "p:\n  maximum: 2\n  up: {queue: 1}\n  down: {queue: 0}\n  command: [/bin/true]\n"


@pytest.mark.parametrize(("text", "sentence"), [
    ("p: 7", "scaling.yaml:1: names with values are expected here."),
    ("p:\n  maximum: 2\n", "scaling.yaml:2: policy p has no up."),
    (GOOD + "  speed: 3\n", "scaling.yaml:6: there is no speed; a policy has minimum, maximum,"),
    (GOOD + "  minimum: 3\n", "scaling.yaml:2: the minimum of p is more than its maximum."),
    (GOOD.replace("2", "-2"), "scaling.yaml:2: maximum must be a number, 0 or more."),
    (GOOD.replace("2", "many"), "scaling.yaml:2: maximum must be a number, 0 or more."),
    (GOOD.replace("2", "1.5"), "scaling.yaml:2: maximum must be a whole number up to 1000."),
    (GOOD.replace("queue: 1", "tasks: 1"), "scaling.yaml:3: up knows queue, wait and load, not tasks."),
    (GOOD.replace("[/bin/true]", "rm -rf /"), "scaling.yaml:5: command must be a list of words"),
    (GOOD.replace("/bin/true", "true"), "scaling.yaml:5: command must be a list of words, the first of them an abs"),
    (GOOD + "  webhook: http://x.example.org/\n", "scaling.yaml:2: policy p needs either a command or a webhook."),
    (GOOD.replace("command: [/bin/true]", "webhook: ftp://x/"), "scaling.yaml:5: webhook must be an address"),
    (GOOD + GOOD, "scaling.yaml:6: the key p is there twice."),
    ("p: [", "scaling.yaml:1: this is not valid YAML"),
])  # fmt: skip
def test_mistakes_name_their_line(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "scaling.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as refused:
        scaling_policies.read(path)
    assert str(refused.value).startswith(sentence)


def test_the_shipped_example_is_one() -> None:
    [policy] = scaling_policies.read(ROOT / "deploy" / "scaling.yaml")
    assert (policy.name, policy.maximum, policy.up.wait, policy.down.load) == ("local", 3, 120, 0)
    assert scaling_policies.read(Path("/dev/null")) == []


@pytest.fixture
def policy(tmp_path: Path, settings: Any) -> Path:
    """A policy whose hook writes down how it was called, and fails while `fail` is there."""
    hook, said, fail = tmp_path / "hook", tmp_path / "said", tmp_path / "fail"
    hook.write_text(f'#!/bin/sh\necho "$DEBATOMIC_POLICY $*" >>{said}\nif [ -e {fail} ]; then echo No.; exit 1; fi\n')
    hook.chmod(0o755)
    path = tmp_path / "scaling.yaml"
    path.write_text(f"p:\n  maximum: 2\n  up: {{queue: 1}}\n  down: {{queue: 0, load: 0}}\n  cooldown: 60\n"
                    f"  capacity: 1\n  patience: 60\n  command: [{hook}]\n")  # fmt: skip
    settings.SCALING_FILE = str(path)
    said.touch()
    return tmp_path


def cooled_down() -> None:
    ScalingAct.objects.update(at=timezone.now() - timedelta(minutes=2))


def said(folder: Path) -> list[str]:
    lines = (folder / "said").read_text().splitlines()
    (folder / "said").write_text("")
    return lines


@pytest.mark.django_db
def test_a_policy_goes_up_and_down_one_by_one(make: Any, policy: Path, client_of: Callable[[str], Client]) -> None:
    tasks = [make(f"task {number}") for number in range(4)]
    scaling.scale(), scaling.scale()  # the second time it cools down
    assert said(policy) == ["p up p-1"]
    cooled_down()
    scaling.scale()
    cooled_down()
    scaling.scale()
    assert said(policy) == ["p up p-2"]  # no more than the maximum
    first, second = Host.objects.order_by("name")
    assert (first.labels, first.capacity, [one.name for one in first.channels.all()]) == (["policy=p"], 1, ["default"])
    held = hub.claim(first)
    assert held in tasks and held and held.claim
    Task.objects.exclude(pk=held.pk).update(state="canceled")
    scaling.scale()
    assert said(policy) == [] and not Host.objects.filter(state="draining").exists()  # there is load
    hub.start(held.claim), hub.finish(held.claim, {})
    scaling.scale()
    second.refresh_from_db()
    assert (said(policy), second.state) == ([], "draining")
    scaling.scale()
    second.refresh_from_db()
    assert (said(policy), second.state, second.comment) == (["p down p-2"], "disabled", "Removed by policy p.")
    [make(f"more {number}") for number in range(2)]
    cooled_down()
    scaling.scale()
    assert said(policy) == ["p up p-2"]  # it is used again
    client = client_of("viewer")
    page = client.get("/hosts/").content.decode()
    assert "removed</td>" in page and "Nothing runs on p-2 any more." in page
    told = client.get("/api/v1/scaling/?host=p-2").json()["results"]
    assert [one["direction"] for one in told] == ["up", "gone", "down", "up"]
    (policy / "scaling.yaml").write_text("p: 7")
    assert "Nothing is scaled: scaling.yaml:1: names with values" in client.get("/hosts/").content.decode()


@pytest.mark.django_db
def test_what_fails_is_said_and_tried_again_later(make: Any, policy: Path) -> None:
    make(), make()
    (policy / "fail").touch()
    scaling.scale()
    [host] = Host.objects.all()
    assert (host.state, host.comment) == ("disabled", "Removed by policy p: it could not be started.")
    [act] = ScalingAct.objects.all()
    assert act.failure.endswith("exited with status 1: No.") and act.ended_at
    (policy / "fail").unlink()
    scaling.scale()
    assert said(policy) == ["p up p-1"]
    cooled_down()
    scaling.scale()
    assert said(policy) == ["p up p-1"]
    host.refresh_from_db()
    assert host.in_service
    Host.objects.update(
        created_at=timezone.now() - timedelta(minutes=2), state_at=timezone.now() - timedelta(minutes=2)
    )
    scaling.scale()  # it never came
    host.refresh_from_db()
    assert (said(policy), host.state) == (["p down p-1"], "disabled")


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """An address, and what was posted there."""
    got: list[dict[str, str]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204 if len(got) == 1 else 503)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/hook", got
        server.shutdown()


@pytest.mark.django_db
def test_a_webhook_gets_a_token_for_the_new_host(make: Any, policy: Path, webhook: Any) -> None:
    address, got = webhook
    path = policy / "scaling.yaml"
    path.write_text(path.read_text().partition("  command")[0] + f"  webhook: {address}\n")
    make(), make()
    scaling.scale()
    assert (got[0]["policy"], got[0]["verb"], got[0]["host"]) == ("p", "up", "p-1")
    registered = Registration.objects.by_token(got[0]["registration"])
    assert registered and (registered.name, registered.labels) == ("p-1", ["policy=p"])
    cooled_down()
    scaling.scale()
    assert ScalingAct.objects.order_by("-pk")[0].failure == f"{address} answered 503:"


def scaled_builders(site: Site) -> list[psutil.Process]:
    """What runs of the builders that the hook started for this site."""
    found = []
    for process in marked("manage.py"):
        with suppress(psutil.Error):
            if process.environ().get("DEBATOMIC_STATE", "").startswith(f"{site.home}/scaled"):
                found.append(process)
    return found


@pytest.mark.integration
def test_the_shipped_hook_starts_and_drains_real_builders(site: Site) -> None:
    path = site.home / "scaling.yaml"
    path.write_text(f"local:\n  maximum: 2\n  up: {{queue: 1}}\n  down: {{queue: 0, load: 0}}\n  cooldown: 1\n"
                    f"  command: [{ROOT}/deploy/scale-local]\n")  # fmt: skip
    site.environment["DEBATOMIC_SCALING_FILE"] = str(path)
    tasks = site.ask('submit("sleep 1", 8)')
    ticking = site.spawn("manage.py", "tick")
    try:
        for task in tasks:
            assert site.until(task, "completed", "failed", seconds=180)["state"] == "completed", site.output()
        ran_on = {site.ask(f"task({task})")["host__name"] for task in tasks}
        assert ran_on <= {"local-1", "local-2"} and "local-1" in ran_on
        gone = "Host.objects.filter(name__startswith='local-').exclude(state='disabled').count()"
        wait(lambda: site.ask(gone) == 0, 120, site.output)
        wait(lambda: not scaled_builders(site), 60)
    finally:
        ticking.kill()
        for left in scaled_builders(site):
            with suppress(psutil.NoSuchProcess):
                left.kill()
