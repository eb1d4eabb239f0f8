"""Three packages that need each other, submitted at once: each is built with what the ones before made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.application import Application, wait
from tests.main_job.packages import source_package

pytestmark = pytest.mark.integration
MAKE_TARGET = """
from builds.models import Tag, Target
from chroots.models import Chroot
from hosts.models import Channel
target = Target.objects.create(name="chained", tag=Tag.objects.create(name="chained"), channel=Channel.objects.first())
target.chroots.set(Chroot.objects.filter(name="trixie-amd64"))
"""


def there(name: str) -> str:
    return f"test -f /usr/share/doc/{name}/README"


def prepare(application: Application) -> None:
    """A target that builds with its tag's repository, which is published."""
    application.manage("shell", "-c", MAKE_TARGET)
    form = {"suite": "chained", "architectures": "amd64", "origin": "House", "label": "House", "valid_days": "0",
            "keep_days": "30", "enabled": "on", "automatic": "on"}  # fmt: skip
    settings = {"with_repository": "on", "when": "names", "most": "5"}
    with application.signed_in("release-manager") as browser:
        assert browser.post("/tags/chained/repository/", data=form).status_code == 302
        assert browser.post("/chains/targets/chained/", data=settings).status_code == 302
    wait(lambda: application.get("repositories/chained/")["current"], 60, application.output)


def test_a_chain_is_built_in_order(application: Application, tmp_path: Path) -> None:
    prepare(application)
    sources = [
        source_package(tmp_path, "both", build=f"{there('libtiny')} && {there('tool')}", needs="libtiny, tool"),
        source_package(tmp_path, "tool", build=there("libtiny"), needs="libtiny (>= 1.0)"),
        source_package(tmp_path, "libtiny"),
    ]
    sent = application.command("chain", "submit", *sources, "--target", "chained", "--json")
    assert sent.returncode == 0, sent.stderr
    chain: dict[str, Any] = application.until(f"chains/{json.loads(sent.stdout)['id']}/", "completed")
    assert [(each["source"], each["state"]) for each in chain["members"]] == [
        ("libtiny", "completed"), ("tool", "completed"), ("both", "completed")]  # fmt: skip
    build = application.get(f"builds/{chain['members'][2]['build']}/")
    (used,) = application.task(build)["result"]["repositories"]
    snapshots = {each["name"] for each in application.get("repositories/chained/snapshots/")}
    assert (used["suite"], used["snapshot"] in snapshots, len(used["release"])) == ("chained", True, 64)
