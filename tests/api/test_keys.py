"""API keys: hashed, shown once, ended by time, narrowed by scopes, made with a password only."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from builds.models import Build, Target
from debatomic.access import keys
from debatomic.access.models import ApiKey, AuditEntry, RoleBinding, User
from debatomic.tools.errors import InputError
from tests import scene

PASSWORD = "a long enough password"


def bearer(key: str) -> Client:
    return Client(headers={"Authorization": f"Bearer {key}"})


def basic(user: str, password: str = PASSWORD) -> Client:
    return Client(headers={"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()})


def make(user: User, *scopes: str) -> str:
    return keys.make(user, name="tests", scopes=scopes, lasting=timedelta(days=1))[1]


def test_a_password_makes_a_key_which_is_kept_as_a_hash_and_shown_once(users: dict[str, User]) -> None:
    made = basic("packager").post("/api/v1/keys/", {"name": "nightly", "days": 30}, content_type="application/json")
    assert made.status_code == 201
    secret = made.json()["key"]
    row = ApiKey.objects.get()
    kept = [str(getattr(row, field.attname)) for field in ApiKey._meta.fields]
    assert secret not in kept and secret[len(row.token_key) :] not in "".join(kept)
    me = bearer(secret).get("/api/v1/users/me/").json()
    assert (me["username"], me["roles"]) == ("packager", ["packager"]) and "builds.submit" in me["rights"]
    listed = bearer(secret).get("/api/v1/keys/").json()["results"]
    assert [(one["id"], one["name"]) for one in listed] == [(row.token_key, "nightly")] and "key" not in listed[0]
    assert AuditEntry.objects.filter(act="key.create", user=users["packager"], address="127.0.0.1").exists()


def test_a_key_cannot_make_keys(users: dict[str, User]) -> None:
    answer = bearer(make(users["administrator"])).post("/api/v1/keys/", {"name": "x"}, content_type="application/json")
    assert answer.status_code == 400 and "A key cannot make keys" in answer.json()["non_field_errors"][0]


def test_scopes_narrow_what_a_key_may_also_with_ones_own(users: dict[str, User], target: Target) -> None:
    own = scene.build(users["packager"], target)
    reader = bearer(make(users["packager"], "builds.view"))
    assert reader.get(f"/api/v1/builds/{own.pk}/").status_code == 200
    assert reader.post(f"/api/v1/builds/{own.pk}/cancel/").status_code == 403
    assert reader.post("/api/v1/builds/", {}, content_type="application/json").status_code == 403
    assert reader.get(f"/api/v1/tasks/{own.task_id}/").status_code == 404, "it may not see tasks"
    assert reader.get("/api/v1/hosts/").status_code == 403
    assert reader.get("/api/v1/users/me/").json()["rights"] == ["builds.view"]
    assert bearer(make(users["packager"])).post(f"/api/v1/builds/{own.pk}/cancel/").status_code == 200


def test_scratch_only_keys_make_scratch_builds_only(users: dict[str, User], target: Target) -> None:
    client = bearer(make(users["packager"], "builds.scratch"))
    wanted: dict[str, Any] = {"source": "figlet", "target": "trixie"}
    refused = client.post("/api/v1/builds/", {**wanted, "scratch": False}, content_type="application/json")
    assert refused.status_code == 403 and not Build.objects.exists()
    allowed = client.post(
        "/api/v1/builds/", {**wanted, "source": "No Name", "scratch": True}, content_type="application/json"
    )
    assert allowed.status_code == 400 and "source" in allowed.json(), "it got as far as the name of the source"


def test_a_key_gives_no_right_its_owner_lost(users: dict[str, User]) -> None:
    client = bearer(make(users["release-manager"], "composes.submit"))
    assert client.post("/api/v1/composes/", {}, content_type="application/json").status_code == 400
    RoleBinding.objects.filter(user=users["release-manager"]).delete()
    assert client.post("/api/v1/composes/", {}, content_type="application/json").status_code == 403


def test_rights_one_does_not_have_cannot_be_scopes(users: dict[str, User]) -> None:
    with pytest.raises(InputError, match=r"You do not have users\.edit yourself") as refused:
        make(users["viewer"], "builds.view", "users.edit")
    assert refused.value.field == "scopes"
    answer = basic("viewer").post(
        "/api/v1/keys/", {"name": "x", "scopes": ["users.edit"]}, content_type="application/json"
    )
    assert answer.status_code == 400 and "scopes" in answer.json()
    assert not ApiKey.objects.exists()


def test_an_expired_key_says_so_and_stays_listed(users: dict[str, User]) -> None:
    secret = make(users["viewer"])
    ApiKey.objects.update(expiry=timezone.now() - timedelta(seconds=1))
    answer = bearer(secret).get("/api/v1/users/me/")
    assert answer.status_code == 401 and "has expired" in answer.json()["detail"]
    assert ApiKey.objects.count() == 1


@pytest.mark.parametrize("key", ["da_wrong", "", "da_" + "0" * 64, "\u00e4"])
def test_a_wrong_key_is_refused_also_where_visitors_may_read(users: dict[str, User], key: str) -> None:
    answer = bearer(key.encode().decode("latin-1")).get("/api/v1/builds/")
    assert answer.status_code == 401 and "detail" in answer.json()


def test_a_revoked_key_and_a_disabled_owner_end_it(users: dict[str, User]) -> None:
    first, second = make(users["viewer"]), make(users["viewer"])
    row = ApiKey.objects.get(token_key=first[:15])
    assert bearer(second).delete(f"/api/v1/keys/{row.token_key}/").status_code == 204
    assert bearer(first).get("/api/v1/users/me/").status_code == 401
    User.objects.filter(username="viewer").update(is_active=False)
    assert bearer(second).get("/api/v1/users/me/").status_code == 401


def test_nobody_sees_or_revokes_anothers_key(users: dict[str, User]) -> None:
    row = ApiKey.objects.get(token_key=make(users["viewer"])[:15])
    stranger = bearer(make(users["administrator"]))
    assert stranger.get(f"/api/v1/keys/{row.token_key}/").status_code == 404
    assert stranger.delete(f"/api/v1/keys/{row.token_key}/").status_code == 404
    assert len(stranger.get("/api/v1/keys/").json()["results"]) == 1


def test_too_many_wrong_passwords_lock_the_name(users: dict[str, User]) -> None:
    for _ in range(settings.AXES_FAILURE_LIMIT):
        answer = basic("viewer", "wrong").post("/api/v1/keys/", {"name": "x"}, content_type="application/json")
    assert answer.status_code == 429 and "Wait 15 minutes" in answer.json()["detail"]
    locked = basic("viewer").post("/api/v1/keys/", {"name": "x"}, content_type="application/json")
    assert locked.status_code == 429 and not ApiKey.objects.exists()
    assert basic("packager").post("/api/v1/keys/", {"name": "x"}, content_type="application/json").status_code == 201


def test_passwords_are_for_keys_only(users: dict[str, User]) -> None:
    assert basic("administrator").get("/api/v1/users/me/").status_code == 401


def test_a_session_needs_the_csrf_token(users: dict[str, User]) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(users["packager"], backend="django.contrib.auth.backends.ModelBackend")
    assert browser.post("/api/v1/keys/", {"name": "x"}, content_type="application/json").status_code == 403
    assert not ApiKey.objects.exists()


def test_the_use_of_a_key_is_noted_but_not_at_every_request(
    users: dict[str, User], django_assert_num_queries: Callable[..., Any]
) -> None:
    client = bearer(make(users["viewer"]))
    client.get("/api/v1/users/me/")
    assert ApiKey.objects.get().used_at is not None
    with django_assert_num_queries(2):  # the key with its owner, and the roles
        client.get("/api/v1/users/me/")
