"""Sign-in, sign-out, lockout and passwords, as a browser meets them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from debatomic.access import people
from debatomic.access.models import AuditEntry, User

PASSWORD = "a long enough password"


def sign_in(client: Client, name: str, password: str = PASSWORD, **more: str) -> int:
    return client.post("/sign-in/", {"username": name, "password": password, **more}).status_code


def test_a_person_signs_in_and_out(users: dict[str, User]) -> None:
    client = Client()
    assert sign_in(client, "viewer") == 302
    assert client.get("/account/").status_code == 200
    assert client.get("/sign-out/").status_code == 405, "no link signs anybody out"
    assert client.post("/sign-out/").status_code == 302
    assert client.get("/account/").status_code == 302
    acts = AuditEntry.objects.filter(user=users["viewer"]).values_list("act", "address")
    assert list(acts) == [("user.sign-out", "127.0.0.1"), ("user.sign-in", "127.0.0.1")]


def test_sign_in_leads_back_but_not_elsewhere(users: dict[str, User]) -> None:
    home = reverse("dashboard")
    for given, led in (("/account/", "/account/"), ("https://evil.example.org/", home), ("//evil.example.org", home)):
        answer = Client().post("/sign-in/", {"username": "viewer", "password": PASSWORD, "next": given})
        assert (answer.status_code, answer["Location"]) == (302, led)


def test_somebody_signed_in_is_led_on(client_of: Callable[[str], Client]) -> None:
    assert client_of("viewer").get("/sign-in/")["Location"] == reverse("dashboard")


@pytest.mark.parametrize(("name", "password"), [("viewer", "wrong"), ("nobody", PASSWORD), ("viewer", "")])
def test_a_wrong_sign_in_says_what_to_do(users: dict[str, User], name: str, password: str) -> None:
    answer = Client().post("/sign-in/", {"username": name, "password": password})
    assert answer.status_code == 200
    assert ("The name or the password is wrong. Try again" in answer.content.decode()) == bool(password)


def test_a_disabled_person_is_out_at_once(users: dict[str, User], client_of: Callable[[str], Client]) -> None:
    client = client_of("viewer")
    User.objects.filter(username="viewer").update(is_active=False)
    assert client.get("/account/").status_code == 302
    assert sign_in(Client(), "viewer") == 200


def test_too_many_wrong_passwords_lock_the_name_until_an_administrator_helps(users: dict[str, User]) -> None:
    client = Client()
    for _ in range(settings.AXES_FAILURE_LIMIT - 1):
        assert sign_in(client, "viewer", "wrong") == 200
    answer = client.post("/sign-in/", {"username": "viewer", "password": "wrong"})
    assert answer.status_code == 429 and "Wait 15 minutes" in answer.content.decode()
    assert sign_in(client, "viewer") == 429, "also with the right password"
    assert sign_in(client, "packager") == 302, "others are not locked"
    password = people.reset_password(users["viewer"], by=users["administrator"])
    assert sign_in(Client(), "viewer", password) == 302


def test_a_password_is_changed_and_other_browsers_are_out(users: dict[str, User]) -> None:
    here, there = Client(), Client()
    sign_in(here, "viewer")
    sign_in(there, "viewer")
    new = {"old_password": PASSWORD, "new_password1": "another long one 7", "new_password2": "another long one 7"}
    weak = here.post("/account/password/", {**new, "new_password1": "password", "new_password2": "password"})
    assert weak.status_code == 200 and "too common" in weak.content.decode()
    assert here.post("/account/password/", new)["Location"] == "/account/"
    assert here.get("/account/").status_code == 200 and there.get("/account/").status_code == 302
    assert sign_in(Client(), "viewer") == 200 and sign_in(Client(), "viewer", "another long one 7") == 302
    assert AuditEntry.objects.filter(act="user.password", user=users["viewer"]).exists()


def test_cookies_are_safe(users: dict[str, User]) -> None:
    client = Client()
    sign_in(client, "viewer")
    session, csrf = client.cookies["sessionid"], client.cookies["csrftoken"]
    assert session["httponly"] and session["samesite"] == "Lax" and csrf["samesite"] == "Lax"
    strict = Client(enforce_csrf_checks=True)
    assert sign_in(strict, "viewer") == 403
