"""Every address of the API × every role: 401 sign in, 403 may not do, 404 may not know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import get_resolver

from tests import scene

WHO = ("visitor", "stranger", "viewer", "packager", "release-manager", "administrator")

READ = "200 404 200 200 200 200"  # public things: a stranger has no role and knows of nothing
PARTS = 4  # of the table: each sees the same world anew
LIST = "200 200 200 200 200 200"
PRIVATE = "404 404 200 200 200 200"
MANAGERS = "401 404 403 403 200 200"

#  method, address, answers in the order of WHO
TABLE = [
    ("GET", "", LIST),
    ("GET", "schema/", LIST),
    ("GET", "docs/", LIST),
    ("GET", "users/me/", "401 200 200 200 200 200"),
    ("GET", "keys/", "401 200 200 200 200 200"),
    ("POST", "keys/", "401 400 400 400 400 400"),
    ("DELETE", "keys/da_nobodys/", "401 404 404 404 404 404"),
    ("GET", "keys/da_nobodys/", "401 404 404 404 404 404"),
    ("GET", "definitions/{definition}/revisions/", READ),
    ("GET", "definitions/{definition}/revisions/{revision}/", READ),
    ("GET", "definitions/{definition}/revisions/7/", "404 404 404 404 404 404"),
    ("POST", "definitions/", "401 403 403 403 400 400"),
    ("POST", "definitions/{definition}/revise/", "401 403 403 403 400 400"),
    ("GET", "release-channels/", LIST),
    ("GET", "release-channels/{release}/", READ),
    ("GET", "release-channels/{release}/moves/", READ),
    ("GET", "release-channels/{release}/preview/", "400 404 400 400 400 400"),  # it carries nothing
    ("POST", "release-channels/{release}/promote/", "401 403 403 403 400 400"),
    ("POST", "release-channels/{release}/withdraw/", "401 403 403 403 400 400"),
    ("GET", "tasks/", LIST),
    ("GET", "tasks/{waiting_task}/", READ),
    ("GET", "tasks/{private_task}/", PRIVATE),
    ("GET", "tasks/999999/", "404 404 404 404 404 404"),
    ("GET", "tasks/{failed_task}/logs/", READ),
    ("GET", "tasks/{failed_task}/logs/1/build/", READ),
    ("GET", "tasks/{private_task}/logs/", PRIVATE),
    ("GET", "tasks/{private_task}/logs/1/build/", "404 404 404 404 404 404"),
    ("POST", "tasks/{waiting_task}/cancel/", MANAGERS),
    ("POST", "tasks/{private_task}/cancel/", MANAGERS),
    ("POST", "tasks/{failed_task}/cancel/", "401 404 409 409 409 409"),
    ("POST", "tasks/{failed_task}/retry/", MANAGERS),
    ("POST", "tasks/{waiting_task}/retry/", "401 404 409 409 409 409"),
    ("POST", "tasks/{waiting_task}/priority/", "401 403 403 403 400 400"),
    ("POST", "tasks/{waiting_task}/dependencies/", "401 404 400 400 400 400"),
    ("POST", "tasks/{waiting_task}/resubmit/", "401 404 409 409 409 409"),
    ("POST", "tasks/cancel/", "401 400 400 400 400 400"),
    ("POST", "tasks/retry/", "401 400 400 400 400 400"),
    ("GET", "schedules/", "401 403 200 200 200 200"),
    ("POST", "schedules/", "401 403 400 400 400 400"),
    ("GET", "schedules/{schedule}/", "401 403 200 200 200 200"),
    ("GET", "schedules/{schedule}/occurrences/", "401 403 200 200 200 200"),
    ("PATCH", "schedules/{schedule}/", "401 403 403 403 200 200"),
    ("GET", "schedules/-/times/?cron=0+1+*+*+*", "401 403 200 200 200 200"),
    ("POST", "schedules/{schedule}/disable/", "401 403 403 403 200 200"),
    ("POST", "schedules/{schedule}/enable/", "401 403 403 403 200 200"),
    ("POST", "schedules/{schedule}/run/", "401 403 403 403 201 201"),
    ("DELETE", "schedules/{schedule}/", "401 403 403 403 204 204"),
    ("POST", "builds/{finished}/rebuild/", "401 404 403 400 400 400"),
    ("POST", "builds/{failed}/rebuild/", "401 404 409 409 409 409"),
    ("POST", "builds/{failed}/resubmit/", "401 404 403 201 201 201"),
    ("POST", "composes/{failed_compose}/resubmit/", "401 404 403 403 201 201"),
    ("GET", "leaving/", LIST),
    ("GET", "leaving/snapshots/", LIST),
    ("GET", "leaving/tags/trixie/", READ),
    ("POST", "leaving/{finished}/keep/", "401 404 403 403 200 200"),
    ("POST", "leaving/snapshots/999999/keep/", "401 404 404 404 404 404"),
    ("POST", "builds/{waiting}/resubmit/", "401 404 409 409 409 409"),
    ("PATCH", "channels/default/", "401 403 403 403 403 200"),
    ("GET", "windows/", "401 403 200 200 200 200"),
    ("POST", "windows/", "401 403 403 403 403 400"),
    ("GET", "windows/{window}/", "401 403 200 200 200 200"),
    ("DELETE", "windows/{window}/", "401 403 403 403 403 204"),
    ("GET", "hosts/", "401 403 200 200 200 200"),
    ("GET", "hosts/{host}/", "401 403 200 200 200 200"),
    ("POST", "hosts/{host}/doctor/", "401 403 403 403 403 201"),
    ("PATCH", "hosts/{host}/", "401 403 403 403 403 200"),
    ("GET", "hosts/{host}/history/", "401 403 200 200 200 200"),
    ("GET", "hosts/{host}/failures/", "401 403 200 200 200 200"),
    ("POST", "hosts/{host}/enable/", "401 403 403 403 403 200"),
    ("POST", "hosts/{host}/drain/", "401 403 403 403 403 200"),
    ("POST", "hosts/{host}/maintenance/", "401 403 403 403 403 400"),
    ("POST", "hosts/{host}/disable/", "401 403 403 403 403 200"),
    ("POST", "hosts/{host}/lift/", "401 403 403 403 403 409"),
    ("GET", "registrations/", "401 403 403 403 403 200"),
    ("POST", "registrations/", "401 403 403 403 403 201"),
    ("GET", "registrations/{registration}/", "401 403 403 403 403 200"),
    ("DELETE", "registrations/{registration}/", "401 403 403 403 403 204"),
    ("GET", "retention/", "401 403 403 403 403 200"),
    ("GET", "scaling/", "401 403 200 200 200 200"),
    ("GET", "statistics/", "401 403 200 200 200 200"),
    ("GET", "channels/", LIST),
    ("GET", "channels/default/", READ),
    ("GET", "artifacts/", LIST),
    ("GET", "artifacts/{artifact}/", READ),
    ("GET", "artifacts/{artifact}/download/", READ),
    ("GET", "targets/", LIST),
    ("GET", "targets/trixie/", READ),
    ("GET", "targets/trixie/checks/", READ),
    ("PUT", "targets/trixie/checks/", "401 404 403 403 400 400"),
    ("GET", "checks/", LIST),
    ("GET", "checks/{check}/", READ),
    ("POST", "checks/{check}/retry/", "401 404 403 403 200 200"),
    ("POST", "checks/{check}/override/", "401 404 409 409 409 409"),
    ("PATCH", "targets/trixie/", "401 403 403 403 200 200"),
    ("GET", "builds/", LIST),
    ("GET", "builds/{waiting}/", READ),
    ("GET", "builds/{private}/", PRIVATE),
    ("GET", "builds/{finished}/artifacts/", READ),
    ("GET", "builds/{private}/artifacts/", PRIVATE),
    ("POST", "builds/", "401 403 403 400 400 400"),
    ("POST", "builds/many/", "401 403 403 400 400 400"),
    ("POST", "builds/git/", "401 403 403 400 400 400"),
    ("POST", "builds/{waiting}/cancel/", MANAGERS),
    ("POST", "builds/{private}/cancel/", MANAGERS),
    ("POST", "builds/{finished}/cancel/", "401 404 409 409 409 409"),
    ("POST", "builds/{failed}/retry/", MANAGERS),
    ("POST", "builds/{finished}/compare/", "401 404 403 200 200 200"),
    ("POST", "builds/{waiting}/compare/", "401 404 409 409 409 409"),
    ("GET", "chroots/", LIST),
    ("GET", "chroots/trixie-amd64/", READ),
    ("POST", "chroots/", "401 403 403 403 403 400"),
    ("PATCH", "chroots/trixie-amd64/", "401 403 403 403 403 200"),
    ("DELETE", "chroots/trixie-amd64/", "401 403 403 403 403 409"),
    ("GET", "chroots/trixie-amd64/configuration/", "401 403 200 200 200 200"),
    ("GET", "chroots/trixie-amd64/refreshes/", READ),
    ("GET", "chroots/trixie-amd64/packages/", READ),
    ("GET", "chroots/trixie-amd64/difference/?from={before}&to={after}", READ),
    ("POST", "chroots/trixie-amd64/try/", "401 404 403 400 400 400"),
    ("POST", "chroots/trixie-amd64/refresh/", "401 404 403 403 201 201"),
    ("POST", "chroots/trixie-amd64/scrub/", "401 404 403 403 400 400"),
    ("POST", "chroots/trixie-amd64/clean/", "401 404 403 403 403 400"),
    ("GET", "packages/", LIST),
    ("GET", "packages/figlet/", READ),
    ("GET", "packages/figlet/difference/?from={failed}&to={finished}", READ),
    ("GET", "files/?name=figlet", LIST),
    ("GET", "binaries/", LIST),
    ("GET", "binaries/{binary}/", READ),
    ("GET", "attestations/", LIST),
    ("GET", "attestations/{finished_task}/", READ),
    ("GET", "chains/", LIST),
    ("POST", "chains/", "401 403 403 400 400 400"),
    ("POST", "chains/order/", "401 403 403 400 400 400"),
    ("GET", "chains/999999/", "404 404 404 404 404 404"),
    ("POST", "chains/999999/cancel/", "401 404 404 404 404 404"),
    ("POST", "chains/999999/retry/", "401 404 404 404 404 404"),
    ("GET", "tags/", LIST),
    ("GET", "tags/trixie/", READ),
    ("GET", "tags/trixie/builds/", READ),
    ("POST", "tags/trixie/add/", "401 404 403 403 400 400"),
    ("POST", "tags/trixie/remove/", "401 404 403 403 400 400"),
    ("POST", "tags/trixie/block/", "401 404 403 403 400 400"),
    ("GET", "tags/trixie/history/", READ),
    ("GET", "tags/trixie/builds/?at=2026-01-01", READ),
    ("GET", "tags/trixie/builds/?at=yesterday", "400 404 400 400 400 400"),
    ("POST", "tags/", "401 403 403 403 400 400"),
    ("PATCH", "tags/trixie/", "401 404 403 403 200 200"),
    ("POST", "tags/trixie/unblock/", "401 404 403 403 400 400"),
    ("POST", "tags/trixie/lock/", "401 404 403 403 200 200"),
    ("POST", "tags/trixie/unlock/", "401 404 403 403 200 200"),
    ("POST", "tags/trixie/move/", "401 404 403 403 400 400"),
    ("GET", "promotion-policies/", LIST),
    ("GET", "promotion-policies/{policy}/", READ),
    ("GET", "promotion-policies/{policy}/revisions/", READ),
    ("GET", "promotion-policies/{policy}/candidates/?show=held", READ),
    ("GET", "promotion-policies/{policy}/test/?build={finished}&source=trixie", READ),
    ("GET", "promotion-policies/{policy}/test/?build={finished}&source=stable", "400 404 400 400 400 400"),
    ("GET", "promotion-policies/{policy}/test/?build={private}&source=trixie", PRIVATE),
    ("POST", "promotion-policies/", "401 403 403 403 400 400"),
    ("POST", "promotion-policies/{policy}/revise/", "401 403 403 403 400 400"),
    ("POST", "promotion-policies/{policy}/enable/", "401 403 403 403 200 200"),
    ("POST", "promotion-policies/{policy}/disable/", "401 403 403 403 200 200"),
    ("POST", "promotion-policies/{policy}/promote/", "401 403 403 400 400 400"),
    ("GET", "repositories/", LIST),
    ("GET", "repositories/trixie/", READ),
    ("GET", "repositories/trixie/snapshots/", READ),
    ("GET", "definitions/", LIST),
    ("GET", "definitions/debian-atomic/", READ),
    ("POST", "definitions/follow/", "401 403 403 403 400 400"),
    ("GET", "definitions/{definition}/origin/", "400 404 400 400 400 400"),  # it follows nothing
    ("POST", "definitions/{definition}/unfollow/", "401 403 403 403 400 400"),
    ("POST", "definitions/{definition}/sync/", "401 403 403 403 400 400"),
    ("POST", "definitions/{definition}/attach/", "401 403 403 403 400 400"),
    ("GET", "composes/", LIST),
    ("GET", "composes/{compose}/", READ),
    ("GET", "composes/{secret_compose}/", PRIVATE),
    ("GET", "composes/{compose}/artifacts/", READ),
    ("POST", "composes/", "401 403 403 403 400 400"),
    ("POST", "composes/{compose}/cancel/", MANAGERS),
    ("POST", "composes/{secret_compose}/cancel/", MANAGERS),
    ("GET", "composes/{secret_compose}/compare/", "404 404 400 400 400 400"),  # there is none before
    ("POST", "composes/{compose}/override/", "401 404 409 409 409 409"),
    ("POST", "composes/{compose}/retry/", "401 404 409 409 409 409"),
]


@pytest.mark.parametrize("part", range(PARTS))
def test_each_role_is_answered_as_the_table_says(
    part: int, world: dict[str, Any], clients: dict[str, Client], subtests: pytest.Subtests
) -> None:
    for method, address, answers in TABLE[part::PARTS]:
        path = "/api/v1/" + address.format(**world)
        for who, answer in zip(WHO, answers.split(), strict=True):
            with subtests.test(f"{who} {method} {address}"), scene.undone():
                response = clients[who].generic(method, path, "{}", content_type="application/json")
                assert response.status_code == int(answer)


def test_the_table_knows_every_address() -> None:
    known = {(method, address.split("?")[0]) for method, address, _ in TABLE}
    missing = {one for one in _addresses() if not any(_fits(one, address) for _, address in known)}
    assert missing == set()


def _addresses() -> set[str]:
    """Every pattern below /api/v1/, but what only hosts talk."""
    found = set()
    for resolver in get_resolver().url_patterns:
        if str(resolver.pattern) == "api/v1/":
            found |= set(_below(resolver, ""))
    return found


def _below(resolver: Any, prefix: str) -> list[str]:
    if hasattr(resolver, "url_patterns"):
        return [one for part in resolver.url_patterns for one in _below(part, prefix + str(resolver.pattern))]
    return [prefix + str(resolver.pattern)]


def _fits(pattern: str, address: str) -> bool:
    import re

    plain = re.sub(r"\(\?P<\w+>(?:\[[^\]]*\]|[^)])*\)", "[^/]+", pattern.replace("api/v1/", "").replace("^", ""))
    plain = re.sub(r"<[^>]+>", "[^/]+", plain).rstrip("$").removesuffix("\\Z")
    return re.fullmatch(plain, address) is not None


def test_a_closed_site_tells_visitors_nothing(
    settings: Any, world: dict[str, Any], client_of: Callable[[str], Client]
) -> None:
    settings.PUBLIC_READING = False
    visitor = client_of("visitor")
    for path in ("tasks/", "builds/", f"builds/{world['waiting']}/", "artifacts/", "chroots/", "targets/"):
        assert visitor.get(f"/api/v1/{path}").status_code == 401


def test_visitors_see_public_things_only(world: dict[str, Any], client_of: Callable[[str], Client]) -> None:
    seen = {one["id"] for one in client_of("visitor").get("/api/v1/builds/").json()["results"]}
    assert seen == {world["waiting"], world["failed"], world["finished"]}
    assert client_of("stranger").get("/api/v1/builds/").json()["results"] == []
    assert len(client_of("viewer").get("/api/v1/builds/").json()["results"]) == 4
