"""A chroot of one's own, from its definition to its packages and back to nothing, as release managers do it."""

from __future__ import annotations

import pytest

from tests.application import STATE, Application

pytestmark = pytest.mark.integration
SMALL = "suite: trixie\narchitecture: amd64\nvariant: minbase\n"


def test_a_chroot_is_defined_made_compared_and_removed(application: Application) -> None:
    before = _current()
    application.post("chroots/", json={"name": "small", "definition": f"{SMALL}packages: [ed]\n"})
    first = _refreshed(application)
    assert {"apt", "dpkg", "libc6"} <= set(first["packages"]) and "nano" not in first["packages"]
    copy = application.get("chroots/small/")["copies"][0]
    assert (copy["host"], copy["packages"]) == ("here", len(first["packages"]))
    assert _current() > before

    changed = application.api.patch("chroots/small/", json={"definition": f"{SMALL}packages: [ed, nano]\n"})
    assert changed.status_code == 200, changed.text
    second = _refreshed(application)
    difference = application.get("chroots/small/difference/", **{"from": first["refresh"], "to": second["refresh"]})
    assert difference["added"]["nano"] == second["packages"]["nano"]
    assert (difference["removed"], difference["upgraded"]) == ({}, {})

    scrubbed = application.post("chroots/small/scrub/", json={"host": "here"})
    application.until(f"tasks/{scrubbed['id']}/", "completed")
    assert application.get("chroots/small/")["copies"] == []
    assert _current() == before
    assert application.api.delete("chroots/small/").status_code == 204


def _current() -> set[str]:
    """The bases that are there."""
    return {path.parent.name for path in (STATE / "bases").glob("trixie-amd64-minbase-*/current") if path.exists()}


def _refreshed(application: Application) -> dict[str, dict[str, str]]:
    """Have it refreshed; its packages then."""
    task = application.post("chroots/small/refresh/")
    application.until(f"tasks/{task['id']}/", "completed", seconds=800)
    return dict(application.get("chroots/small/packages/"))


def test_a_wrong_definition_fails_with_its_cause(application: Application) -> None:
    """What no reader can know: the archive has no such suite."""
    application.post("chroots/", json={"name": "nowhere", "suite": "woodchuck", "architecture": "amd64"})
    task = application.post("chroots/nowhere/refresh/")
    ended = application.until(f"tasks/{task['id']}/", "failed")
    assert "woodchuck" in ended["reason"]
    assert [one["state"] for one in application.get("chroots/nowhere/refreshes/")["results"]] == ["failed"]
    assert application.api.delete("chroots/nowhere/").status_code == 204


def test_a_host_looks_at_itself(application: Application) -> None:
    task = application.post("hosts/here/doctor/")
    application.until(f"tasks/{task['id']}/", "completed")
    result = application.get(f"tasks/{task['id']}/")["result"]
    assert result["can_build"] is True
    assert {"rights", "program bwrap", "mirror"} <= {check["name"] for check in result["checks"]}
    with application.signed_in("administrator") as browser:
        assert "builds can run here" in browser.get("/hosts/here/").text
