"""What pages say: empty states, failures at the top, what waits and why, and no markup the CSP would refuse."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpRequest
from django.test import Client
from django.views import defaults

from builds.models import Build
from hosts.models import Host, Task

PAGES = [
    "/",
    "/builds/",
    "/builds/new/",
    "/builds/many/",
    "/builds/git/",
    "/targets/trixie/edit/",
    "/builds/{failed}/",
    "/builds/{finished}/",
    "/builds/{waiting}/",
    "/builds/{failed}/resubmit/",
    "/builds/{finished}/rebuild/",
    "/builds/leaving/",
    "/tags/trixie/retention/?versions=1&days=1&least=0",
    "/packages/",
    "/packages/?failed=on",
    "/packages/figlet/",
    "/packages/figlet/difference/?from={failed}&to={finished}",
    "/files/",
    "/files/?name=*",
    "/binaries/{binary}/",
    "/composes/",
    "/composes/new/",
    "/composes/{compose}/",
    "/composes/{failed_compose}/",
    "/composes/{compose}/packages/",
    "/composes/{compose}/compare/",
    "/composes/retention/?keep=1",
    "/releases/",
    "/releases/{release}/",
    "/releases/{release}/promote/",
    "/releases/{release}/withdraw/",
    "/composes/{failed_compose}/resubmit/",
    "/definitions/",
    "/definitions/debian-atomic/",
    "/definitions/debian-atomic/1/",
    "/definitions/debian-atomic/edit/",
    "/definitions/new/",
    "/ostree/",
    "/promotion/",
    "/promotion/{policy}/",
    "/promotion/{policy}/policy/",
    "/promotion/{policy}/policy/1/",
    "/promotion/{policy}/edit/",
    "/promotion/{policy}/move/?pick=trixie:{finished}",
    "/promotion/-/test/?policy={policy}&build={finished}&source=trixie",
    "/promotion/-/new/",
    "/tasks/",
    "/tasks/{failed_task}/",
    "/tasks/{waiting_task}/",
    "/tasks/{failed_task}/log/1/build/",
    "/schedules/",
    "/channels/",
    "/schedules/new/",
    "/schedules/nightly/",
    "/schedules/nightly/edit/",
    "/hosts/",
    "/hosts/{host}/",
    "/hosts/{host}/edit/",
    "/hosts/{host}/ran/",
    "/hosts/-/registrations/",
    "/statistics/",
    "/retention/?logs=1&tasks=1",
    "/statistics/?by=package",
    "/chroots/",
    "/chroots/trixie-amd64/",
    "/chroots/new/",
    "/chroots/new/?like=trixie-amd64",
    "/chroots/trixie-amd64/try/",
    "/chroots/trixie-amd64/tries/{trial}/",
    "/chroots/trixie-amd64/edit/",
    "/chroots/trixie-amd64/delete/",
    "/chroots/trixie-amd64/packages/",
    "/chroots/trixie-amd64/packages/?q=dp&refresh={before}",
    "/chroots/trixie-amd64/refreshes/",
    "/chroots/trixie-amd64/difference/?from={before}&to={after}",
    "/chroots/trixie-amd64/builds/",
    "/builds/?cause=compile",
    "/artifacts/",
    "/search/?q=figlet",
    "/nothing-here/",
]


def test_pages_are_whole_and_strict(
    world: dict[str, Any], client_of: Callable[[str], Client], subtests: pytest.Subtests
) -> None:
    client = client_of("administrator")
    for address in PAGES:
        with subtests.test(address):
            whole_and_strict(client.get(address.format(**world)).content.decode())


def whole_and_strict(html: str) -> None:
    ids = re.findall(r'\sid="([^"]+)"', html)

    assert re.search(r"<title>[^<·]+ · DebAtomic</title>", html)
    assert html.count("<h1>") == 1
    assert len(ids) == len(set(ids))
    assert not re.search(r'\sstyle="|\son[a-z]+="|<style', html)
    assert not re.findall(r"<script(?![^>]*\ssrc=)", html)


EMPTY = [
    ("packager", "/", "Nothing runs.", "/builds/new/"),
    ("viewer", "/", "No builds yet.", ""),
    ("packager", "/builds/", "No builds yet.", "/builds/new/"),
    ("viewer", "/builds/", "Builds that packagers submit are listed here.", ""),
    ("packager", "/builds/?source=x", "No build matches.", "?"),
    ("release-manager", "/composes/", "No composes yet.", "/composes/new/"),
    ("viewer", "/composes/", "Composes that release managers submit are listed here.", ""),
    ("viewer", "/composes/?variant=x", "No compose matches.", "?"),
    ("release-manager", "/composes/new/", "No definition yet.", ""),
    ("viewer", "/tasks/", "No tasks yet.", ""),
    ("viewer", "/tasks/?host=x", "No task matches.", "?"),
    ("viewer", "/hosts/", "No hosts.", ""),
    ("viewer", "/chroots/", "Administrators make them", ""),
    ("administrator", "/chroots/", "No chroots.", "/chroots/new/"),
    ("viewer", "/chroots/?suite=x", "No chroot matches.", "?"),
    ("viewer", "/artifacts/", "No files kept yet.", ""),
    ("viewer", "/artifacts/?name=x", "No artifact matches.", "?"),
    ("viewer", "/ostree/", "Nothing is published yet.", ""),
    ("viewer", "/search/?q=x", "Nothing found.", ""),
]


@pytest.mark.parametrize("role, address, sentence, leads_to", EMPTY)
def test_what_is_empty_says_what_to_do(
    role: str, address: str, sentence: str, leads_to: str, client_of: Callable[[str], Client]
) -> None:
    html = client_of(role).get(address).content.decode()
    (state,) = re.findall(rf'<div class="empty-state">(?:(?!</div>).)*{re.escape(sentence)}.*?</div>', html, re.S)

    assert len(re.findall(r"<p", state)) >= 2
    assert not leads_to or f'href="{leads_to}"' in state


def test_a_failed_build_says_why_first(world: dict[str, Any], client_of: Callable[[str], Client]) -> None:
    html = client_of("viewer").get(f"/builds/{world['failed']}/").content.decode()

    assert "dpkg-buildpackage exited with status 2." in html
    assert "error: no such file" in html
    assert html.index("error: no such file") < html.index("Architectures")


def test_the_dashboard_says_what_fails_and_why_things_wait(
    world: dict[str, Any], client_of: Callable[[str], Client]
) -> None:
    Host.objects.update(state="disabled")
    html = client_of("viewer").get("/").content.decode()

    assert "dpkg-buildpackage exited with status 2." in html
    assert "All hosts are switched off." in html


def test_a_waiting_task_shows_each_hosts_refusal(world: dict[str, Any], client_of: Callable[[str], Client]) -> None:
    Host.objects.update(architectures=["arm64"])
    address = f"/tasks/{world['waiting_task']}/"

    assert "builder-1 does not run amd64." in client_of("viewer").get(address).content.decode()
    assert "builder-1 does not run amd64." not in client_of("visitor").get(address).content.decode()


def test_verbs_show_only_for_whom_they_are(world: dict[str, Any], client_of: Callable[[str], Client]) -> None:
    address = f"/builds/{world['waiting']}/"
    cancel = f'action="{address}cancel/"'

    assert cancel in client_of("release-manager").get(address).content.decode()
    assert cancel not in client_of("packager").get(address).content.decode()
    assert cancel not in client_of("visitor").get(address).content.decode()


PARTS = [
    ("/", "dashboard"), ("/builds/", "list"), ("/builds/{failed}/", "build"), ("/builds/{failed}/", "about"),
    ("/builds/{failed}/", "log-card"), ("/composes/", "list"), ("/composes/{compose}/", "compose"),
    ("/composes/{compose}/", "log-card"), ("/tasks/", "list"), ("/tasks/{waiting_task}/", "task"),
    ("/tasks/{waiting_task}/", "log-card"), ("/hosts/", "list"), ("/hosts/{host}/", "host"),
    ("/chroots/trixie-amd64/", "chroot"), ("/chroots/trixie-amd64/tries/{trial}/", "trial"),
    ("/chroots/trixie-amd64/tries/{trial}/", "log-card"),
]  # fmt: skip


def test_a_part_refreshed_alone_is_the_part_of_the_page(
    world: dict[str, Any], client_of: Callable[[str], Client], subtests: pytest.Subtests
) -> None:
    client = client_of("administrator")
    for address, part in PARTS:
        with subtests.test(f"{part} of {address}"):
            page = client.get(address.format(**world)).content.decode()
            only = {"HX-Request": "true", "HX-Target": part}
            alone = client.get(address.format(**world), headers=only).content.decode().strip()

            assert re.match(rf'<\w+[^>]*\sid="{part}"', alone)
            assert "<html" not in alone
            assert without_tokens(alone) in without_tokens(page)


def without_tokens(html: str) -> str:
    """Less what differs from one answer to the next: form tokens and seconds that pass."""
    return re.sub(r"<time.*?</time>", "", re.sub(r'value="[A-Za-z0-9]{64}"', "", html))


def test_rows_of_what_has_ended_are_not_refreshed(world: dict[str, Any], client_of: Callable[[str], Client]) -> None:
    client = client_of("viewer")
    live, ended = (client.get(f"/builds/{world[name]}/row/").content.decode() for name in ("waiting", "finished"))
    waiting = Build.objects.get(pk=world["waiting"])

    assert f'data-live="task:{waiting.task_id}"' in live
    assert "data-live" not in ended


def test_searching_a_source_opens_the_only_find(world: dict[str, Any], client_of: Callable[[str], Client]) -> None:
    client = client_of("viewer")
    Build.objects.filter(pk=world["finished"]).update(source="cowsay")
    task = Task.objects.order_by("pk").last()
    assert task is not None

    assert client.get("/search/?q=CowS")["Location"] == f"/builds/{world['finished']}/"
    assert client.get(f"/search/?q={task.pk}")["Location"] == f"/tasks/{task.pk}/"


def test_the_page_of_our_own_faults_needs_nothing() -> None:
    html = defaults.server_error(HttpRequest()).content.decode()

    assert "Something broke on our side" in html
    assert 'href="/"' in html


def test_a_refusal_says_what_is_missing(client_of: Callable[[str], Client]) -> None:
    html = client_of("stranger").get("/builds/").content.decode()

    assert "have no role yet" in html
