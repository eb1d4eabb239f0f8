"""Pages of source packages: all versions by target and architecture, and a list that turns its pages by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from builds.keeping.leaving import forget_builds
from builds.models import Build, SourcePackage, Target
from builds.provenance.by_name import LAST
from builds.tagging import changing
from debatomic.access.models import User
from hosts.models import Host, State, Task
from tests import scene


def names(client: Client, address: str) -> list[str]:
    answer = client.get(address)
    assert answer.status_code == 200
    return [package.name for package, _ in answer.context["rows"]]


def test_the_list_turns_its_pages_by_name(target: Target, somebody: User, client_of: Callable[[str], Client]) -> None:
    for number in range(120):
        scene.build(somebody, target, source=f"lib{number:03}")
    client = client_of("viewer")
    seen, address = [], "/packages/"
    while address:
        page = client.get(address).context["page"]
        seen += [each.name for each in page.rows]
        address = f"/packages/{page.older}" if page.older else ""
    assert seen == [f"lib{number:03}" for number in range(120)]
    back = client.get("/packages/?after=lib099").context["page"]
    assert names(client, f"/packages/{back.newer}") == seen[50:100]
    assert names(client, "/packages/?name=LIB00") == seen[:10]
    assert names(client, f"/packages/?before={LAST}") == seen[70:]
    assert names(client, "/packages/?target=sid") == []


def test_a_package_whose_newest_build_failed_is_found(
    target: Target, somebody: User, host: Host, client_of: Callable[[str], Client]
) -> None:
    build, client = scene.build(somebody, target), client_of("viewer")
    scene.fail(scene.begin(build, host))
    assert names(client, "/packages/?failed=on") == ["figlet"]
    build = Build.objects.get(pk=build.pk)
    build.retry(by=somebody)
    assert names(client, "/packages/?failed=on") == []
    scene.fail(scene.begin(build, host))
    scene.build(somebody, target)
    assert names(client, "/packages/?failed=on") == []


def test_what_failed_in_private_is_nobodys_news(
    target: Target, somebody: User, host: Host, client_of: Callable[[str], Client]
) -> None:
    visitor, address = client_of("visitor"), "/packages/?failed=on"
    for source, fails in (("good", False), ("bad", True)):
        for public in (True, False):
            build = scene.build(somebody, target, source=source, public=public)
            if public == fails:
                scene.fail(scene.begin(build, host))
            else:
                build.cancel(by=somebody)
    assert names(visitor, address) == ["bad"]
    assert [row["name"] for row in visitor.get("/api/v1/packages/?failed=true").json()["results"]] == ["bad"]
    assert names(client_of("viewer"), address) == ["good"]
    forget_builds(list(Build.objects.filter(source="good", task__public=False).values_list("task_id", flat=True)))
    assert names(client_of("viewer"), address) == [] and names(visitor, address) == ["bad"]


def test_a_name_without_builds_is_no_package(
    target: Target, somebody: User, client_of: Callable[[str], Client]
) -> None:
    kept, gone = scene.build(somebody, target, source="jq"), scene.build(somebody, target)
    scene.build(somebody, target, source="hidden", public=False)
    assert names(client_of("visitor"), "/packages/") == ["figlet", "jq"]
    assert client_of("visitor").get("/packages/hidden/").status_code == 404
    forget_builds([gone.task_id])
    assert sorted(SourcePackage.objects.values_list("name", flat=True)) == ["hidden", kept.source]


def test_the_matrix_has_the_newest_state_of_each_version(
    target: Target, somebody: User, client_of: Callable[[str], Client]
) -> None:
    older, newer, again = (scene.build(somebody, target) for _ in range(3))
    Build.objects.filter(pk=older.pk).update(version="2.2.5-3~bpo1")
    Task.objects.filter(parent=older.task_id).update(architecture="arm64", state=State.COMPLETED)
    Task.objects.filter(parent=newer.task_id).update(state=State.FAILED, cause="test")
    Task.objects.filter(pk=again.task_id).update(state=State.COMPLETED)
    Task.objects.filter(parent=again.task_id).update(state=State.COMPLETED)
    changing.take(target.tag, Build.objects.get(pk=again.pk))
    found = client_of("viewer").get("/packages/figlet/").context["package"]
    assert found.matrix.columns == (("trixie", "amd64"), ("trixie", "arm64"))
    assert [row.version for row in found.matrix.rows] == ["2.2.5-3", "2.2.5-3~bpo1"]
    states = [[cell and (cell.build, cell.state) for cell in row.cells] for row in found.matrix.rows]
    assert states == [[(again.pk, "completed"), None], [None, (older.pk, "completed")]]
    assert [(str(entry.tag), entry.build_id) for entry in found.tagged] == [("trixie", again.pk)]
    assert found.people == [("somebody", 3)]


@pytest.mark.parametrize("number", [3, 40])
def test_a_package_with_many_builds_costs_no_more(
    number: int, target: Target, somebody: User, client_of: Callable[[str], Client]
) -> None:
    client: Any = client_of("viewer")
    for index in range(number):
        Build.objects.filter(pk=scene.build(somebody, target).pk).update(version=f"{index}-1")
    with CaptureQueriesContext(connection) as asked:
        assert client.get("/packages/figlet/").status_code == 200
    assert len(asked) <= 9


def test_the_api_tells_the_same(target: Target, somebody: User, host: Host, client_of: Callable[[str], Client]) -> None:
    build = scene.build(somebody, target)
    scene.fail(scene.begin(build, host))
    client = client_of("viewer")
    rows = client.get("/api/v1/packages/?name=fig&failed=true&page_size=1").json()
    assert [(row["name"], row["newest"]["id"]) for row in rows["results"]] == [("figlet", build.pk)]
    told = client.get("/api/v1/packages/figlet/").json()
    assert told["versions"][0]["version"] == "2.2.5-3"
    assert [(cell["architecture"], cell["state"]) for cell in told["versions"][0]["built"]] == [("amd64", "failed")]
    assert told["failures"][0]["cause"] == "compile"
    assert client.get("/api/v1/packages/none/").status_code == 404
