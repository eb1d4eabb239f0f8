"""Submitting composes: names, rows, and what is refused."""

from __future__ import annotations

import re

import pytest

from composes.models import Compose, Definition
from debatomic.access.models import AuditEntry, User
from debatomic.tools.errors import InputError
from hosts.models import Task
from hosts.queue.wishes import Wishes

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
