"""Pages and API of chains: what they show, what they refuse, and how many questions they ask."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from builds.chains.chain_models import Chain, RebuildPolicy
from builds.models import Target
from hosts.models import State
from tests.chains.conftest import SOURCES, uploads


def test_the_page_shows_the_graph_and_what_each_waits_for(chain: Chain, clients: dict[str, Client]) -> None:
    with CaptureQueriesContext(connection) as asked:
        page = clients["viewer"].get(f"/chains/{chain.pk}/")
    text = page.content.decode()
    assert text.count('class="chain-box state-waiting"') == text.count('<path class="chain-line"') == 3
    assert "<title>both 1.0 needs tool</title>" in text
    assert text.count("waits for the ones before") == 2
    assert "style=" not in text.partition('id="chain"')[2].partition("</svg>")[0]
    assert len(asked) <= 9
    assert clients["visitor"].get(f"/builds/{chain.members.all()[0].build_id}/").status_code == 200


def test_the_list_is_filtered(chain: Chain, clients: dict[str, Client]) -> None:
    for query, found in [("source=tool", True), ("source=other", False), ("state=live&target=trixie", True),
                         ("state=failed", False), ("submitter=somebody", True)]:  # fmt: skip
        page = clients["viewer"].get(f"/chains/?{query}").context["page"]
        assert [row.pk for row in page.rows] == ([chain.pk] if found else []), query


def test_whose_it_is_says_who_may(house: Target, tmp_path: Path, clients: dict[str, Client]) -> None:
    given = [file for _, file in uploads(tmp_path / "sources", SOURCES)]
    answer = clients["packager"].post("/api/v1/chains/", {"target": "trixie", "files": given})
    assert answer.status_code == 201, answer.content
    told = answer.json()
    assert [(each["source"], each["level"], each["state"]) for each in told["members"]] == [
        ("libtiny", 0, "free"), ("tool", 1, "free"), ("both", 2, "free")]  # fmt: skip
    assert told["members"][2]["needs"] == [{"source": "libtiny", "packages": ["libtiny"]},
                                           {"source": "tool", "packages": ["tool"]}]  # fmt: skip
    address = f"/api/v1/chains/{told['id']}"
    assert clients["viewer"].post(f"{address}/cancel/").status_code == 403
    assert clients["packager"].post(f"{address}/retry/").status_code == 409
    assert clients["packager"].post(f"{address}/cancel/").json()["state"] == "canceled"
    assert clients["release-manager"].post(f"{address}/retry/").json()["state"] == "free"
    assert clients["packager"].post(f"/chains/{told['id']}/cancel/").status_code == 302
    assert Chain.objects.get(pk=told["id"]).state == State.CANCELED


def test_the_order_is_shown_before_anything_is_submitted(house: Target, tmp_path: Path,
                                                         clients: dict[str, Client]) -> None:  # fmt: skip
    given = [file for _, file in uploads(tmp_path / "sources", SOURCES)]
    page = clients["packager"].post("/chains/new/", {"target": "trixie", "files": given, "only": "order"})
    assert page.context["plan"].levels == [["libtiny"], ["tool"], ["both"]]
    for file in given:
        file.seek(0)
    told = clients["packager"].post("/api/v1/chains/order/", {"target": "trixie", "files": given}).json()
    assert (told["levels"], Chain.objects.count()) == ([["libtiny"], ["tool"], ["both"]], 0)


def test_a_cycle_is_an_error_at_its_field(house: Target, tmp_path: Path, client_of: Callable[[str], Client]) -> None:
    given = [file for _, file in uploads(tmp_path / "sources", {"aa": "bb <!nocheck>", "bb": "aa"})]
    page = client_of("packager").post("/chains/new/", {"target": "trixie", "files": given})
    assert (page.status_code, "Build aa with &lt;nocheck&gt;, without bb." in page.content.decode()) == (422, True)


@pytest.mark.parametrize("change, field", [({"libraries": "LIB"}, "libraries"), ({"when": "never"}, "when")])
def test_settings_of_a_target(target: Target, clients: dict[str, Client], change: dict[str, Any], field: str) -> None:
    manager, address = clients["release-manager"], "/chains/targets/trixie/"
    form = {"with_repository": "on", "enabled": "on", "when": "version", "libraries": "lib*", "most": "5"}
    refused = manager.post(address, {**form, **change})
    assert (refused.status_code, list(refused.context["form"].errors)) == (422, [field])
    assert manager.post(address, form).status_code == 302
    policy = RebuildPolicy.objects.get(target=target)
    assert (policy.enabled, policy.is_about("libtiny"), policy.is_about("tool")) == (True, True, False)
    assert Target.objects.get(pk=target.pk).with_repository
    assert "has no build of libtiny" in manager.get(f"{address}?library=libtiny").content.decode()
