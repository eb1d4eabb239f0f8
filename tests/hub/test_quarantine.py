"""Whether the host or the package is to blame, and what follows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from debatomic.access.models import AuditEntry
from hosts import hub, registry
from hosts.fleet import quarantine
from hosts.fleet.quarantine import Trial, verdict
from hosts.models import Attempt, Channel, Host, Task

HOST, PACKAGE, NOBODY = (4, 0), (0, 2), (0, 0)


def trial(number: int, elsewhere: tuple[int, int]) -> Trial:
    good, bad = elsewhere
    return Trial(task=number, title=f"p{number}", reason="", here_bad=1, elsewhere_good=good, elsewhere_bad=bad)


@pytest.mark.parametrize(("elsewhere", "blamed", "out"), [
    ([], "", False), ([HOST, HOST], "host host", False), ([HOST, HOST, HOST], "host host host", True),
    ([PACKAGE, PACKAGE, PACKAGE], "package package package", False),
    ([NOBODY, NOBODY, NOBODY], "unknown unknown unknown", False),
    ([HOST, PACKAGE, HOST, HOST], "host package host host", True),
    ([(3, 3), (2, 3), (3, 2)], "package package host", False),
])  # fmt: skip
def test_verdicts(elsewhere: list[tuple[int, int]], blamed: str, out: bool) -> None:
    trials = [trial(number, each) for number, each in enumerate(elsewhere)]
    assert " ".join(one.blame for one in trials) == blamed
    assert bool(verdict(trials, 3)) is out
    assert verdict(trials, 0) == ""


def test_the_sentence_compares_both_counts() -> None:
    said = verdict([trial(number, HOST) for number in range(4)], 3)
    assert said == ("4 tasks in a row failed here that succeed elsewhere: p0 (here 0 of 1, elsewhere 4 of 4); "
                    "p1 (here 0 of 1, elsewhere 4 of 4); p2 (here 0 of 1, elsewhere 4 of 4); and 1 more.")  # fmt: skip


@pytest.fixture
def good(host: Host, default_channel: Channel) -> Host:
    made = Host.objects.create(name="good", architectures=["amd64"], capacity=100, seen_at=timezone.now())
    made.channels.add(default_channel)
    return made


@pytest.fixture
def build(methods: dict[str, registry.Method], make: Any) -> Callable[..., Task]:
    """Have a host run a build of a package to its end."""
    methods["work"] = registry.Method(
        name="work", about=lambda request: registry.About(package=request.get("source", ""))
    )

    def run(package: str, on: Host, *, well: bool) -> Task:
        task: Task = make(package, request={"source": package})
        assert hub.claim(on) == task
        task.refresh_from_db()
        assert task.claim and hub.start(task.claim)
        ended = hub.finish(task.claim, {}) if well else hub.fail(task.claim, reason="It said no.", kind="build")
        assert ended
        return task

    return run


@pytest.mark.django_db
def test_a_bad_host_is_put_in_quarantine_and_trusted_again(
    build: Any, make: Any, host: Host, good: Host, client_of: Callable[[str], Client]
) -> None:
    for package in ("figlet", "jq", "dash"):
        build(package, good, well=True)
    for package in ("figlet", "jq"):
        build(package, host, well=False)
        assert quarantine.look() == 0
    build("dash", host, well=False)
    assert (quarantine.look(), quarantine.look()) == (1, 0)
    host.refresh_from_db()
    assert host.quarantine.startswith("3 tasks in a row failed here that succeed elsewhere: dash (here 0 of 1")
    make("waits")
    assert hub.claim(host) is None
    client = client_of("administrator")
    page = client.get(f"/hosts/{host}/").content.decode()
    assert "is in quarantine: 3 tasks in a row failed here" in page and page.count("this host</td>") == 3
    told = client.get(f"/api/v1/hosts/{host}/failures/").json()
    assert [(one["title"], one["blame"]) for one in told] == [("dash", "host"), ("jq", "host"), ("figlet", "host")]
    assert client.post(f"/api/v1/hosts/{host}/lift/").json()["in_service"]
    host.refresh_from_db()
    assert (quarantine.trials(host), quarantine.look()) == ([], 0)
    assert hub.claim(host) is not None


@pytest.mark.django_db
def test_bad_packages_are_not_held_against_a_host(build: Any, host: Host, good: Host) -> None:
    for package in ("broken-1", "broken-2", "broken-3", "new"):
        if package != "new":
            build(package, good, well=False)
        build(package, host, well=False)
    assert [one.blame for one in quarantine.trials(host)] == ["unknown", "package", "package", "package"]
    assert quarantine.look() == 0


@pytest.mark.django_db
def test_a_success_ends_the_row_and_old_ones_do_not_compare(build: Any, host: Host, good: Host) -> None:
    for package in ("figlet", "jq", "dash"):
        build(package, good, well=True)
        build(package, host, well=False)
    long_ago = timezone.now() - timedelta(days=31)
    Attempt.objects.filter(host=good).update(finished_at=long_ago)
    assert {one.blame for one in quarantine.trials(host)} == {"unknown"}
    build("figlet", host, well=True)
    assert quarantine.trials(host) == []


@pytest.mark.django_db
def test_without_a_package_the_task_itself_is_compared(make: Any, host: Host, good: Host) -> None:
    task = make("once")
    assert hub.claim(host) == task
    task.refresh_from_db()
    assert hub.fail(task.claim, reason="No network.", kind="infrastructure")
    Task.objects.update(not_before_at=None)
    assert hub.claim(good) == task
    task.refresh_from_db()
    assert hub.start(task.claim) and hub.finish(task.claim, {})
    [one] = quarantine.trials(host)
    assert (one.blame, one.here, one.elsewhere) == ("host", "0 of 1", "1 of 1")


def failing(build: Any, host: Host, good: Host) -> None:
    """Three packages that build on the good host and fail on the other."""
    for package in ("figlet", "jq", "dash"):
        build(package, good, well=True)
    for package in ("figlet", "jq", "dash"):
        build(package, host, well=False)


@pytest.mark.django_db
@pytest.mark.parametrize("good_one", [
    {"state": "maintenance"}, {"seen_at": None}, {"architectures": ["arm64"]}, {"problems": [{"name": "disk"}]},
])  # fmt: skip
def test_the_last_usable_host_is_warned_of_only(
    build: Any, make: Any, host: Host, good: Host, good_one: dict[str, Any], client_of: Callable[[str], Client]
) -> None:
    failing(build, host, good)
    before = {name: getattr(good, name) for name in good_one}
    Host.objects.filter(pk=good.pk).update(**good_one)
    assert (quarantine.look(), quarantine.look()) == (0, 0)
    host.refresh_from_db()
    assert host.in_service and host.warning.endswith(
        "It stays in service because no other host has amd64 in channel default."
    )
    assert AuditEntry.objects.filter(act="host.warn").count() == 1
    client = client_of("administrator")
    for page in (f"/hosts/{host}/", "/"):
        assert "It stays in service because no other host" in client.get(page).content.decode()
    assert client.get(f"/api/v1/hosts/{host}/").json()["warning"] == host.warning
    Host.objects.filter(pk=good.pk).update(**before)
    assert quarantine.look() == 1
    host.refresh_from_db()
    assert host.quarantined_at and not host.warning


@pytest.mark.django_db
def test_a_warning_ends_with_a_success_or_by_trust(
    build: Any, host: Host, good: Host, client_of: Callable[[str], Client]
) -> None:
    failing(build, host, good)
    Host.objects.filter(pk=good.pk).update(state="disabled")
    quarantine.look()
    build("another", host, well=True)
    quarantine.look()
    host.refresh_from_db()
    assert not host.warning
    Host.objects.filter(pk=host.pk).update(warning="Something.")
    assert client_of("administrator").post(f"/api/v1/hosts/{host}/lift/").json()["warning"] == ""


@pytest.mark.django_db
def test_two_bad_hosts_do_not_both_go(build: Any, host: Host, good: Host, default_channel: Channel) -> None:
    other = Host.objects.create(name="other", architectures=["amd64"], seen_at=timezone.now())
    other.channels.add(default_channel)
    failing(build, host, good)
    failing(build, other, good)
    Host.objects.filter(pk=good.pk).update(state="disabled")
    assert quarantine.look() == 1
    assert Host.objects.in_service().count() == 1
