"""Lists cost the same number of queries for 3 rows as for 60."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from builds.models import Build, Target
from chroots.models import Chroot, ChrootCopy, Refresh
from composes.models import Compose
from hosts.models import Artifact, Channel, Host, State, Task
from tests import scene

#  address, most queries a signed-in viewer may cost
LISTS = [
    ("/", 24),
    ("/builds/", 6),
    ("/builds/?source=fig&state=live&target=trixie", 7),
    ("/builds/leaving/?kept=1", 6),
    ("/packages/", 7),
    ("/packages/?name=fig&target=trixie", 7),
    ("/files/?name=figlet", 6),
    ("/builds/?verdict=fail", 7),
    ("/checks/", 6),
    ("/chains/?state=live&target=trixie", 9),
    ("/composes/", 6),
    ("/definitions/", 6),
    ("/releases/", 7),
    ("/tasks/", 6),
    ("/schedules/", 6),
    ("/hosts/", 6),
    ("/chroots/", 8),
    ("/chroots/?suite=trixie", 8),
    ("/chroots/trixie-amd64/", 12),
    ("/chroots/trixie-amd64/builds/", 7),
    ("/chroots/trixie-amd64/refreshes/", 7),
    ("/builds/?cause=compile", 7),
    ("/artifacts/", 6),
    ("/search/?q=figlet", 6),
]


def grow(number: int, target: Target, by: Any) -> None:
    """That many more of everything, in every state."""
    channel = target.channel
    for index in range(number):
        build = scene.build(by, target, source=f"figlet{index}")
        for name in ("lintian", "install"):
            build.checks.create(check_name=name, level="blocks", architecture="amd64", verdict="fail")
        compose = scene.compose(by, channel, number=Compose.objects.count())
        scene.carried(compose, somebody=by)
        Build.objects.filter(pk=build.pk).update(kept=True)
        state = [State.COMPLETED, State.FAILED, State.CANCELED][index % 3]
        ended = {"state": state, "reason": "It said no.", "started_at": timezone.now(), "finished_at": timezone.now()}
        Task.objects.filter(parent__in=[build.task_id, compose.task_id]).update(**ended)
        if index % 2:
            Task.objects.filter(pk__in=[build.task_id, compose.task_id]).update(**ended)
        host = Host.objects.create(name=f"host-{Host.objects.count()}", seen_at=timezone.now() - timedelta(hours=1))
        host.channels.add(channel)
        chroot = Chroot.objects.create(name=f"c-{Chroot.objects.count()}", suite="trixie", architecture="amd64")
        target.chroots.add(chroot)
        ChrootCopy.objects.create(chroot=chroot, host=host, base_id="x", made_at=timezone.now())
        Artifact.objects.create(task=build.task, name="a", sha256="0" * 64, size=1)
        task = Task.objects.create(method="chroot-init", channel=channel, state=State.COMPLETED)
        facts = {"manifest": "0" * 64, "added": 1, "removed": 0, "upgraded": 2, "made_at": timezone.now()}
        first = Chroot.objects.get(name="trixie-amd64")
        Refresh.objects.create(chroot=first, task=task, **facts)


def queries(client: Client, address: str) -> list[str]:
    with CaptureQueriesContext(connection) as asked:
        assert client.get(address).status_code == 200, address
    return [query["sql"] for query in asked.captured_queries]


def test_lists(target: Target, somebody: Any, client_of: Callable[[str], Client], subtests: pytest.Subtests) -> None:
    client = client_of("viewer")
    grow(6, target, somebody)
    few = {address: queries(client, address) for address, _ in LISTS}
    grow(54, target, somebody)
    for address, most in LISTS:
        with subtests.test(address):
            many = queries(client, address)

            assert len(many) == len(few[address]) <= most
            assert not any("COUNT(*)" in sql and "hosts_task" not in sql for sql in many)


def test_a_build_with_many_files(target: Target, somebody: Any, client_of: Callable[[str], Client]) -> None:
    client = client_of("viewer")
    build = scene.build(somebody, target)
    task = build.task.children.get()
    Task.objects.filter(pk__in=[task.pk, build.task_id]).update(state=State.COMPLETED, finished_at=timezone.now())
    counts = []
    for number in (3, 60):
        for index in range(number):
            name = f"{number}-{index}.deb"
            Artifact.objects.create(task=task, name=name, kind=Artifact.Kind.BINARY, sha256="0" * 64, size=1)
        with CaptureQueriesContext(connection) as asked:
            assert client.get(f"/builds/{build.pk}/").status_code == 200
        counts.append(len(asked))

    assert counts[0] == counts[1] <= 10


def test_old_pages_are_found_by_key(default_channel: Channel, target: Target, somebody: Any,
                                    client_of: Callable[[str], Client]) -> None:  # fmt: skip
    client = client_of("viewer")
    made = [scene.build(somebody, target, source=f"p{index}").pk for index in range(120)]
    assert Build.objects.count() == 120
    seen: list[int] = []
    address = "/builds/"
    while address:
        page = client.get(address).context["page"]
        seen += [row.pk for row in page.rows]
        address = f"/builds/{page.older}" if page.older else ""
    back = client.get(f"/builds/?before={made[20]}").context["page"]

    assert seen == made[::-1]
    assert [row.pk for row in client.get(f"/builds/{back.newer}").context["page"].rows] == made[20:70][::-1]
    assert client.get("/builds/?before=nonsense").context["page"].is_first
