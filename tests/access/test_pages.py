"""Account, keys, users and audit: every page for every role, and what administrators can and cannot do."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from debatomic.access import roles
from debatomic.access.models import ApiKey, AuditEntry, RoleBinding, User

WHO = ("visitor", "stranger", "viewer", "packager", "release-manager", "administrator")
OWN = "302 200 200 200 200 200"
ADMINISTRATORS = "302 403 403 403 403 200"
TABLE = [
    ("/sign-in/", "200 302 302 302 302 302"),
    ("/account/", OWN),
    ("/account/password/", OWN),
    ("/account/keys/", OWN),
    ("/users/", ADMINISTRATORS),
    ("/users/{pk}/", ADMINISTRATORS),
    ("/audit/", ADMINISTRATORS),
]
VERBS = [
    ("/account/keys/da_nobodys/revoke/", "302 404 404 404 404 404"),
    ("/users/", "302 403 403 403 403 400"),
    ("/users/{pk}/new-password/", ADMINISTRATORS),
]


@pytest.mark.parametrize(("address", "answers"), TABLE)
def test_each_role_gets_its_pages(
    address: str, answers: str, users: dict[str, User], client_of: Callable[[str], Client]
) -> None:
    path = address.format(pk=users["viewer"].pk)
    got = [client_of(who).get(path).status_code for who in WHO]
    assert got == [int(status) for status in answers.split()]


@pytest.mark.parametrize(("address", "answers"), VERBS)
def test_each_role_may_do_its_acts(
    address: str, answers: str, users: dict[str, User], client_of: Callable[[str], Client]
) -> None:
    path = address.format(pk=users["viewer"].pk)
    got = [client_of(who).post(path).status_code for who in WHO]
    assert got == [int(status) for status in answers.split()]
    if "users" not in address:
        assert client_of("administrator").get(path).status_code == 405


def secret_in(page: str) -> str:
    found = re.search(r'id="secret"[^>]*value="([^"]+)"', page)
    return found[1] if found else ""


def test_a_key_is_shown_once_and_revoked(users: dict[str, User], client_of: Callable[[str], Client]) -> None:
    client = client_of("packager")
    made = client.post("/account/keys/", {"name": "nightly", "scopes": ["builds.submit", "builds.view"], "days": "30"})
    secret = secret_in(made.content.decode())
    key = ApiKey.objects.get()
    assert secret.startswith("da_") and key.scopes == ["builds.submit", "builds.view"] and key.user == users["packager"]
    assert made["Cache-Control"].count("no-store") == 1
    again = client.get("/account/keys/").content.decode()
    assert "nightly" in again and secret not in again and not secret_in(again)
    headers = {"Authorization": f"Bearer {secret}"}
    assert Client(headers=headers).get("/api/v1/users/me/").json()["rights"] == ["builds.view", "builds.submit"]
    assert client_of("viewer").post(f"/account/keys/{key.token_key}/revoke/").status_code == 404
    assert client.post(f"/account/keys/{key.token_key}/revoke/").status_code == 302
    assert Client(headers=headers).get("/api/v1/users/me/").status_code == 401


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"name": "", "days": "30"}, "This field is required."),
        ({"name": "x", "days": "9999"}, "Select a valid choice."),
        ({"name": "x", "days": "30", "scopes": ["users.edit"]}, "users.edit is not one of the available choices."),
    ],
)
def test_a_key_that_cannot_be_is_refused(
    client_of: Callable[[str], Client], form: dict[str, Any], sentence: str
) -> None:
    answer = client_of("packager").post("/account/keys/", form)
    assert answer.status_code == 400 and sentence in answer.content.decode()
    assert not ApiKey.objects.exists()


def test_an_administrator_makes_a_person(users: dict[str, User], client_of: Callable[[str], Client]) -> None:
    admin = client_of("administrator")
    made = admin.post("/users/", {"username": "ada", "email": "ada@example.org", "roles": ["viewer", "packager"]})
    password = secret_in(made.content.decode())
    ada = User.objects.get(username="ada")
    assert ada.roles == ("packager", "viewer") and ada.check_password(password) and len(password) == 20
    assert password not in admin.get("/users/").content.decode()
    twice = admin.post("/users/", {"username": "Ada"})
    assert twice.status_code == 400 and "There is a user named “Ada” already." in twice.content.decode()
    entry = AuditEntry.objects.get(act="user.create")
    assert (entry.user, entry.thing, entry.details) == (
        users["administrator"],
        "ada",
        {"roles": ["packager", "viewer"]},
    )
    assert password not in str(AuditEntry.objects.values_list("details", "thing"))


def test_roles_are_given_and_taken_at_once(users: dict[str, User], client_of: Callable[[str], Client]) -> None:
    admin, viewer = client_of("administrator"), users["viewer"]
    answer = admin.post(f"/users/{viewer.pk}/", {"roles": ["administrator"], "enabled": "on"})
    assert answer.status_code == 302
    assert client_of("viewer").get("/users/").status_code == 200
    admin.post(f"/users/{viewer.pk}/", {"roles": ["viewer"]})
    changed = User.objects.get(username="viewer")
    assert changed.roles == ("viewer",) and not changed.is_active
    acts = AuditEntry.objects.exclude(act="user.sign-in").values_list("act", "details")
    assert list(acts) == [
        ("user.disable", {}),
        ("user.roles", {"before": ["administrator"], "after": ["viewer"]}),
        ("user.roles", {"before": ["viewer"], "after": ["administrator"]}),
    ]


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"roles": ["administrator"]}, "You cannot disable yourself."),
        ({"roles": ["viewer"], "enabled": "on"}, "You cannot take this role from yourself."),
        ({"roles": ["emperor"], "enabled": "on"}, "emperor is not one of the available choices."),
    ],
)
def test_an_administrator_cannot_lock_themselves_out(
    users: dict[str, User], client_of: Callable[[str], Client], form: dict[str, Any], sentence: str
) -> None:
    answer = client_of("administrator").post(f"/users/{users['administrator'].pk}/", form)
    assert answer.status_code == 400 and sentence in answer.content.decode()
    kept = User.objects.get(username="administrator")
    assert kept.is_active and kept.roles == ("administrator",)


def test_the_last_administrator_stays_one(users: dict[str, User], client_of: Callable[[str], Client]) -> None:
    by_django = User.objects.create_superuser("root", password="a long enough password")
    client = Client()
    client.force_login(by_django, backend="django.contrib.auth.backends.ModelBackend")
    last = f"/users/{users['administrator'].pk}/"
    assert "is the last administrator." in client.post(last, {"enabled": "on"}).content.decode()
    RoleBinding.objects.create(user=users["viewer"], role=roles.ADMINISTRATOR)
    assert client.post(last, {"enabled": "on"}).status_code == 302


def test_a_new_password_is_shown_once_and_ends_sessions(
    users: dict[str, User], client_of: Callable[[str], Client]
) -> None:
    viewer = client_of("viewer")
    page = client_of("administrator").post(f"/users/{users['viewer'].pk}/new-password/")
    password = secret_in(page.content.decode())
    assert User.objects.get(username="viewer").check_password(password)
    assert viewer.get("/account/").status_code == 302


def test_the_audit_log_is_paged_and_narrowed(
    users: dict[str, User], client_of: Callable[[str], Client], django_assert_num_queries: Callable[..., Any]
) -> None:
    for number in range(60):
        AuditEntry.note(users["packager"], "build.submit", f"figlet {number}", build=number)
    AuditEntry.note(users["viewer"], "key.create", "key da_1")
    admin = client_of("administrator")
    with django_assert_num_queries(4):  # session, user, roles, entries with their people
        page = admin.get("/audit/").content.decode()
    assert "key.create" in page and "figlet 59" in page and "figlet 5<" not in page and "Older" in page
    narrowed = {
        "?user=viewer": 1, "?act=build.": 50, "?thing=figlet+7": 1, "?since=2000-01-01&until=2000-01-02": 0,
        "?since=nonsense": 50,
    }  # fmt: skip
    for query, number in narrowed.items():
        rows = re.findall(r'<td data-label="When"', admin.get(f"/audit/{query}").content.decode())
        assert len(rows) == number, query
