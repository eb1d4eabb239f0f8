"""Pages of chroots: the form, what is told of packages and refreshes, and what failed tasks show first."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from builds.models import Target
from chroots.models import Chroot
from hosts.models import Host, Task
from tests import scene

SMALL = {"name": "small", "suite": "trixie", "architecture": "amd64", "variant": "minbase"}
PAGE = "/chroots/trixie-amd64/"


@pytest.mark.parametrize("fields, field, sentence", [
    ({}, "name", "Name it, or choose a definition above."),
    ({"shipped": "trixie-amd64"}, "name", "not both"),
    ({"name": "a", "suite": "trixie"}, "architecture", "Name the architecture"),
    ({"name": "a", "architecture": "amd64"}, "suite", "Name the suite"),
    ({**SMALL, "name": "A"}, "name", "cannot be a chroot's name"),
    ({**SMALL, "mirror": "ftp://deb.example.org"}, "mirror", "mirror must be an address that begins with http://"),
    ({**SMALL, "variant": "huge"}, "variant", "Select a valid choice"),
    ({**SMALL, "more": "keyring: x"}, "more", "Line 1: keyring must be the path of a file"),
    ({**SMALL, "more": "\r\nsuite: sid"}, "more", "Line 1: the key suite is there twice"),
    ({**SMALL, "more": "repositories:\r\n  - name: house\r\n    uri: x"}, "more", "Line 3: the key uri is unknown"),
    ({**SMALL, "refresh_hours": "-1"}, "refresh_hours", "greater than or equal to 0"),
])  # fmt: skip
def test_a_chroot_is_refused_at_its_field(
    fields: dict[str, str], field: str, sentence: str, client_of: Callable[[str], Client]
) -> None:
    given = {"name": "small", **fields} if "shipped" in fields else fields
    response = client_of("administrator").post("/chroots/new/", given)

    assert response.status_code == 422
    assert sentence in response.context["form"].errors[field][0], response.context["form"].errors
    assert not Chroot.objects.exists()


def test_a_chroot_is_made_edited_and_deleted(client_of: Callable[[str], Client]) -> None:
    client = client_of("administrator")
    more = "repositories:\r\n  - name: house\r\n    uris: [https://deb.example.org/debian]\r\n    suites: [trixie]"
    form = {**SMALL, "packages": "nano, less", "components": "main contrib", "more": more, "refresh_hours": "24"}
    page = client.post("/chroots/new/", form, follow=True).content.decode()
    assert "small is made." in page
    assert "every 24 h" in page
    assert "+packages: [nano, less]" in page
    made = Chroot.objects.get()
    assert (made.components, made.refresh_hours) == (["main", "contrib"], 24)

    shown = client.get("/chroots/small/edit/").context["form"].initial
    assert (shown["suite"], shown["packages"], shown["components"]) == ("trixie", "nano less", "main contrib")
    assert shown["more"] == more.replace("\r", "")
    changed = {**form, "suite": "sid", "refresh_hours": ""}
    assert client.post("/chroots/small/edit/", changed)["Location"] == "/chroots/small/"
    made.refresh_from_db()
    assert (made.suite, made.refresh_hours, made.refresh_at) == ("sid", 0, None)

    client.post("/chroots/small/delete/")
    assert not Chroot.objects.exists()


def test_one_that_comes_with_debatomic_is_chosen_and_its_like_made(client_of: Callable[[str], Client]) -> None:
    client = client_of("administrator")
    assert client.post("/chroots/new/", {"shipped": "forky-arm64"})["Location"] == "/chroots/forky-arm64/"
    assert Chroot.objects.get().definition == ""
    assert 'value="forky-arm64"' not in client.get("/chroots/new/").content.decode().split("Begin with")[0]
    assert client.get("/chroots/new/?like=forky-arm64").context["form"].initial == {"base": "forky-arm64"}
    client.post("/chroots/forky-arm64/edit/", {"refresh_hours": "12"})
    assert Chroot.objects.get().refresh_hours == 12


def test_what_a_target_needs_cannot_be_deleted(target: Target, client_of: Callable[[str], Client]) -> None:
    client = client_of("administrator")
    sentence = "The target trixie builds in it."
    assert sentence in client.get(f"{PAGE}delete/").content.decode()
    assert sentence in client.post(f"{PAGE}delete/", follow=True).content.decode()
    assert Chroot.objects.exists()


def test_packages_are_searched_and_compared(world: dict[str, Any], client_of: Callable[[str], Client]) -> None:
    client = client_of("viewer")
    page = client.get(PAGE).content.decode()
    assert f'?to={world["after"]}">1 upgraded, 1 added, 1 removed</a>' in page
    assert ">3 packages</a>" in page
    newest = client.get(f"{PAGE}packages/").content.decode()
    assert ">sed<" in newest and ">nano<" not in newest
    found = client.get(f"{PAGE}packages/?refresh={world['before']}&q=na").content.decode()
    assert ">nano<" in found and ">apt<" not in found and "1–1 of 1 packages" in found
    assert "No package matches." in client.get(f"{PAGE}packages/?q=zzz").content.decode()
    differing = client.get(f"{PAGE}difference/?from={world['before']}&to={world['after']}").content.decode()
    since = client.get(f"{PAGE}difference/?to={world['after']}").context
    assert since["before"].pk == world["before"]
    assert client.get(f"{PAGE}difference/?to={world['before']}").status_code == 404
    rows = re.findall(r'class="tag">(\w+)</span></td>\s*<td data-label="Package">(\w+)<', differing)
    assert rows == [("upgraded", "apt"), ("added", "sed"), ("removed", "nano")]
    same = client.get(f"{PAGE}difference/?from={world['after']}&to={world['after']}").content.decode()
    assert "The same packages in the same versions." in same


def test_long_lists_of_packages_have_pages(
    target: Target, host: Host, client_of: Callable[[str], Client], tmp_path: Any
) -> None:
    scene.refreshed(target.chroots.get(), host, {f"p{number:04}": "1" for number in range(250)}, tmp_path)
    client = client_of("visitor")
    page = client.get(f"{PAGE}packages/?page=2").context["page"]
    assert (page.first, page.last, page.total) == (101, 200, 250)
    assert client.get(f"{PAGE}packages/{page.following}").context["page"].rows[0] == ("p0200", "1")
    assert client.get(f"{PAGE}packages/?page=99").context["page"].last == 250


def test_a_failure_shows_its_cause_everywhere(world: dict[str, Any], client_of: Callable[[str], Client]) -> None:
    client = client_of("viewer")
    badge = 'class="tag cause"'
    for address in ("/", "/builds/", "/tasks/", f"/builds/{world['failed']}/", f"/tasks/{world['failed_task']}/",
                    f"{PAGE}builds/", PAGE):  # fmt: skip
        html = client.get(address).content.decode()
        assert re.search(rf'{badge} title="It does not compile or link.">compile<', html), address
    whole = client.get(f"/builds/{world['failed']}/").content.decode()
    assert whole.index("error: no such file") < whole.index("Architectures")
    assert "No build matches." in client.get("/builds/?cause=dep-wait").content.decode()
    assert [build.pk for build in client.get("/builds/?cause=compile").context["builds"]] == [world["failed"]]


def test_a_visitor_sees_public_builds_and_no_configuration(
    world: dict[str, Any], client_of: Callable[[str], Client]
) -> None:
    asked = {who: client_of(who).get(f"{PAGE}builds/").context["uses"] for who in ("visitor", "viewer")}
    private = world["private_task"]
    assert private in [use.task_id for use in asked["viewer"]]
    assert private not in [use.task_id for use in asked["visitor"]]
    assert 'id="configuration"' in client_of("viewer").get(PAGE).content.decode()
    assert 'id="configuration"' not in client_of("visitor").get(PAGE).content.decode()


def test_what_a_host_found_of_itself_is_on_its_page(host: Host, client_of: Callable[[str], Client]) -> None:
    client = client_of("administrator")
    assert "It has not looked yet." in client.get(f"/hosts/{host}/").content.decode()
    assert "looks at itself" in client.post(f"/hosts/{host}/doctor/", follow=True).content.decode()
    check = {
        "name": "program bwrap",
        "ok": False,
        "needed": True,
        "found": "not installed",
        "mend": "apt install bubblewrap",
    }
    Task.objects.filter(method="doctor").update(state="completed", result={"can_build": False, "checks": [check]})
    html = client.get(f"/hosts/{host}/").content.decode()
    assert "apt install bubblewrap" in html and "missing</span>" in html


@pytest.mark.parametrize("verb, person, wanted", [
    ("scrub", "release-manager", "chroot-scrub"), ("clean", "administrator", "chroot-clean"),
])  # fmt: skip
def test_copies_are_removed_by_button(
    verb: str, person: str, wanted: str, world: dict[str, Any], client_of: Callable[[str], Client]
) -> None:
    response = client_of(person).post(f"{PAGE}{verb}/", {"host": world["host"]})
    task = Task.objects.latest("pk")
    assert (task.method, response["Location"]) == (wanted, f"/tasks/{task.pk}/")
