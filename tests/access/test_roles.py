"""The roles table, and what narrows it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied

from debatomic.access import roles
from debatomic.access.checks import may, owns, person, require
from debatomic.access.models import RoleBinding, User

EXAMPLES = [  # right, and whether viewer, packager, release manager, administrator have it
    ("builds.view", "1111"),
    ("builds.submit", "0111"),
    ("builds.compare", "0111"),
    ("builds.cancel", "0011"),
    ("builds.override", "0011"),
    ("composes.submit", "0011"),
    ("composes.publish", "0011"),
    ("composes.override", "0011"),
    ("chroots.try", "0111"),
    ("chroots.refresh", "0011"),
    ("chroots.network", "0001"),
    ("hosts.edit", "0001"),
    ("users.edit", "0001"),
    ("audit.view", "0001"),
]


@pytest.mark.parametrize(("right", "who"), EXAMPLES)
def test_roles_have_the_rights_of_the_table(users: dict[str, User], right: str, who: str) -> None:
    assert [users[role].may(right) for role in roles.TITLES] == [letter == "1" for letter in who]
    assert not users["stranger"].may(right) and not may(AnonymousUser(), right)


def test_each_role_may_what_the_one_before_it_may() -> None:
    rights = [roles.rights_of(role) for role in roles.TITLES]
    assert all(less < more for less, more in pairwise(rights))
    assert rights[-1] == set(roles.TABLE) and roles.rights_of("nothing") == frozenset()


def test_roles_add_up(users: dict[str, User]) -> None:
    stranger = User.objects.get(username="stranger")
    RoleBinding.objects.bulk_create(RoleBinding(user=stranger, role=role) for role in ("viewer", "packager"))
    assert stranger.roles == ("packager", "viewer") and stranger.may("builds.submit")


def test_a_key_narrows_and_never_widens(users: dict[str, User]) -> None:
    user = users["packager"]
    user.key_scopes = frozenset({"builds.view", "users.edit"})
    assert [right for right in roles.TABLE if user.may(right)] == ["builds.view"]


def test_a_disabled_person_may_nothing(users: dict[str, User]) -> None:
    user = users["administrator"]
    user.is_active = False
    assert not any(user.may(right) for right in roles.TABLE)


def test_an_unknown_right_is_a_mistake_of_ours(users: dict[str, User]) -> None:
    with pytest.raises(KeyError):
        users["administrator"].may("builds.sumbit")


def test_a_visitor_owns_nothing_and_is_nobody() -> None:
    class Thing:
        created_by_id = None

    assert not owns(AnonymousUser(), Thing())
    with pytest.raises(PermissionDenied):
        person(AnonymousUser())
    with pytest.raises(PermissionDenied, match="Your role does not allow this"):
        require(False)
