"""Maintainer scripts of hostile packages, run as root while a tree is made: they rule the tree and nothing else."""

from __future__ import annotations

import io
import os
import pickle
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chroots.engine.isolation.mounts import mounted
from chroots.engine.layers.overlay import overlay_options
from composes.pipeline.system import installing
from composes.pipeline.system.initramfs import IMAGE, Initramfs
from composes.pipeline.system.inside import _Reader, inside
from composes.pipeline.system.jailing import Cell, cell
from composes.pipeline.system.lint import Finding
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
def test_a_tool_that_a_tree_took_over_writes_only_where_its_stage_works(tools: Tools, tmp_path: Path) -> None:
    (top,) = tools.shared
    place, other = top / "stage", top / "other"
    for folder in (place, other):
        folder.mkdir()
        (folder / "result").write_text("content")
    does = {**HOSTILE, "changes a package": '! sh -c "echo x >> $OTHER" && ! rm -f "$OTHER" && echo x >> "$MINE"'}
    did = []
    for what in does.keys() - {"has a network"}:  # these tools are a machine's in the field
        try:
            tools.working(place).run(["sh", "-c", does[what]], env={
                "HOST": os.fspath(tmp_path), "OTHER": f"{other}/result", "MINE": f"{place}/result"})  # fmt: skip
        except CommandFailed:
            did.append(what)
    assert did == []
    assert ((place / "result").read_text(), (other / "result").read_text()) == ("contentx\n", "content")
    tools.widely.run(["ln", other / "result", place / "linked"])
    assert (place / "linked").samefile(other / "result")
    with pytest.raises(CommandFailed):
        tools.widely.run(["ls", "/sys/kernel"])
    tools.run(["sh", "-c", "ln -sf /etc/shadow /usr/bin/readlink && readlink -f / || echo of the jail > /usr/bin/ldd"])
    assert not (tools.root / "usr/bin/readlink").is_symlink()
    assert tools.read(["readlink", "-f", "/"], jailed=False) == "/"
    with pytest.raises(ToolError, match="left a link where disk"):
        tools.working(place).run(["ln", "-s", "/etc/shadow", f"{place}/disk.raw"])


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


def turned(root: Path, host: int, port: int) -> list[str]:
    """What code of ours could do, once something in a tree had taken it over."""
    acts: dict[str, Callable[[], object]] = {
        "leaves the tree": lambda: os.chroot(root), "ends a process": lambda: os.kill(host, 0),
        "makes a device": lambda: os.mknod("disk", stat.S_IFBLK | 0o600, os.makedev(254, 0)),
        "reaches the host": lambda: socket.create_connection(("127.0.0.1", port), timeout=1),
        "has a folder of the host": lambda: next(number for number in range(3, 99) if _is_open(number)),
        "names the machine": lambda: socket.sethostname("other"),
    }  # fmt: skip
    did = []
    for what, act in acts.items():
        try:
            act()
        except (OSError, StopIteration):
            continue
        did.append(what)
    os.chown("file", 7, 8)
    (root / "file").chmod(0o4755)
    return did


def _is_open(number: int) -> bool:
    try:
        return stat.S_ISDIR(os.fstat(number).st_mode)
    except OSError:
        return False


def test_our_own_code_in_a_tree_rules_nothing_but_its_files(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            assert inside(tmp_path, turned, os.getpid(), server.getsockname()[1]) == []
    finally:
        os.close(folder)
    status = (tmp_path / "file").lstat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (7, 8, 0o4755)


def answers_a_call(root: Path) -> object:
    return Calls()


class Calls:
    """Unpickled as anything else is, it would call."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("exit 1",)


def test_an_answer_out_of_a_tree_is_data(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"its answer cannot be read: posix\.system is nothing that an answer"):
        inside(tmp_path, answers_a_call)


@pytest.mark.parametrize("of", ["(N}\x8c\x04doneI1\nstb", ")R"])
def test_an_answer_gets_no_class_to_change_or_to_call(of: str) -> None:
    """Of a pickle, BUILD and REDUCE: they would set an attribute of the class itself, or begin with __init__."""
    name = Finding.__module__.encode()
    said = b"\x80\x04\x8c" + bytes([len(name)]) + name + b"\x8c\x07Finding\x93" + of.encode("latin-1") + b"."
    made = _Reader(io.BytesIO(said)).load()
    assert made is not Finding and not hasattr(Finding, "done") and not vars(made).get("rule")
    kept = Finding(rule="a", fatal=True, details=("b",))
    assert _Reader(io.BytesIO(pickle.dumps(kept))).load() == kept


def test_an_answer_has_no_module_imported() -> None:
    with pytest.raises(pickle.UnpicklingError, match="is nothing that an answer"):
        _Reader(io.BytesIO(b"\x80\x04\x8c\x1acomposes.pipeline.__main__\x8c\x04main\x93.")).load()


def test_an_initramfs_is_put_where_the_tree_has_it_and_not_where_a_link_leads(tmp_path: Path) -> None:
    root, ours = tmp_path / "root", tmp_path / "ours"
    (root / "usr/lib/modules/6").mkdir(parents=True)
    (root / "usr/lib/modules/6" / IMAGE).symlink_to(ours)
    ours.write_text("of the host")
    (tmp_path / "kept").write_text("the image")
    with pytest.raises(OSError, match="No such file"):
        Initramfs(root=root, version="6")._put(tmp_path / "kept")
    assert ours.read_text() == "of the host"
