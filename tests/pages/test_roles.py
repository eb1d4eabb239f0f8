"""Every page × every role: 302 asks a visitor to sign in, 403 may not do, 404 may not know."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import get_resolver
from django.urls.resolvers import URLPattern, URLResolver

from tests import scene

WHO = ("visitor", "stranger", "viewer", "packager", "release-manager", "administrator")

LIST = "200 403 200 200 200 200"  # public, and the 403 page says that a role is missing
READ = "200 404 200 200 200 200"
PRIVATE = "404 404 200 200 200 200"
ADMINISTRATORS = "302 404 403 403 403 200"
MANAGERS = "302 404 403 403 302 302"  # a verb that was done leads on to a page

#  method, address, answers in the order of WHO
TABLE = [
    ("GET", "/", "200 200 200 200 200 200"),
    ("GET", "/search/?q=figlet", "200 200 200 200 200 200"),
    ("GET", "/nothing-here/", "404 404 404 404 404 404"),
    ("GET", "/builds/", LIST),
    ("GET", "/builds/new/", "302 403 403 200 200 200"),
    ("POST", "/builds/new/", "302 403 403 422 422 422"),
    ("GET", "/builds/many/", "302 403 403 200 200 200"),
    ("POST", "/builds/many/", "302 403 403 422 422 422"),
    ("GET", "/builds/git/", "302 403 403 200 200 200"),
    ("POST", "/builds/git/", "302 403 403 422 422 422"),
    ("GET", "/builds/{waiting}/", READ),
    ("GET", "/builds/{failed}/", READ),
    ("GET", "/builds/{finished}/", READ),
    ("GET", "/builds/{private}/", PRIVATE),
    ("GET", "/builds/{waiting}/row/", READ),
    ("GET", "/builds/{private}/row/", PRIVATE),
    ("GET", "/builds/999999/", "404 404 404 404 404 404"),
    ("GET", "/builds/{waiting}/cancel/", "405 405 405 405 405 405"),
    ("POST", "/builds/{waiting}/cancel/", MANAGERS),
    ("POST", "/builds/{private}/cancel/", MANAGERS),
    ("POST", "/builds/{finished}/cancel/", "302 404 302 302 302 302"),  # ended already: said so to whoever sees it
    ("POST", "/builds/{failed}/retry/", MANAGERS),
    ("GET", "/builds/{finished}/rebuild/", "302 404 403 200 200 200"),
    ("POST", "/builds/{finished}/rebuild/", "302 404 403 422 422 422"),
    ("GET", "/builds/{failed}/rebuild/", "302 404 403 403 403 403"),
    ("GET", "/builds/{failed}/resubmit/", "302 404 403 200 200 200"),
    ("POST", "/builds/{failed}/resubmit/", "302 404 403 302 302 302"),
    ("GET", "/builds/{waiting}/resubmit/", "302 404 403 403 403 403"),
    ("POST", "/builds/{finished}/retry/", "302 404 403 403 403 403"),
    ("POST", "/builds/{finished}/compare/", "302 404 403 302 302 302"),
    ("POST", "/builds/{private}/compare/", "302 404 403 302 302 302"),  # not completed: said so to whoever may
    ("GET", "/packages/", LIST),
    ("GET", "/packages/figlet/", READ),
    ("GET", "/packages/figlet/difference/", READ),
    ("GET", "/packages/no-such-package/", "404 404 404 404 404 404"),
    ("GET", "/files/?name=figlet", LIST),
    ("GET", "/binaries/{binary}/", READ),
    ("GET", "/targets/trixie/edit/", "302 403 403 403 200 200"),
    ("POST", "/targets/trixie/edit/", "302 403 403 403 422 422"),
    ("GET", "/upload/dput.cf", "200 200 200 200 200 200"),
    ("PUT", "/upload/trixie/a.dsc", "401 401 401 401 401 401"),  # by API key, not by session
    ("PUT", "/upload/trixie/scratch/a.dsc", "401 401 401 401 401 401"),
    ("GET", "/chains/", LIST),
    ("GET", "/chains/new/", "302 403 403 200 200 200"),
    ("POST", "/chains/new/", "302 403 403 422 422 422"),
    ("GET", "/chains/999999/", "404 404 404 404 404 404"),
    ("POST", "/chains/999999/cancel/", "302 404 404 404 404 404"),
    ("POST", "/chains/999999/retry/", "302 404 404 404 404 404"),
    ("GET", "/chains/targets/trixie/", "302 403 403 403 200 200"),
    ("POST", "/chains/targets/trixie/", "302 403 403 403 422 422"),
    ("GET", "/tags/", LIST),
    ("GET", "/tags/trixie/", READ),
    ("GET", "/tags/trixie/?at=2026-01-01&source=fig", READ),
    ("GET", "/tags/no-such-one/", "404 404 404 404 404 404"),
    ("GET", "/tags/trixie/history/", READ),
    ("GET", "/tags/-/new/", "302 403 403 403 200 200"),
    ("POST", "/tags/-/new/", "302 403 403 403 422 422"),
    ("GET", "/tags/trixie/edit/", "302 403 403 403 200 200"),
    ("POST", "/tags/trixie/edit/", "302 403 403 403 422 422"),
    ("GET", "/tags/trixie/add/", "302 403 403 403 200 200"),
    ("POST", "/tags/trixie/add/", "302 403 403 403 422 422"),
    ("GET", "/tags/trixie/remove/{finished}/", "302 403 403 403 200 200"),
    ("POST", "/tags/trixie/remove/{finished}/", "302 403 403 403 302 302"),
    ("GET", "/tags/trixie/block/", "302 403 403 403 200 200"),
    ("POST", "/tags/trixie/block/", "302 403 403 403 422 422"),
    ("POST", "/tags/trixie/unblock/figlet/", "302 403 403 403 302 302"),  # was not blocked: said so
    ("POST", "/tags/trixie/lock/", "302 403 403 403 302 302"),
    ("GET", "/builds/leaving/", LIST),
    ("POST", "/builds/{finished}/keep/", "302 403 403 403 302 302"),
    ("GET", "/tags/trixie/retention/", "302 403 403 403 200 200"),
    ("POST", "/tags/trixie/retention/", "302 403 403 403 422 422"),
    ("POST", "/tags/trixie/retention/snapshots/999999/keep/", "302 403 403 403 404 404"),
    ("GET", "/tags/trixie/repository/", "302 403 403 403 200 200"),
    ("POST", "/tags/trixie/repository/", "302 403 403 403 422 422"),
    ("GET", "/promotion/", LIST),
    ("GET", "/promotion/policy.schema.json", "200 200 200 200 200 200"),
    ("GET", "/promotion/-/new/", "302 403 403 403 200 200"),
    ("POST", "/promotion/-/new/", "302 403 403 403 422 422"),
    ("POST", "/promotion/-/check/", "302 403 403 403 403 403"),  # a part of the editor
    ("GET", "/promotion/-/test/", LIST),
    ("GET", "/promotion/-/test/?policy={policy}&build={finished}&source=trixie&to=stable", LIST),
    ("GET", "/promotion/-/test/?policy={policy}&build=none&source=trixie", "422 403 422 422 422 422"),
    ("GET", "/promotion/{policy}/", READ),
    ("GET", "/promotion/no-such-one/", "404 404 404 404 404 404"),
    ("GET", "/promotion/{policy}/policy/", READ),
    ("GET", "/promotion/{policy}/policy/{revision}/", READ),
    ("GET", "/promotion/{policy}/policy/9/", "404 404 404 404 404 404"),
    ("GET", "/promotion/{policy}/move/", "302 403 403 200 200 200"),
    ("GET", "/promotion/{policy}/move/?pick=trixie:{finished}", "302 403 403 200 200 200"),
    ("POST", "/promotion/{policy}/move/", "302 403 403 422 422 422"),
    ("GET", "/promotion/{policy}/edit/", "302 403 403 403 200 200"),
    ("POST", "/promotion/{policy}/edit/", "302 403 403 403 422 422"),
    ("POST", "/promotion/{policy}/switch/", "302 403 403 403 302 302"),
    ("GET", "/repositories/", LIST),
    ("GET", "/repositories/trixie/", READ),
    ("GET", "/repositories/trixie/debatomic.sources", READ),
    ("GET", "/repositories/trixie/dists/trixie/InRelease", "404 404 404 404 404 404"),  # not made yet
    ("GET", "/repositories/keys.asc", "404 404 404 404 404 404"),  # this hub has no key yet
    ("GET", "/composes/", LIST),
    ("GET", "/composes/new/", "302 403 403 403 200 200"),
    ("POST", "/composes/new/", "302 403 403 403 422 422"),
    ("GET", "/composes/{compose}/", READ),
    ("GET", "/composes/{failed_compose}/", READ),
    ("GET", "/composes/{compose}/row/", READ),
    ("GET", "/composes/{compose}/packages/", READ),
    ("GET", "/composes/{compose}/compare/", READ),
    ("GET", "/composes/{secret_compose}/compare/", PRIVATE),
    ("GET", "/composes/{compose}/{metadata}.json", READ),
    ("GET", "/composes/{secret_compose}/{metadata}.json", PRIVATE),
    ("GET", "/composes/retention/", "302 403 403 403 403 200"),
    ("GET", "/releases/", LIST),
    ("GET", "/releases/{release}/", LIST),
    ("GET", "/releases/{release}/promote/", "302 403 403 403 200 200"),
    ("POST", "/releases/{release}/promote/", "302 403 403 403 422 422"),
    ("GET", "/releases/{release}/withdraw/", "302 403 403 403 200 200"),
    ("POST", "/releases/{release}/withdraw/", "302 403 403 403 422 422"),
    ("GET", "/ostree/keys.asc", "404 404 404 404 404 404"),  # this hub has no key yet
    ("POST", "/composes/{compose}/cancel/", MANAGERS),
    ("POST", "/composes/{failed_compose}/retry/", MANAGERS),
    ("POST", "/composes/{compose}/override/", "302 404 403 403 403 403"),
    ("POST", "/composes/{compose}/retry/", "302 404 403 403 403 403"),
    ("GET", "/composes/{failed_compose}/resubmit/", "302 404 403 403 200 200"),
    ("POST", "/composes/{failed_compose}/resubmit/", "302 404 403 403 302 302"),
    ("GET", "/composes/{compose}/resubmit/", "302 404 403 403 403 403"),
    ("GET", "/definitions/", LIST),
    ("GET", "/definitions/{definition}/", READ),
    ("GET", "/definitions/no-such-one/", "404 404 404 404 404 404"),
    ("GET", "/definitions/{definition}/{revision}/", READ),
    ("GET", "/definitions/{definition}/9/", "404 404 404 404 404 404"),
    ("GET", "/definitions/{definition}/{revision}/{variant}/{architecture}.{form}", READ),
    ("GET", "/definitions/{definition}/{revision}/minimal/amd64.exe", "404 404 404 404 404 404"),
    ("GET", "/definitions/{definition}/{revision}/minimal/mips.json", "404 404 404 404 404 404"),
    ("GET", "/definitions/new/", "302 403 403 403 200 200"),
    ("GET", "/definitions/{definition}/edit/", "302 403 403 403 200 200"),
    ("POST", "/definitions/{definition}/edit/", "302 403 403 403 422 422"),
    ("POST", "/definitions/check/", "302 403 403 403 403 403"),  # a part of the editor
    ("GET", "/definitions/treefile.schema.json", "200 200 200 200 200 200"),
    ("GET", "/definitions/follow/", "302 403 403 403 200 200"),
    ("GET", "/definitions/{definition}/follow/", "302 403 403 403 200 200"),
    ("POST", "/definitions/{definition}/follow/", "302 403 403 403 422 422"),
    ("POST", "/definitions/{definition}/sync/", "302 403 403 403 302 302"),  # it follows nothing: said so
    ("POST", "/definitions/{definition}/unfollow/", "302 403 403 403 302 302"),
    ("POST", "/definitions/{definition}/packages/", "302 403 403 403 302 302"),
    ("POST", "/definitions/{definition}/packages/999999/remove/", "302 403 403 403 404 404"),
    ("GET", "/ostree/", "200 200 200 200 200 200"),
    ("GET", "/ostree/repo/config", "404 404 404 404 404 404"),
    ("GET", "/tasks/", LIST),
    ("GET", "/tasks/{waiting_task}/", READ),
    ("GET", "/tasks/{failed_task}/", READ),
    ("GET", "/tasks/{private_task}/", PRIVATE),
    ("GET", "/tasks/{waiting_task}/row/", READ),
    ("GET", "/tasks/{failed_task}/log/1/build/", READ),
    ("GET", "/tasks/{private_task}/log/1/build/", "404 404 404 404 404 404"),
    ("POST", "/tasks/{waiting_task}/cancel/", MANAGERS),
    ("POST", "/tasks/{failed_task}/retry/", MANAGERS),
    ("POST", "/tasks/{waiting_task}/priority/", "302 403 403 403 302 302"),
    ("GET", "/tasks/bulk/", "405 405 405 405 405 405"),
    ("POST", "/tasks/bulk/", "302 302 302 302 302 302"),  # of each task it is asked who may
    ("GET", "/schedules/", "302 403 200 200 200 200"),
    ("GET", "/schedules/new/", "302 403 403 200 200 200"),
    ("POST", "/schedules/new/", "302 403 403 422 422 422"),
    ("GET", "/schedules/{schedule}/", "302 403 200 200 200 200"),
    ("GET", "/schedules/{schedule}/edit/", "302 404 403 403 200 200"),
    ("POST", "/schedules/{schedule}/edit/", "302 404 403 403 422 422"),
    ("GET", "/schedules/-/times/?cron=0+1+*+*+*", "302 403 200 200 200 200"),
    ("POST", "/schedules/{schedule}/disable/", MANAGERS),
    ("POST", "/schedules/{schedule}/enable/", MANAGERS),
    ("POST", "/schedules/{schedule}/run/", MANAGERS),
    ("POST", "/schedules/{schedule}/delete/", MANAGERS),
    ("GET", "/channels/", "302 403 200 200 200 200"),
    ("POST", "/channels/", "302 403 403 403 403 422"),
    ("POST", "/channels/default/strategy/", "302 403 403 403 403 302"),
    ("POST", "/windows/{window}/delete/", "302 403 403 403 403 302"),
    ("GET", "/hosts/", "302 403 200 200 200 200"),
    ("GET", "/hosts/{host}/", "302 404 200 200 200 200"),
    ("GET", "/hosts/no-such-host/", "302 404 404 404 404 404"),
    ("POST", "/hosts/{host}/enable/", "302 404 403 403 403 302"),
    ("POST", "/hosts/{host}/disable/", "302 404 403 403 403 302"),
    ("POST", "/hosts/{host}/doctor/", "302 404 403 403 403 302"),
    ("POST", "/hosts/{host}/drain/", "302 404 403 403 403 302"),
    ("POST", "/hosts/{host}/maintenance/", "302 404 403 403 403 302"),
    ("POST", "/hosts/{host}/lift/", "302 404 403 403 403 302"),
    ("GET", "/hosts/{host}/edit/", "302 404 403 403 403 200"),
    ("POST", "/hosts/{host}/edit/", "302 404 403 403 403 422"),
    ("GET", "/hosts/{host}/ran/", "302 404 200 200 200 200"),
    ("GET", "/hosts/-/registrations/", "302 403 403 403 403 200"),
    ("POST", "/hosts/-/registrations/", "302 403 403 403 403 422"),
    ("POST", "/hosts/-/registrations/{registration}/revoke/", "302 403 403 403 403 302"),
    ("GET", "/retention/?logs=30", "302 403 403 403 403 200"),
    ("GET", "/statistics/", "302 403 200 200 200 200"),
    ("GET", "/statistics/?by=package&days=7", "302 403 200 200 200 200"),
    ("GET", "/statistics/export/csv/?by=host", "302 403 200 200 200 200"),
    ("GET", "/statistics/export/xml/", "302 403 404 404 404 404"),
    ("GET", "/chroots/", LIST),
    ("GET", "/chroots/trixie-amd64/", READ),
    ("GET", "/chroots/new/", "302 403 403 403 403 200"),
    ("POST", "/chroots/new/", "302 403 403 403 403 422"),
    ("GET", "/chroots/trixie-amd64/packages/", READ),
    ("GET", "/chroots/trixie-amd64/packages/?refresh=999999", "404 404 404 404 404 404"),
    ("GET", "/chroots/trixie-amd64/refreshes/", READ),
    ("GET", "/chroots/trixie-amd64/difference/?from={before}&to={after}", READ),
    ("GET", "/chroots/trixie-amd64/difference/", "404 404 404 404 404 404"),
    ("GET", "/chroots/trixie-amd64/builds/", READ),
    ("GET", "/chroots/trixie-amd64/try/", "302 404 403 200 200 200"),
    ("POST", "/chroots/trixie-amd64/try/", "302 404 403 422 422 422"),
    ("GET", "/chroots/trixie-amd64/tries/{trial}/", PRIVATE),
    ("GET", "/chroots/trixie-amd64/tries/{waiting_task}/", "404 404 404 404 404 404"),  # a build's
    ("GET", "/chroots/trixie-amd64/edit/", ADMINISTRATORS),
    ("POST", "/chroots/trixie-amd64/edit/", "302 404 403 403 403 302"),
    ("GET", "/chroots/trixie-amd64/delete/", ADMINISTRATORS),
    ("POST", "/chroots/trixie-amd64/delete/", "302 404 403 403 403 302"),
    ("POST", "/chroots/trixie-amd64/enable/", "302 404 403 403 403 302"),
    ("POST", "/chroots/trixie-amd64/disable/", "302 404 403 403 403 302"),
    ("POST", "/chroots/trixie-amd64/refresh/", MANAGERS),
    ("POST", "/chroots/trixie-amd64/scrub/", "302 404 403 403 404 404"),  # which host?
    ("POST", "/chroots/trixie-amd64/clean/", "302 404 403 403 403 404"),
    ("GET", "/checks/", LIST),
    ("POST", "/checks/{check}/retry/", "302 404 403 403 302 302"),
    ("POST", "/checks/{check}/override/", "302 404 403 403 403 403"),  # it blocks nothing
    ("GET", "/targets/trixie/checks/", READ),
    ("POST", "/targets/trixie/checks/set/", "302 403 403 403 302 302"),
    ("GET", "/artifacts/", LIST),
    ("GET", "/artifacts/{artifact}/{artifact_name}", READ),
    ("GET", "/artifacts/{artifact}/another-name", "404 404 404 404 404 404"),
]

# tested elsewhere: people and their rights, the API, bytes of logs
PARTS = 4  # of the table: each sees the same world anew
ELSEWHERE = ("sign-", "account/", "users/", "audit/", "api/", "v2/")
OWN_TESTS = ("log/<int:attempt>/<str:name>", "raw", "ostree/<path:name>")


@pytest.mark.parametrize("part", range(PARTS))
def test_answers(part: int, clients: dict[str, Client], world: dict[str, Any], subtests: pytest.Subtests) -> None:
    for method, address, answers in TABLE[part::PARTS]:
        for role, answer in zip(WHO, answers.split(), strict=True):
            with subtests.test(f"{role} {method} {address}"), scene.undone():
                response = clients[role].generic(method, address.format(**world))
                assert response.status_code == int(answer)
                if role == "visitor" and answer == "302":
                    assert response["Location"].startswith("/sign-in/?next=")


@pytest.mark.parametrize("address", ["/", "/builds/", "/composes/", "/tasks/", "/chroots/", "/artifacts/", "/search/"])
def test_a_closed_site_asks_visitors_to_sign_in(
    address: str, client_of: Callable[[str], Client], settings: Any
) -> None:
    settings.PUBLIC_READING = False

    assert client_of("visitor").get(address)["Location"].startswith("/sign-in/?next=")


def test_owners_cancel_and_retry_what_is_theirs(
    client_of: Callable[[str], Client], users: dict[str, Any], world: dict[str, Any], target: Any
) -> None:
    mine = scene.build(users["packager"], target)
    client = client_of("packager")

    client.post(f"/builds/{mine.pk}/cancel/")
    mine.task.refresh_from_db()
    assert mine.task.state == "canceled"

    client.post(f"/builds/{mine.pk}/retry/")
    mine.task.refresh_from_db()
    assert mine.task.is_live


def addresses(patterns: list[URLPattern | URLResolver], before: str = "") -> list[str]:
    found: list[str] = []
    for each in patterns:
        here = before + str(each.pattern)
        found += addresses(each.url_patterns, here) if isinstance(each, URLResolver) else [here]
    return found


def test_no_page_is_left_out() -> None:
    shapes = [
        re.sub(
            r"\{\w+\}|(?<=channels/)default|trixie-amd64|999999|another-name|no-such-host|csv|xml|composeinfo"
            r"|(?<=tags/)trixie|(?<=repositories/)trixie|(?<=targets/)trixie|(?<=upload/)trixie"
            r"|a\.dsc|(?<=unblock/)figlet|(?<=packages/)figlet|dists/trixie/InRelease",
            "*",
            row[1],
        )
        for row in TABLE
    ]
    asked = {re.sub(r"/log/1/build/", "/log/*/*/", shape).partition("?")[0].lstrip("/") for shape in shapes}
    pages = {re.sub(r"<[^>]+>", "*", address) for address in addresses(get_resolver().url_patterns)
             if not address.startswith(ELSEWHERE) and not address.endswith(OWN_TESTS)}  # fmt: skip

    assert not pages - asked
