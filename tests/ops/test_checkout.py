"""What the checkout says of itself: pins, lists and browser files."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from pathlib import Path

import pytest
from django.conf import settings

from scripts.vendor import FILES

TOP = Path(settings.BASE_DIR)
PIN = re.compile(r"[A-Za-z0-9_.\-]+(\[[a-z,]+\])?==[^=\s]+")


def listed(name: str) -> list[str]:
    lines = (line.partition("#")[0].strip() for line in (TOP / name).read_text().splitlines())
    return [line for line in lines if line]


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_python_package_is_pinned(name: str) -> None:
    loose = [line for line in listed(name) if not PIN.fullmatch(line) and line != "-r requirements.txt"]
    assert not loose


def test_browser_libraries_are_pinned_and_the_lock_names_no_host() -> None:
    wanted = json.loads((TOP / "package.json").read_text())["dependencies"]
    lock = json.loads((TOP / "package-lock.json").read_text())["packages"]
    assert wanted == {name: lock[f"node_modules/{name}"]["version"] for name in wanted}
    assert not [name for name, entry in lock.items() if "resolved" in entry or (name and "integrity" not in entry)]


def test_vendored_files_are_those_of_the_manifest() -> None:
    vendor = TOP / "static" / "vendor"
    manifest = json.loads((vendor / "manifest.json").read_text())
    assert manifest.keys() == FILES.keys()
    for name, entry in manifest.items():
        assert hashlib.sha256((vendor / name).read_bytes()).hexdigest() == entry["sha256"]


def test_pages_ask_for_vendored_files_that_exist() -> None:
    texts = [path.read_text() for folder in ("templates", "static/js") for path in (TOP / folder).rglob("*.*")]
    asked = {name for text in texts for name in re.findall(r"vendor/([\w./-]+\.(?:js|css))", text)}
    assert asked
    assert asked <= FILES.keys()


def test_debian_packages_are_listed_once_each() -> None:
    names = [line.split()[0] for name in ("packages.txt", "packages-test.txt") for line in listed(name)]
    assert sorted(set(names)) == sorted(names)


def test_the_client_starts_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "debatomic").symlink_to(TOP / "bin" / "debatomic")
    told = subprocess.run([tmp_path / "debatomic", "--help"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "DEBATOMIC_HUB" in told.stdout


def test_shell_scripts_parse() -> None:
    for name in ("bin/debatomic", "scripts/as-root", "scripts/install-packages", "scripts/remove-state"):
        subprocess.run(["sh", "-n", str(TOP / name)], check=True)
