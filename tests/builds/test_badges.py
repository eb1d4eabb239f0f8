"""Badges of checks: the same in lists, which fetch only what these need, and on the build's page."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from builds.models import Build, Target
from debatomic.access.models import User
from debatomic.templatetags.pages import state
from tests import scene

pytestmark = pytest.mark.django_db


@pytest.fixture
def checked(users: dict[str, User], target: Target) -> Build:
    build = scene.build(users["packager"], target)
    facts = {"level": "blocks", "architecture": "amd64", "verdict": "fail"}
    build.checks.create(check_name="lintian", overridden_at=timezone.now(), **facts)
    build.checks.create(check_name="<old>", **facts)
    return build


def test_on_pages(checked: Build, client_of: Callable[[str], Client]) -> None:
    client = client_of("viewer")
    for address in ("/builds/", f"/builds/{checked.pk}/row/", f"/builds/{checked.pk}/"):
        page = client.get(address).content.decode()
        assert f'<span class="tag" title="Lintian, amd64">Lintian {state("overridden")}</span>' in page
        assert f'<span class="tag" title="&lt;old&gt;, amd64">&lt;old&gt; {state("failed")}</span>' in page
        assert "<old>" not in page


def test_in_the_api(checked: Build, client_of: Callable[[str], Client]) -> None:
    client = client_of("viewer")
    told = client.get("/api/v1/builds/").json()["results"][0]["checks"]
    assert told == client.get(f"/api/v1/builds/{checked.pk}/").json()["checks"]
    assert [(one["check"], one["blocks"]) for one in told] == [("lintian", False), ("<old>", True)]


def test_lists_have_all_of_them_from_one_query(checked: Build) -> None:
    (build,) = Build.objects.for_rows()
    with CaptureQueriesContext(connection) as asked:
        assert [(one.title, one.shown, one.blocks) for one in build.verdicts] == [
            ("Lintian", "overridden", False), ("<old>", "failed", True)
        ]  # fmt: skip
        assert str(build.target) == "trixie"
    assert len(asked) == 0
