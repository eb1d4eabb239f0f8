"""From a build to `apt install`: the tag's repository follows by itself, and a real apt reads it from the hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.application import Application, wait
from tests.main_job.packages import source_package
from tests.repository.apt import Apt

pytestmark = pytest.mark.integration


def repository(application: Application) -> dict[str, Any]:
    found: dict[str, Any] = application.get("repositories/trixie/")
    return found


def test_a_build_becomes_installable(application: Application, tmp_path: Path) -> None:
    form = {"suite": "trixie", "architectures": "amd64", "origin": "House", "label": "House", "valid_days": "0",
            "keep_days": "30", "enabled": "on", "contents": "on", "automatic": "on"}  # fmt: skip
    with application.signed_in("release-manager") as browser:
        assert browser.post("/tags/trixie/repository/", data=form).status_code == 302
    build = application.upload(source_package(tmp_path, "housed"), scratch=False)
    application.until(f"builds/{build['id']}/", "completed")
    listed = [each for each in application.get("tags/trixie/builds/") if each["source"] == "housed"]
    assert [(each["build"], each["via"]) for each in listed] == [(build["id"], "trixie")]

    def housed() -> str:
        answer = httpx.get(f"{application.address}/repositories/trixie/dists/trixie/main/Contents-amd64.xz")
        return answer.headers["etag"] if answer.status_code == 200 and repository(application)["current"] else ""

    wait(housed, 60, application.output)
    keys = httpx.get(f"{application.address}/repositories/keys.asc").content
    apt = Apt(tmp_path / "apt", f"{application.address}/repositories/trixie", keys, suite="trixie")

    def candidate() -> str:
        apt("update")
        told = apt("policy", "housed", program="apt-cache")
        return next((line.split()[1] for line in told.splitlines() if "Candidate:" in line), "")

    wait(lambda: candidate() == "1.0", 60, application.output)
    apt("download", "housed")
    assert (apt.folder / "housed_1.0_amd64.deb").stat().st_size > 0
    apt("source", "--download-only", "housed")
    assert (apt.folder / "housed_1.0.dsc").exists()

    sent = application.command("rebuild", str(build["id"]), "--reason", "Rebuild against nothing.", "--json")
    (rebuild,) = json.loads(sent.stdout)["made"]
    application.until(f"builds/{rebuild['id']}/", "completed")
    wait(lambda: candidate() == "1.0+b1", 60, application.output)
    told = apt("show", "housed", program="apt-cache")
    assert "Source: housed (1.0)" in told
    (apt.folder / "housed_1.0.dsc").unlink()
    apt("source", "--download-only", "housed")
    assert (apt.folder / "housed_1.0.dsc").exists()

    page = httpx.get(f"{application.address}/repositories/trixie/")
    assert "debatomic.sources" in page.text and "BEGIN PGP PUBLIC KEY BLOCK" in page.text
    lines = httpx.get(f"{application.address}/repositories/trixie/debatomic.sources").text
    own = Apt(tmp_path / "own", "", b"", suite="trixie")
    (own.folder / "etc/sources.list.d/house.sources").write_text(lines)
    own("update")
    own("download", "housed")

    with application.signed_in("release-manager") as browser:
        assert browser.post(f"/tags/trixie/remove/{rebuild['id']}/", data={"reason": "tried"}).status_code == 302

    def gone() -> bool:
        apt("update")
        return "housed" not in apt("policy", "housed", program="apt-cache")

    wait(gone, 60, application.output)
