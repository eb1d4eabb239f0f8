"""`manage.py make_users`: the first sign-ins, made once."""

from __future__ import annotations

import io
import stat
from pathlib import Path

import pytest
from django.core.management import call_command

from debatomic.access import roles
from debatomic.access.models import User


def make_users(*options: str) -> str:
    out = io.StringIO()
    call_command("make_users", *options, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_an_administrator_and_a_person_of_every_role(home: Path) -> None:
    told = make_users()
    kept = dict(line.split() for line in (home / "sign-ins").read_text().splitlines())
    assert stat.S_IMODE((home / "sign-ins").stat().st_mode) == 0o600
    assert list(kept) == ["admin", "viewer", "packager", "release-manager", "administrator"]
    for name, password in kept.items():
        user = User.objects.get(username=name)
        assert user.check_password(password) and password in told
    assert {role for user in User.objects.all() for role in user.roles} == set(roles.TITLES)


@pytest.mark.django_db
def test_again_it_changes_nothing(home: Path) -> None:
    make_users()
    before = (home / "sign-ins").read_text(), list(User.objects.order_by("pk").values_list("username", "password"))
    assert make_users() == ""
    assert "admin" in make_users("--show")
    assert before == (
        (home / "sign-ins").read_text(), list(User.objects.order_by("pk").values_list("username", "password"))
    )  # fmt: skip


@pytest.mark.django_db
def test_who_is_there_is_left_alone(home: Path) -> None:
    mine = User.objects.create_user("admin", password="a password of my own")
    make_users()
    assert User.objects.get(username="admin").password == mine.password
    assert "admin " not in (home / "sign-ins").read_text()
    assert "(password not kept)" in make_users("--show")
