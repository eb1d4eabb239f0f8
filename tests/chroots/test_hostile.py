"""Packages that attack: each ends with its reason within its limit; the host and a build beside it are unharmed."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.chroots.conftest import ROOT
from tests.chroots.neighbour import (
    ATTEMPTS,
    KERNEL_PATHS,
    MARK,
    NAME,
    ON_THE_KERNEL,
    PORT,
    Neighbour,
    groups,
    host,
    neighbour,
)

pytestmark = pytest.mark.integration

Hostile = Callable[..., "Ended"]
MiB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a build ended."""

    status: int
    output: str
    result: dict[str, Any]
    folder: Path
    seconds: float

    @property
    def made(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory, engine_state: Path) -> Iterator[Neighbour]:
    """The build that all the hostile ones run beside; it comes to a good end after them."""
    with neighbour(tmp_path_factory.mktemp("neighbour"), engine_state) as found:
        yield found
        said = found.finish()
        assert found.process.returncode == 0 and "kept: mine" in said, said[-2000:]
        assert list(found.output.glob("*.deb"))


@pytest.fixture
def hostile(
    start_engine: Callable[..., subprocess.Popen[str]], source_package: Callable[..., Path], engine_state: Path,
    tmp_path: Path, beside: Neighbour,
) -> Iterator[Hostile]:  # fmt: skip
    """Build a package whose debian/rules runs `script`; afterwards the host and the build beside it are as before."""
    before = host(engine_state)
    work: set[str] = set()  # the folders it was seen to work in

    def build(script: str, *options: str, by: str = "sh") -> Ended:
        dsc = source_package("hostile-test", f"{by} ./payload", payload=script.encode())
        folder, started = tmp_path / "out", time.monotonic()
        process, output = start_engine("build", dsc, "--chroot", "trixie-amd64", "--output", folder, *options), None
        while output is None:
            work.update(path.name for path in engine_state.glob("work/.new-*") if path.name not in before["work"])
            with suppress(subprocess.TimeoutExpired):
                output, _ = process.communicate(timeout=0.2)
        return Ended(status=process.returncode, output=output, result=json.loads((folder / "result.json").read_text()),
                     folder=folder, seconds=time.monotonic() - started)  # fmt: skip

    yield build
    assert work and groups(work) == []
    assert host(engine_state) == before
    assert beside.is_alive()


FULL = f"dd if=/dev/zero bs=1M of={{}}/{MARK}"
FILES = f'my $i = 0; while (++$i) {{ open my $f, ">", "/tmp/{MARK}-$i" or die "no file $i: $!\\n" }}'
MEMORY = f'$0 = "{MARK}"; fork for 1..3; my @held; push @held, "x" x 1_000_000 while 1;'
LONG_SEARCH = f'$0 = "{MARK}"; $SIG{{TERM}} = "IGNORE"; while (1) {{ fork }}'


@pytest.mark.parametrize("by, script, options, kind, reason, within", [
    ("perl", LONG_SEARCH, ["--processes", "60", "--time-limit", "8"], "timeout", "beyond its limit of 60.", 60),
    ("perl", MEMORY, ["--memory", "200M"], "killed", "ran out of memory at 200 MiB", 60),
    ("sh", FULL.format("/build"), ["--disk", "64M"], "disk", "filled its disk limit of 64 MiB", 60),
    ("sh", FULL.format("/tmp"), ["--disk", "64M"], "disk", "filled its disk limit of 64 MiB", 60),
    ("sh", FULL.format("/tmp"), ["--disk", "300M", "--memory", "200M"], "disk", "disk limit of 300 MiB", 60),
    ("sh", FULL.format("/dev/shm"), ["--memory", "200M"], "disk", f"/dev/shm/{MARK}': No space left on device", 60),
    ("perl", FILES, ["--disk", "64M"], "disk", "filled its disk limit of 64 MiB", 60),
    ("sh", "yes flood | head -c 1G", ["--log-limit", "16M"], "killed", "more than its log limit of 16 MiB", 60),
    ("sh", f"perl -e '$0 = \"{MARK}\"; sleep 600'", ["--idle-limit", "2"], "silence", "wrote nothing for 2 s", 60),
    ("sh", "kill -9 -1; sleep 600", ["--time-limit", "120"], "killed", "was killed by signal 9", 60),
], ids=["forks", "memory", "root", "tmp", "disk-not-memory", "shm", "inodes", "log", "silence", "kill"])  # fmt: skip
def test_who_takes_too_much_is_ended_with_the_reason(
    by: str, script: str, options: list[str], kind: str, reason: str, within: float, hostile: Hostile
) -> None:
    ended = hostile(script, *options, by=by)
    assert (ended.status, ended.result["kind"]) == (1, kind), ended.output[-2000:]
    assert reason in ended.result["reason"]
    assert ended.output.rstrip().splitlines()[-1] == f"failed: {ended.result['reason']}"
    assert ended.seconds < within
    assert ended.made == ["build.log", "result.json"]


