"""Whoever is root in a chroot, as a build dependency is while it is being installed, is not root of the host."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.chroots.neighbour import ATTEMPTS, KERNEL_PATHS, MARK, ON_THE_KERNEL, host

pytestmark = pytest.mark.integration

AsRoot = Callable[[str], str]
OF_ITS_OWN = ("/dev/", "/proc/1/")  # a /dev of 64 KiB without a device, and its own first process


@pytest.fixture
def as_root(start_engine: Callable[..., subprocess.Popen[str]], engine_state: Path) -> Iterator[AsRoot]:
    """Run a script as root in a chroot; what it says. The host is as before afterwards."""
    before = host(engine_state)

    def run(script: str) -> str:
        output, _ = start_engine("run", "trixie-amd64", "--", "sh", "-c", f"exec 2>&1; {script}").communicate(
            timeout=600
        )
        return output

    yield run
    assert host(engine_state) == before


def test_root_inside_rules_nothing_outside(as_root: AsRoot) -> None:
    paths = [path for path in KERNEL_PATHS if not path.startswith(OF_ITS_OWN)]
    output = as_root(f"""{ATTEMPTS}
for path in {" ".join(paths)}; do write "$path"; done
{ON_THE_KERNEL}
for namespace in --user --mount --net --pid; do refused unshare $namespace true; done
refused dmesg
refused sh -c 'grep . /proc/keys /proc/slabinfo /proc/timer_list'
refused perl -e 'use Socket; exit !socket(my $hypervisor, 40, SOCK_STREAM, 0)'
refused perl -e 'exit syscall(321, 0, 0, 0) < 0 && $!{{EPERM}}'
id -u; echo "tried: $tried"
""")
    assert output.endswith(f"0\ntried: {len(paths) + 15}\n"), output[-2000:]
    assert "GOT" not in output


def test_root_inside_sees_no_secret_outside(as_root: AsRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "DEBATOMIC_SECRET_KEY", "http_proxy", "HTTPS_PROXY", "SSH_AUTH_SOCK"):
        monkeypatch.setenv(name, "http://a-secret-of-this-host:pw@127.0.0.1:9")
    output = as_root("tr '\\0' '\\n' < /proc/1/environ; cat /proc/*/cmdline /proc/self/mountinfo; ls -laR /root /home")
    assert output.startswith("PATH=")  # it could look
    assert "a-secret-of-this-host" not in output


def test_root_inside_ends_only_what_is_inside(as_root: AsRoot) -> None:
    output = as_root(f"perl -e '$0 = \"{MARK}\"; sleep 600' & sleep 0.2; kill -9 1; echo first: $?; kill -9 -1; ps -e")
    assert "first: 0" in output
