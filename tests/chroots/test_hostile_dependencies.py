"""Build dependencies that attack while they are being installed, as root of a jail: neither host nor layers suffer."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chroots.engine.layers.gauge import unlinked_size
from chroots.engine.layers.sealing import require_places, seal
from chroots.engine.state import directory_size, remove_tree
from debatomic.tools.errors import ToolError
from tests.chroots.make_hostile import HERE, PATHS, REPORT, VICTIM
from tests.chroots.neighbour import host

DEFINITION = """base: trixie-amd64
+repositories:
  - {{name: hostile, uris: ["file://{folder}"], suites: [hostile], key: "{folder}/key.asc"}}
"""
Builds = Callable[..., tuple[int, str, dict[str, Any]]]


def made(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).mkdir(parents=True)
        (folder / name / "file").touch()
    return folder


def test_a_layer_is_tidied_up_without_following_a_link(tmp_path: Path) -> None:
    victim = made(tmp_path / "victim", "apt", "lib/apt/lists")
    changes = made(tmp_path / "changes", "var/lib/apt/lists", "var/log/apt", "usr/share", "tmp", "run")
    (changes / "var/cache").symlink_to(victim)
    seal(changes)
    assert (victim / "apt/file").exists()
    assert (changes / "var/cache").is_symlink()
    assert (changes / "usr/share/file").exists()
    left = [name for name in ("var/lib/apt/lists", "var/log/apt", "tmp", "run") if (changes / name).exists()]
    assert left == []
    shutil.rmtree(changes / "var")
    (changes / "var").symlink_to(victim)  # and one further up
    seal(changes)
    assert (victim / "lib/apt/lists/file").exists()


@pytest.mark.parametrize("name", ["dev", "proc", "run", "sys", "tmp", "build", "build/reproducible-path"])
def test_a_layer_has_no_link_where_the_engine_works(name: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).symlink_to("/etc")
    with pytest.raises(ToolError, match=f"A build dependency made a link of /{name} while it was being installed"):
        seal(tmp_path)
    assert (tmp_path / name).is_symlink()


def test_nothing_is_mounted_where_a_link_leads(tmp_path: Path) -> None:
    made(tmp_path, "opt/sdk", "run")
    (tmp_path / "srv").symlink_to("/oldroot/etc")
    require_places(tmp_path, ("/opt/sdk", "/run/source", "/opt/new/place"))
    with pytest.raises(ToolError, match="has a link at /srv, where /srv/x is to be mounted"):
        require_places(tmp_path, ("/opt/sdk", "/srv/x"))


def test_files_without_a_name_are_counted(tmp_path: Path) -> None:
    script = (
        f'cd {tmp_path}; exec perl -e \'$|=1; open F, ">", "x"; print F "x" x 2097152; unlink "x"; print 1; sleep 60\''
    )
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE) as child:
        assert child.stdout and child.stdout.read(1) == b"1"
        try:
            device = tmp_path.stat().st_dev
            assert 1 << 20 <= unlinked_size([child.pid], device) <= 3 << 20
            assert unlinked_size([child.pid, 999_999_999], device + 1) == 0
        finally:
            child.kill()


def test_folders_in_folders_are_measured_and_removed(tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    script = "for (1 .. 3000) { mkdir q(d) or die; chdir q(d) or die } open F, q(>), q(f); print F q(x) x 8192"
    subprocess.run(["perl", "-e", script], cwd=top, check=True)
    assert directory_size(top) >= 3000 * 4096 + 8192
    remove_tree(top)
    assert not top.exists()


@pytest.fixture(scope="module")
def victim() -> Iterator[Path]:
    """Folders of the host that a link in a layer leads to."""
    folder = Path(VICTIM)
    shutil.rmtree(folder, ignore_errors=True)
    yield made(folder, "apt", "lists")
    shutil.rmtree(folder)


@pytest.fixture
def builds(
    engine: Callable[..., tuple[int, str]], source_package: Callable[..., Path], engine_state: Path, tmp_path: Path,
    victim: Path,
) -> Iterator[Builds]:  # fmt: skip
    """Build a package that needs a hostile one: exit status, output, result. The host is as before afterwards."""
    (tmp_path / "definitions").mkdir()
    (tmp_path / "definitions/hostile.yaml").write_text(DEFINITION.format(folder=HERE))
    before = host(engine_state)

    def build(needs: str, *commands: str, options: tuple[str, ...] = ()) -> tuple[int, str, dict[str, Any]]:
        dsc = source_package(needs.replace("hostile", "victim"), *commands, depends=needs)
        words = ["--chroot", "hostile", "--definitions", tmp_path / "definitions", "--output", tmp_path / "out"]
        status, output = engine("build", dsc, *words, *options)
        return status, output, json.loads((tmp_path / "out/result.json").read_text())

    yield build
    after = host(engine_state)
    assert after == before
    assert sorted(path.name for path in victim.rglob("*")) == ["apt", "file", "file", "lists"]


@pytest.mark.integration
def test_a_link_of_a_layer_leads_the_host_nowhere(builds: Builds) -> None:
    status, output, _ = builds("hostile-links", "test -L /var/cache", "! ls /var/cache/")
    assert status == 0, output[-2000:]


@pytest.mark.integration
def test_what_a_build_stands_on_is_not_replaced(builds: Builds, engine_state: Path) -> None:
    layers = set((engine_state / "layers").iterdir())
    status, output, result = builds("hostile-places")
    assert (status, result["class"]) == (1, "dep-wait"), output[-2000:]
    assert result["reason"].startswith("A build dependency made something that is no folder of /sys")
    assert set((engine_state / "layers").iterdir()) <= layers  # some may have been old enough to go


@pytest.mark.integration
def test_installing_as_root_leads_nowhere(builds: Builds) -> None:
    status, output, _ = builds("hostile-root", f"cat {REPORT}", "/usr/bin/root-shell -p -c 'echo shell of: $$(id -u)'")
    assert status == 0, output[-2000:]
    assert f"\ntried: {len(PATHS) + 7 + 4 + 5}\n" in output
    assert "GOT" not in output
    assert "\nshell of: 1234\n" in output


@pytest.mark.integration
@pytest.mark.parametrize("needs", ["hostile-filler", "hostile-hidden"])
def test_installing_is_held_by_the_disk_limit(needs: str, builds: Builds) -> None:
    status, output, result = builds(needs, options=("--disk", "300M"))
    assert (status, result["class"], result["kind"]) == (1, "disk", "disk"), output[-2000:]
    assert result["reason"].startswith("More than the disk limit of 300 MiB was written, and what did it was ended.")


@pytest.mark.integration
def test_a_layer_of_folders_in_folders_can_be_used_and_removed(builds: Builds, engine_state: Path) -> None:
    status, output, result = builds("hostile-deep", "test -d /usr/share/d/d/d/d")
    assert status == 0, output[-2000:]
    layer = engine_state / "layers" / result["layer"]
    assert layer.is_dir()
    remove_tree(layer)
    assert not layer.exists()