def test_a_flood_is_kept_up_to_the_limit(hostile: Hostile) -> None:
    ended = hostile("yes flood | head -c 1G", "--log-limit", "16M")
    log = (ended.folder / "build.log").read_bytes()
    assert 16 * MiB <= len(log) < 16 * MiB + 2000
    assert log.startswith(b"== PHASE source") and b"\nflood\nflood\n" in log


GUESSES = (
    *KERNEL_PATHS,
    *(f"{name}/{MARK}" for name in ("", "/etc", "/etc/cron.d", "/root", "/home", "/usr/bin", "/usr/local/bin", "/boot",
                                    "/var/lib", "/run", "/lib/modules", "/opt", "/srv", "/dev", "/proc", "/mnt")),
    "/etc/passwd", "/etc/ld.so.preload", "/run/docker.sock", "/var/run/dbus/system_bus_socket",
)  # fmt: skip
WRITES = f"""{ATTEMPTS}
for path in PATHS; do write "$path"; done
{ON_THE_KERNEL}refused unshare --user --map-root-user true
refused nsenter --target 1 --mount true
refused chroot / true
refused dmesg
refused su -c true
refused sh -c 'test -n "$(find /dev /tmp -type b)"'
echo "tried: $tried"
"""


def test_no_path_of_the_host_can_be_written(hostile: Hostile, tmp_path: Path) -> None:
    paths = [*GUESSES, os.fspath(tmp_path / MARK), os.fspath(ROOT / MARK)]
    ended = hostile(WRITES.replace("PATHS", " ".join(paths)))
    assert ended.status == 0, ended.output[-2000:]
    assert f"\ntried: {len(paths) + 13}\n" in ended.output
    assert [line for line in ended.output.splitlines() if line.startswith("GOT")] == []
    assert not (tmp_path / MARK).exists() and not (ROOT / MARK).exists()


def test_a_set_uid_shell_comes_out_as_plain_bytes(hostile: Hostile, engine_state: Path) -> None:
    script = "cp /bin/sh ../shell.log; chmod 6755 ../shell.log; echo shell.log misc optional >> debian/files"
    ended = hostile(script)
    assert ended.status == 0, ended.output[-2000:]
    shell = ended.folder / "shell.log"
    assert shell.read_bytes().startswith(b"\x7fELF") and stat.S_IMODE(shell.stat().st_mode) == 0o644
    assert [stat.S_IMODE((engine_state / name).stat().st_mode) for name in ("work", "layers")] == [0o700, 0o700]


LISTED = "printf 'Format: 1.8\\nChecksums-Sha256:\\n %064d 5 %s\\n' 0 '{}' > ../evil_1.changes; "


@pytest.mark.parametrize("script, reason", [
    (LISTED.format("leak.log") + "ln -s /etc/shadow ../leak.log", "leak.log is not a regular file"),
    (LISTED.format("leak.log") + "ln -s ../../../../etc/shadow ../leak.log", "leak.log is not a regular file"),
    (LISTED.format("leak.log") + "mkfifo ../leak.log", "leak.log is not a regular file"),
    (LISTED.format("leak.log") + "mkdir ../leak.log", "leak.log is not a regular file"),
    (LISTED.format("leak.log") + "mknod ../leak.log c 1 8 || true", "lists leak.log in its .changes, but did not"),
    (LISTED.format("leak.log"), "lists leak.log in its .changes, but did not make it"),
    (LISTED.format("leak.log") + "truncate -s 1T ../leak.log", "larger than its disk limit"),
    (LISTED.format("leak.log") + "echo more > ../leak.log", "its SHA-256 is"),
    (LISTED.format("/etc/passwd"), "lists a file named '/etc/passwd'; only plain file names"),
    (LISTED.format("../../../etc/passwd"), "lists a file named '../../../etc/passwd'; only plain file names"),
    (LISTED.format("build.log") + "echo fake > ../build.log", "lists build.log, which is no file a build makes"),
    (LISTED.format("result.json") + "echo {} > ../result.json", "lists result.json, which is no file a build makes"),
    ("ln -s /etc/shadow ../evil_1.changes", "evil_1.changes is not a regular file"),
    ("echo Format: 1.8 > ../evil_1.changes", "evil_1.changes lists no files"),
    ("touch ../.changes", "a file named '.changes'; only plain file names"),
    ("touch \"../$(printf '\\033[2J').changes\"", r"a file named '\x1b[2J.changes'; only plain file names"),
])  # fmt: skip
def test_what_is_copied_out_is_what_the_build_made(script: str, reason: str, hostile: Hostile) -> None:
    ended = hostile(script)
    assert ended.status == 1 and reason in ended.result["reason"], ended.output[-2000:]
    assert ended.result["kind"] in ("build", "input", "disk")
    assert ended.made == ["build.log", "result.json"]
    assert (ended.folder / "build.log").read_bytes().startswith(b"== PHASE source")


