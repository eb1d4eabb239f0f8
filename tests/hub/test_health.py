"""Health checks: what a report says takes a host out of service, and puts it back."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from debatomic.access.models import AuditEntry
from hosts import hub
from hosts.builder import examining
from hosts.builder.examining import Examiner
from hosts.fleet import health
from hosts.models import Event, Host

GIB = 1 << 30
NOW = timezone.now()
NOT_ROOT = {"name": "root", "found": "no", "mend": "Run it with sudo."}


def saying(*, free: float = 50, ahead: float = 0, problems: Any = ()) -> dict[str, Any]:
    disk = {"total": 100 * GIB, "free": free * GIB}
    return {"disk": disk, "clock": NOW.timestamp() + ahead, "problems": list(problems)}


@pytest.mark.parametrize(("said", "before", "names"), [
    (saying(), "", ""), (saying(free=1.9), "", "disk"), (saying(free=2.1), "", ""),
    (saying(free=2.1), "disk", "disk"), (saying(free=2.6), "disk", ""),
    (saying(ahead=14), "", ""), (saying(ahead=16), "", "clock"), (saying(ahead=-60), "", "clock"),
    (saying(ahead=14), "clock", "clock"), (saying(ahead=4), "clock", ""),
    (saying(problems=[NOT_ROOT]), "", "root"), (saying(free=0, ahead=99, problems=[NOT_ROOT]), "", "disk clock root"),
    ({}, "", ""), ({"disk": 7, "clock": "noon", "problems": "many"}, "", ""), ({"problems": [1, None]}, "", ""),
])  # fmt: skip
def test_what_a_report_is_judged_to_be(said: dict[str, Any], before: str, names: str) -> None:
    known = [{"name": name, "found": "", "mend": ""} for name in before.split()]
    assert [one["name"] for one in health.problems(said, NOW, known)] == names.split()


def test_the_clock_says_which_way_it_is_wrong() -> None:
    [ahead] = health.problems(saying(ahead=60), NOW, [])
    [behind] = health.problems(saying(ahead=-61), NOW, [])
    assert (ahead["found"], behind["found"]) == ("60 s ahead of the hub's", "61 s behind the hub's")


@pytest.mark.django_db
def test_a_host_goes_out_of_service_and_comes_back(make: Any, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timezone, "now", lambda: NOW)
    task = make()
    hub.report(host, saying(free=0.5))
    host.refresh_from_db()
    assert host.out_of_service == "is out of service: disk: 0.5 GiB are free, 2.0 GiB are needed."
    assert (host.in_service, hub.claim(host), Host.objects.in_service().count()) == (False, None, 0)
    hub.report(host, saying(free=0.4))  # the same again is no news
    hub.report(host, saying())
    host.refresh_from_db()
    assert (host.in_service, hub.claim(host), Host.objects.in_service().count()) == (True, task, 1)
    noted = list(AuditEntry.objects.order_by("pk").values_list("act", flat=True))
    assert noted == ["host.out-of-service", "host.in-service"]
    assert list(Event.objects.filter(kind="host").values_list("what", flat=True)) == ["problems", "healthy"]


def printing(checks: str) -> list[str]:
    return [sys.executable, "-c", f"print({checks!r})"]


@pytest.mark.parametrize(("command", "found"), [
    (printing('{"checks": [{"name": "root", "ok": true, "found": "yes"}]}'), []),
    (printing('{"checks": [{"name": "root", "ok": false, "found": "no", "mend": "Run it with sudo."}]}'), [NOT_ROOT]),
    (printing('{"checks": [{"name": "qemu", "ok": false, "found": "no", "needed": false}]}'), []),
    (printing('{"checks": [{"name": "mirror", "ok": false, "found": "it does not answer"}]}'), []),  # is ignored
    (printing("no JSON"), [{"name": "examination", "found": "no JSON", "mend": ""}]),
    ([sys.executable, "-c", ""], [{"name": "examination", "found": "it said nothing", "mend": ""}]),
])  # fmt: skip
def test_what_an_examination_finds(command: list[str], found: list[dict[str, str]]) -> None:
    assert examining.failing(command, ignored=["mirror"]) == found


def test_what_is_missing_once_is_no_problem_yet(tmp_path: Any) -> None:
    answer = tmp_path / "answer"
    missing, there = (json.dumps({"checks": [{"name": "mirror", "ok": ok, "found": "?"}]}) for ok in (False, True))
    examiner = Examiner([["cat", str(answer)]], seconds=300)
    names = []
    for said in (missing, there, missing, missing, missing, there):
        answer.write_text(said)
        examiner.examine()
        names.append([one["name"] for one in examiner.problems])
    assert names == [[], [], [], ["mirror"], ["mirror"], []]


def test_an_examination_has_a_time(tmp_path: Path) -> None:
    end = tmp_path / "end"
    quick = Examiner([["sh", "-c", f"until test -e {end}; do sleep 0.01; done; echo '{{}}'"]], seconds=300)
    quick.look()
    assert quick.is_running
    end.touch()
    while quick.is_running:
        time.sleep(0.01)
    quick.look()
    assert not quick.is_running  # not due
    never = Examiner([printing("{}")], seconds=0)
    never.look()
    assert not never.is_running
