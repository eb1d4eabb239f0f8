"""Submitting composes: names, rows, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from builds.models import Target
from composes.methods import publish_command
from composes.models import Compose, Definition, Revision
from debatomic.access.models import AuditEntry, User
from debatomic.tools.errors import InputError
from hosts.kept import store
from hosts.models import Task
from hosts.queue.wishes import Wishes
from hosts.registry import Job
from hosts.schedule import orders
from tests import scene
from tests.storage import Storage

pytestmark = pytest.mark.django_db


def test_a_compose_is_a_parent_with_publishing_last(definition: Definition, users: dict[str, User]) -> None:
    compose = Compose.objects.submit(definition=definition, variant="minimal", by=users["release-manager"])

    made, publish = compose.task.children.order_by("pk")
    assert (made.method, made.architecture, publish.method) == ("compose-arch", "amd64", "publish")
    assert list(publish.dependencies.all()) == [made]
    assert made.request["files"][made.request["main"]]
    assert compose.state == "STARTED"
    assert re.fullmatch(r"debian-atomic-minimal-\d{8}\.0", compose.identity)
    assert made.request["respin"] == 0
    assert AuditEntry.objects.get(act="compose.submit").thing == compose.identity


def test_composes_of_one_day_are_numbered(definition: Definition, users: dict[str, User]) -> None:
    names = [Compose.objects.submit(definition=definition, variant="minimal", by=users["administrator"]).identity
             for _ in range(3)]  # fmt: skip
    assert [name.rpartition(".")[2] for name in names] == ["0", "1", "2"]


def test_versions_do_not_repeat_on_another_day(definition: Definition, users: dict[str, User]) -> None:
    """The archive may have the date of yesterday still."""
    for number, identity in enumerate(("debian-atomic-minimal-20200101.0", "debian-atomic-minimal-20200102.0")):
        made = Compose.objects.submit(definition=definition, variant="minimal", by=users["administrator"])
        request = made.task.children.order_by("pk")[0].request
        assert (made.identity.rpartition(".")[2], request["respin"]) == ("0", number)
        Compose.objects.filter(pk=made.pk).update(identity=identity)


@pytest.mark.parametrize(
    ("variant", "architectures", "field", "sentence"),
    [
        ("maximal", None, "variant", "has no variant 'maximal'; it has .*minimal"),
        ("minimal", ["s390x"], "architectures", "not written for s390x; it is for amd64"),
    ],
)
def test_what_the_definition_does_not_know_is_refused(
    variant: str, architectures: list[str] | None, field: str, sentence: str, definition: Definition,
    users: dict[str, User],
) -> None:  # fmt: skip
    with pytest.raises(InputError, match=sentence) as caught:
        Compose.objects.submit(
            definition=definition, variant=variant, architectures=architectures, by=users["administrator"]
        )
    assert caught.value.field == field
    assert not Task.objects.exists()


def test_wishes_reach_what_is_made(definition: Definition, users: dict[str, User]) -> None:
    wishes = Wishes(priority=30, limits={"memory": 1 << 30}, retries={"build": {"attempts": 2}})
    compose = Compose.objects.submit(
        definition=definition, variant="minimal", by=users["release-manager"], wishes=wishes
    )  # fmt: skip
    made, publish = compose.task.children.order_by("pk")
    assert (made.priority, publish.priority, made.limits["memory"]) == (30, 30, 1 << 30)
    assert made.retries == {"build": {"attempts": 2}}
    with pytest.raises(InputError, match="no limit") as refused:
        Compose.objects.submit(definition=definition, variant="minimal", by=users["release-manager"],
                               wishes=Wishes(limits={"luck": 1}))  # fmt: skip
    assert refused.value.field == "limits"


def test_variants_keep_the_order_of_the_treefile(definition: Definition) -> None:
    revision = definition.latest
    assert revision
    names = ["zebra", "apple", "monkey", "a", "much-longer"]
    revision.variants = {name: {"title": name, "architectures": ["amd64"]} for name in names}
    revision.save()
    revision.refresh_from_db()
    assert list(revision.variants) == names
    assert revision.variants["apple"] == {"title": "apple", "architectures": ["amd64"]}


def ended(definition: Definition, by: User) -> Compose:
    compose = Compose.objects.submit(definition=definition, variant="minimal", by=by)
    compose.cancel(by=by)
    compose.task.refresh_from_db()
    return compose


def test_the_same_revision_is_composed_again_with_changes(
    definition: Definition, users: dict[str, User], client_of: Callable[[str], Client]
) -> None:
    first = ended(definition, users["release-manager"])
    newer = Revision.objects.get(pk=first.revision_id)
    newer.pk, newer.number = None, newer.number + 1
    newer.save()
    running = Compose.objects.submit(definition=definition, variant="minimal", by=users["release-manager"])
    client = client_of("release-manager")
    asked = {"priority": 40, "limits": {"memory": 1 << 30}, "after": [running.pk]}
    answer = client.post(f"/api/v1/composes/{first.pk}/resubmit/", asked, content_type="application/json")
    assert answer.status_code == 201, answer.content
    made = Compose.objects.get(pk=answer.json()["id"])
    assert (made.revision, made.variant, made.architectures) == (first.revision, "minimal", ["amd64"])
    assert made.identity != first.identity
    child = made.task.children.get(method="compose-arch")
    assert (child.priority, child.limits["memory"]) == (40, 1 << 30)
    assert list(child.dependencies.all()) == [running.task]


@pytest.mark.parametrize(("asked", "field"), [
    ({"after": [99999]}, "after"), ({"after_builds": [99999]}, "after_builds"),
    ({"architectures": ["s390x"]}, "architectures"), ({"limits": {"memory": -1}}, "limits"),
])  # fmt: skip
def test_wrong_changes_are_refused_at_their_field(
    definition: Definition, users: dict[str, User], client_of: Callable[[str], Client], asked: Any, field: str
) -> None:
    first = ended(definition, users["release-manager"])
    answer = client_of("release-manager").post(
        f"/api/v1/composes/{first.pk}/resubmit/", asked, content_type="application/json"
    )
    assert answer.status_code == 400 and list(answer.json()) == [field]
    assert Compose.objects.count() == 1


def test_who_may_not_and_what_runs_is_not_resubmitted(
    definition: Definition, users: dict[str, User], client_of: Callable[[str], Client]
) -> None:
    first = Compose.objects.submit(definition=definition, variant="minimal", by=users["release-manager"])
    again = f"/api/v1/composes/{first.pk}/resubmit/"
    assert client_of("release-manager").post(again).status_code == 409
    first.cancel(by=users["release-manager"])
    assert client_of("viewer").post(again).status_code == 403


def test_the_page_composes_again(
    definition: Definition, users: dict[str, User], client_of: Callable[[str], Client]
) -> None:
    first = ended(definition, users["release-manager"])
    client = client_of("release-manager")
    assert f"/composes/{first.pk}/resubmit/" in client.get(first.get_absolute_url()).content.decode()
    page = f"/composes/{first.pk}/resubmit/"
    assert client.get(page).status_code == 200
    refused = client.post(page, {"after": "nothing-1"})
    assert refused.status_code == 422 and "There is no compose nothing-1." in refused.content.decode()
    running = Compose.objects.submit(definition=definition, variant="minimal", by=users["release-manager"])
    made = client.post(page, {"after": running.identity, "priority": "30"})
    newest = Compose.objects.latest("pk")
    assert made["Location"] == newest.get_absolute_url() and newest.pk != running.pk
    assert list(newest.task.children.get(method="compose-arch").dependencies.all()) == [running.task]


def test_a_compose_waits_for_builds(
    definition: Definition, users: dict[str, User], target: Target, client_of: Callable[[str], Client]
) -> None:
    build = scene.build(users["packager"], target)
    told = {"definition": "debian-atomic", "variant": "minimal", "after_builds": [build.pk]}
    made = client_of("release-manager").post("/api/v1/composes/", told, content_type="application/json")
    assert made.status_code == 201
    child = Compose.objects.get(pk=made.json()["id"]).task.children.get(method="compose-arch")
    assert list(child.dependencies.all()) == [build.task]


@pytest.mark.parametrize("kept_there", [True, False])
def test_publishing_takes_the_tree_from_wherever_it_is_kept(kept: Storage, tmp_path: Path, kept_there: bool) -> None:
    (tmp_path / "packed").write_bytes(b"a tree")
    tree = store.put(tmp_path / "packed")[0] if kept_there else "0" * 64
    request = {"identity": "x-1", "tree": tree, "ref": "debian/13/amd64/minimal", "commit": "c" * 64}
    job = Job(task=1, attempt=1, claim="", method="publish", title="", architecture="", request=request, limits={},
              folder=tmp_path / "job")  # fmt: skip
    if not kept_there:
        with pytest.raises(InputError, match="is not kept any more"):
            publish_command(job)
        return
    command = publish_command(job)
    assert Path(command[command.index("--from") + 1]).read_bytes() == b"a tree"


def test_it_is_composed_again_with_other_parts_or_the_same(
    definition: Definition, users: dict[str, User], client_of: Callable[[str], Client]
) -> None:
    first = ended(definition, users["release-manager"])
    client, again = client_of("release-manager"), f"/api/v1/composes/{first.pk}/resubmit/"

    def asked(**told: list[str]) -> dict[str, Any]:
        answer = client.post(again, told, content_type="application/json")
        assert answer.status_code == 201, answer.content
        made = Compose.objects.get(pk=answer.json()["id"])
        request: dict[str, Any] = made.task.request
        return request

    assert asked() == {}
    assert asked(only=["qcow2"], skip=["test"]) == {"only": ["qcow2"], "skip": ["test"]}
    page = f"/composes/{first.pk}/resubmit/"
    assert client.post(page, {"skip": "publish upgrade"}).status_code == 302
    made = Compose.objects.latest("pk")
    assert made.task.request == {"skip": ["publish", "upgrade"]}
    made.cancel(by=users["release-manager"])
    shown = client.get(f"/composes/{made.pk}/resubmit/").content.decode()
    assert 'value="publish upgrade"' in shown, "what was chosen before stands in the form"
    assert client.post(page, {"only": "cdrom"}).status_code == 422


@pytest.mark.parametrize(("more", "request_"), [
    ({}, {}), ({"only": "qcow2 raw", "skip": "test"}, {"only": ["qcow2", "raw"], "skip": ["test"]}),
])  # fmt: skip
def test_a_schedule_composes_a_part(
    definition: Definition, users: dict[str, User], more: dict[str, str], request_: dict[str, Any]
) -> None:
    parameters = orders.checked("compose", {"definition": "debian-atomic", "variant": "minimal", **more})
    task = orders.order("compose").prepare(parameters, users["release-manager"])()
    assert task.request == request_
    assert task.children.filter(method="publish").exists() != bool(request_)
    with pytest.raises(InputError, match="no phase or deliverable cdrom"):
        orders.order("compose").prepare({**parameters, "only": "cdrom"}, users["release-manager"])