CONNECTS = """
use IO::Socket::INET; use IO::Socket::UNIX; use Socket;
my ($tried, $got) = (0, 0);
for my $to (%(addresses)s) {
    $tried++; $got++, print "GOT $to\\n" if IO::Socket::INET->new(PeerAddr => $to, Timeout => 3);
}
for my $to ("\\0%(name)s", "\\0%(mark)s", "/run/dbus/system_bus_socket") {
    $tried++; $got++, print "GOT socket $to\\n" if IO::Socket::UNIX->new(Peer => $to);
}
$tried++; $got++, print "GOT a way to the hypervisor\\n" if socket(my $vsock, 40, SOCK_STREAM, 0);
$tried++; $got++, print "GOT raw packets\\n" if socket(my $raw, 17, SOCK_RAW, 768);
print "tried: $tried, got: $got\\n";
"""


@pytest.fixture
def listening() -> Iterator[str]:
    """A server on all of the host's addresses, and one on a name; the port."""
    with socket.create_server(("0.0.0.0", 0)) as server, socket.socket(socket.AF_UNIX) as named:
        named.bind(f"\0{MARK}")
        named.listen()
        port = server.getsockname()[1]
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        yield str(port)


def own_address() -> str:
    """The host's own address in its network (nothing is sent)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


def test_no_connection_leads_out(hostile: Hostile, listening: str) -> None:
    addresses = [f"127.0.0.1:{listening}", f"{own_address()}:{listening}", f"127.0.0.1:{PORT}",
                 f"{own_address()}:{PORT}", "192.0.2.1:80", "1.1.1.1:53", "169.254.169.254:80"]  # fmt: skip
    quoted = ", ".join(f'"{address}"' for address in addresses)
    ended = hostile(CONNECTS % {"addresses": quoted, "name": NAME, "mark": MARK}, by="perl")
    assert ended.status == 0, ended.output[-2000:]
    assert f"\ntried: {len(addresses) + 5}, got: 0\n" in ended.output


DAEMON = f"""
use POSIX;
unless (fork) {{
    POSIX::setsid(); exit if fork;
    $SIG{{$_}} = "IGNORE" for qw(TERM HUP INT PIPE); $0 = "{MARK}-daemon"; $| = 1;
    print "daemon runs\\n"; sleep 600;
}}
sleep 1; system "ps -e -o args | grep -c '^{MARK}-daemo[n]'";
"""


def test_a_daemon_dies_with_its_build_and_does_not_hold_it_up(hostile: Hostile) -> None:
    ended = hostile(DAEMON, by="perl")
    assert ended.status == 0 and "daemon runs" in ended.output, ended.output[-2000:]
    assert ended.seconds < 120


SECRET = "a-secret-of-this-host"
LOOKS = """
env; set; id; cat /proc/*/environ /proc/*/cmdline /proc/*/mountinfo /proc/keys 2>/dev/null | tr '\\0' '\\n'
cat /etc/resolv.conf /etc/hosts /etc/hostname; ls -laR /root /home /run /tmp /var/lib/postgresql 2>&1
ls -l /proc/*/fd 2>/dev/null; echo looked
"""


def test_no_secret_of_the_host_is_seen(hostile: Hostile, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "DEBATOMIC_SECRET_KEY", "PGPASSWORD", "AWS_SECRET_ACCESS_KEY", "SSH_AUTH_SOCK",
                 "http_proxy", "DEBATOMIC_TOKEN"):  # fmt: skip
        monkeypatch.setenv(name, f"http://{SECRET}:pw@127.0.0.1:9")
    ended = hostile(LOOKS)
    assert ended.status == 0 and "LOGNAME=" in ended.output, ended.output[-2000:]
    assert SECRET not in ended.output and "-> user:[" not in ended.output
    assert f"hostname:{socket.gethostname()}" not in ended.output and "/work/source" not in ended.output


def test_escapes_stay_in_the_log_and_off_the_terminal(
    source_package: Callable[..., Path], engine_state: Path, tmp_path: Path
) -> None:
    escapes = "\x1b]0;owned\x07\x1b[2J\x1b[5n\x9b5n ünï\r\x08"
    dsc = source_package("escape-test", "cat ./payload; false", payload=escapes.encode("latin-1") + "é\n".encode())
    near, far = os.openpty()
    args = ["build", dsc, "--chroot", "trixie-amd64", "--state", engine_state, "--output", tmp_path / "out"]
    process = subprocess.Popen([sys.executable, "-m", "chroots.engine", *map(str, args)], cwd=ROOT,
                               stdout=far, stderr=subprocess.DEVNULL)  # fmt: skip
    os.close(far)
    shown = b"".join(iter(lambda: _read(near), b""))
    process.wait()
    assert b"\x1b]0;owned\x07\x1b[2J\x1b[5n\x9b5n" in (tmp_path / "out" / "build.log").read_bytes()
    text = shown.decode()
    assert "␛]0;owned␇␛[2J␛[5n" in text and "é" in text
    assert not [character for character in text if character < " " and character not in "\t\r\n"]
    assert "\x9b" not in text


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, 65536)
    except OSError:  # the terminal's other end is closed
        return b""
