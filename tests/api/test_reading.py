"""Lists, filters, pages, logs and files of the API, and how many queries they cost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from builds.models import Target
from debatomic.access.models import User
from hosts.live import logs
from hosts.models import Artifact, Host, Log, Task
from tests import scene

LISTS = {  # queries of a list: session, user, roles, the rows, and one for each kind of thing beside them
    "tasks/": 5, "hosts/": 5, "channels/": 4, "artifacts/": 4, "targets/": 5, "builds/": 5, "chroots/": 5,
    "definitions/": 5, "composes/": 4, "keys/": 3,
}  # fmt: skip


def test_a_longer_list_costs_no_more_queries(
    world: dict[str, Any], host: Host, tmp_path: Path, client_of: Callable[[str], Client],
    django_assert_num_queries: Callable[..., Any], subtests: pytest.Subtests,
) -> None:  # fmt: skip
    client, target, somebody = client_of("administrator"), Target.objects.get(), User.objects.get(username="somebody")

    def rows(path: str) -> int:
        with django_assert_num_queries(LISTS[path], info=path):
            return len(client.get(f"/api/v1/{path}").json()["results"])

    few = {path: rows(path) for path in LISTS}
    Task.objects.filter(state="free").update(priority=90)
    for number in range(4):
        scene.complete(
            scene.begin(_first_in_line(scene.build(somebody, target)), host),
            tmp_path,
            name=f"figlet_{number}_amd64.deb",
        )
        scene.compose(somebody, target.channel, number=10 + number)
    for path in LISTS:
        with subtests.test(path):
            grown = 1 if path in ("tasks/", "builds/", "composes/", "artifacts/") else 0
            assert rows(path) >= few[path] + grown


def _first_in_line(build: Any) -> Any:
    Task.objects.filter(parent=build.task_id).update(priority=1)
    return build


FILTERS = [
    ("builds/?state=failed", ["failed"]),
    ("builds/?state=failed&state=completed", ["finished", "failed"]),
    ("builds/?source=figlet&target=trixie&created_by=somebody", ["private", "waiting", "finished", "failed"]),
    ("builds/?source=jq", []),
    ("builds/?tag=trixie", ["finished"]),
    ("builds/?cause=compile", ["failed"]),
    ("builds/?cause=dep-wait", []),
    ("builds/?cause=dep-wait&cause=compile&chroot=trixie-amd64", ["failed"]),
    ("tasks/?cause=compile&is_parent=false&method=build-arch", ["failed_task"]),
    ("composes/?state=STARTED&definition=debian-atomic", ["secret_compose", "compose"]),
    ("composes/?state=DOOMED", ["failed_compose"]),
    ("tasks/?state=failed&host=builder-1&method=build-arch", ["failed_task"]),
    (
        "tasks/?state=completed&method=build-arch&architecture=amd64&channel=default",
        ["finished_task"],
    ),
    ("artifacts/?kind=binary", ["artifact"]),
    ("artifacts/?name=nothing.deb", []),
]


def test_filters_narrow(world: dict[str, Any], client_of: Callable[[str], Client], subtests: pytest.Subtests) -> None:
    client = client_of("viewer")
    for path, wanted in FILTERS:
        with subtests.test(path):
            found = client.get(f"/api/v1/{path}").json()["results"]
            assert [one["id"] for one in found] == [world[name] for name in wanted]


@pytest.mark.parametrize(
    "path", ["builds/?state=nonsense", "composes/?state=free", "tasks/?parent=x", "artifacts/?kind=x"]
)
def test_a_filter_that_cannot_be_is_refused_by_name(path: str, client_of: Callable[[str], Client]) -> None:
    answer = client_of("viewer").get(f"/api/v1/{path}")
    assert answer.status_code == 400 and list(answer.json()) == [path.split("?")[1].split("=", maxsplit=1)[0]]


def test_pages_follow_each_other(target: Target, somebody: User, client_of: Callable[[str], Client]) -> None:
    made = [scene.build(somebody, target).pk for _ in range(7)]
    client, seen, address = client_of("viewer"), [], "/api/v1/builds/?page_size=3"
    while address:
        page = client.get(address).json()
        seen += [one["id"] for one in page["results"]]
        address = page["next"]
    assert seen == made[::-1]


def test_a_task_says_why_it_waits_and_how_it_failed(world: dict[str, Any], client_of: Callable[[str], Client]) -> None:
    client = client_of("viewer")
    assert client.get(f"/api/v1/tasks/{world['waiting_task']}/").json()["why_waiting"]
    failed = client.get(f"/api/v1/tasks/{world['failed_task']}/").json()
    assert (failed["state"], failed["host"], failed["why_waiting"]) == ("failed", "builder-1", "")
    assert failed["reason"] == "dpkg-buildpackage exited with status 2."
    assert failed["decisive"] == ["error: no such file"]
    assert [(one["number"], one["host"], one["outcome"]) for one in failed["attempts"]] == [(1, "builder-1", "failed")]
    build = client.get(f"/api/v1/builds/{world['finished']}/").json()
    assert (build["state"], build["tags"]) == ("completed", ["trixie"])
    assert [one["name"] for one in build["binaries"]] == ["figlet"]


def test_a_log_is_read_from_any_byte_on(world: dict[str, Any], client_of: Callable[[str], Client]) -> None:
    client, address = client_of("viewer"), f"/api/v1/tasks/{world['failed_task']}/logs/"
    logs.seal_ended()
    listed = client.get(address).json()
    assert [(one["attempt"], one["name"], one["size"]) for one in listed] == [(1, "build", 19)]
    whole = client.get(listed[0]["url"])
    assert (whole.content, whole["X-Log-Offset"], whole["X-Log-Sealed"]) == (b"unpacking\nbuilding\n", "19", "yes")
    part = client.get(f"{address}1/build/?offset=10&limit=5", headers={"Accept": "text/plain"})
    assert (part.content, part["X-Log-Offset"], part["X-Log-Sealed"]) == (b"build", "15", "no")
    assert client.get(f"{address}1/build/?offset=-1").status_code == 400
    assert client.get(f"{address}2/build/").status_code == 404
    assert client.get(f"{address}1/nothing/").status_code == 404


def test_a_growing_log_is_not_sealed(
    target: Target, somebody: User, host: Host, client_of: Callable[[str], Client]
) -> None:
    task = scene.begin(scene.build(somebody, target), host)
    answer = client_of("viewer").get(f"/api/v1/tasks/{task.pk}/logs/1/build/")
    assert (answer["X-Log-Offset"], answer["X-Log-Sealed"]) == ("19", "no")
    assert Log.objects.get().sealed_at is None


RANGES = [
    ("", 200, b"a package", None),
    ("bytes=0-", 200, b"a package", None),
    ("bytes=2-", 206, b"package", "bytes 2-8/9"),
    ("bytes=2-5", 206, b"pack", "bytes 2-5/9"),
    ("bytes=2-500", 206, b"package", "bytes 2-8/9"),
    ("bytes=9-", 416, b"", "bytes */9"),
    ("bytes=5-2", 416, b"", "bytes */9"),
    ("lines=1-2", 200, b"a package", None),
]


def test_a_download_goes_on_from_any_byte(
    world: dict[str, Any], client_of: Callable[[str], Client], subtests: pytest.Subtests
) -> None:
    client, address = client_of("viewer"), f"/api/v1/artifacts/{world['artifact']}/download/"
    for wanted, status, content, span in RANGES:
        with subtests.test(wanted):
            answer = client.get(address, headers={"Range": wanted} if wanted else {})
            assert (answer.status_code, b"".join(answer) if answer.streaming else answer.content) == (status, content)
            assert answer.get("Content-Range") == span


def test_a_download_is_saved_never_run(world: dict[str, Any], client_of: Callable[[str], Client]) -> None:
    Artifact.objects.filter(pk=world["artifact"]).update(name="x.html", media_type="text/html")
    answer = client_of("viewer").get(f"/api/v1/artifacts/{world['artifact']}/download/")
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"] == 'attachment; filename="x.html"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    known = client_of("viewer").get(answer.wsgi_request.path, headers={"If-None-Match": answer["ETag"]})
    assert known.status_code == 304


def test_priorities_move_a_task(world: dict[str, Any], client_of: Callable[[str], Client]) -> None:
    client, address = client_of("release-manager"), f"/api/v1/tasks/{world['waiting_task']}/priority/"
    assert client.post(address, {"priority": 5}, content_type="application/json").json()["priority"] == 5
    wrong = client.post(address, {"priority": -5}, content_type="application/json")
    assert wrong.status_code == 400 and list(wrong.json()) == ["priority"]


def test_visitors_are_slowed_down_people_are_not(
    monkeypatch: pytest.MonkeyPatch, world: dict[str, Any], client_of: Callable[[str], Client]
) -> None:
    monkeypatch.setattr("debatomic.access.throttles.VisitorThrottle.get_rate", lambda self: "3/min")
    visitor, viewer = client_of("visitor"), client_of("viewer")
    assert [visitor.get("/api/v1/builds/").status_code for _ in range(4)] == [200, 200, 200, 429]
    assert [viewer.get("/api/v1/builds/").status_code for _ in range(4)] == [200] * 4
