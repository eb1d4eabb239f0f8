"""Maintainer scripts of hostile packages, run as root while a tree is made: they rule the tree and nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from chroots.engine.isolation.mounts import mounted
from chroots.engine.layers.overlay import overlay_options
from composes.pipeline.system import installing
from composes.pipeline.system.initramfs import IMAGE, Initramfs
from composes.pipeline.system.inside import inside
from composes.pipeline.system.jailing import Cell, cell
from composes.pipeline.tools import Tools
from debatomic.tools.errors import CommandFailed, ToolError
from tests.machine import field_tools

HOSTILE = {
    "mounts": "! mount -t tmpfs x /mnt && ! mount --bind / /mnt",
    "makes a device": "! mknod /tmp/disk b 254 0",
    "sees another process": '[ "$(ls -d /proc/[0-9]* | wc -l)" -lt 12 ]',
    "changes the kernel": "! sh -c 'echo 1 > /proc/sys/kernel/panic' && ! sh -c 'echo b > /proc/sysrq-trigger'",
    "has a network": "! grep -v -e lo: -e '|' /proc/net/dev",
    "makes a user namespace": "! unshare --user true",
    "sees what is of the host": '[ ! -e "$HOST" ] && [ ! -e /proc/1/root"$HOST" ]',
    "changes a package": "! sh -c 'echo x >> /srv/package' && ! rm -f /srv/package && ! chmod 777 /srv/package",
    "has the environment of the host": '[ -z "$SECRET" ] && ! grep -q SECRET /proc/*/environ',
}


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tools]:
    with field_tools(tmp_path_factory.mktemp("jailing")) as entry:
        yield entry


@pytest.fixture
def jail(tools: Tools, tmp_path: Path) -> Iterator[Cell]:
    root, upper, packages = tmp_path / "root", tmp_path / "upper", tmp_path / "packages"
    for folder in (root, upper / "changes", upper / "scratch", packages):
        folder.mkdir(parents=True)
    (packages / "package").write_text("content")
    options = overlay_options([tools.tree], upper)
    with mounted("overlay", root, options), cell(root, tmp_path, shown={"/srv": packages}) as made:
        yield made


@pytest.mark.integration
def test_a_script_does_nothing_of_this(jail: Cell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "of the host")
    did = []
    for what, script in HOSTILE.items():
        try:
            jail.run(["sh", "-c", script], env={"HOST": os.fspath(tmp_path)}, capture=True)
        except CommandFailed:
            did.append(what)
    assert did == []
    assert (tmp_path / "packages/package").read_text() == "content"


@pytest.mark.integration
def test_what_it_may_do_has_the_owners_and_capabilities_it_gave(jail: Cell) -> None:
    jail.run(["sh", "-c", "cp /bin/true /usr/bin/mine && chown 7:8 /usr/bin/mine && chmod 6755 /usr/bin/mine"])
    status = (jail.root / "usr/bin/mine").lstat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (7, 8, 0o6755)
    jail.run(["perl", "-e", "($p, $n) = ('/usr/bin/mine', 'security.capability');"
              "$x = pack('VVVVV', 0x02000001, 0x400, 0, 0, 0);"
              "syscall(188, $p, $n, $x, 20, 0) == 0 or die $!"])  # fmt: skip
    assert os.getxattr(jail.root / "usr/bin/mine", "security.capability") == bytes.fromhex(
        "0100000200040000000000000000000000000000"
    )


@pytest.mark.integration
def test_a_link_of_the_tree_leads_us_to_nothing_of_the_host(tmp_path: Path) -> None:
    root, ours = tmp_path / "root", tmp_path / "ours"
    for folder in (root / "usr/sbin", root / "var", ours):
        folder.mkdir(parents=True)
    (ours / "log").write_text("of the host")
    (root / "var/log").symlink_to(ours)
    (root / installing.POLICY).symlink_to(ours / "policy")
    inside(root, installing.clean)
    assert not inside(root, installing.forbid_services)
    assert [path.name for path in ours.iterdir()] == ["log"]
    (root / "dev").symlink_to(ours)
    with pytest.raises(ToolError, match="has a link at /dev"), cell(root, tmp_path) as made:
        made.run(["true"])


def test_an_initramfs_is_put_where_the_tree_has_it_and_not_where_a_link_leads(tmp_path: Path) -> None:
    root, ours = tmp_path / "root", tmp_path / "ours"
    (root / "usr/lib/modules/6").mkdir(parents=True)
    (root / "usr/lib/modules/6" / IMAGE).symlink_to(ours)
    ours.write_text("of the host")
    (tmp_path / "kept").write_text("the image")
    with pytest.raises(OSError, match="No such file"):
        Initramfs(root=root, version="6")._put(tmp_path / "kept")
    assert ours.read_text() == "of the host"
