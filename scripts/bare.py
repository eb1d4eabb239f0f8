"""`make bare`: try the commands of the README where nothing is installed: fresh minimal Debian roots.

usage: python -m scripts.bare [--suite SUITE]... [--run COMMAND]... [--keep]
       make bare BARE='--suite trixie --run "make demo"'

Each root holds git, make, certificates and an apt source, and a clone of this checkout's last commit. It has its own
mount and process namespaces, entered with pivot_root: a plain chroot(2) may not make the user namespaces that builds
need. How this machine reaches its archives (apt, pip, npm, certificates, proxies) is handed over.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from debatomic.tools.errors import ToolError
from debatomic.tools.run import contained, run

TOP = Path(__file__).resolve().parent.parent
SUITES = ("bookworm", "trixie")
COMMANDS = ("make demo", "make demo", "make stop", "make test", "make clean")
PACKAGES = ("git", "make", "ca-certificates")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
NPM_SETTINGS = ("registry", "proxy", "https-proxy", "noproxy")
APT_SETTINGS = re.compile(r"^Acquire::(https?|ftp|Retries)\b.*")

ENTER = """
set -e
mount --bind "$ROOT" "$ROOT"
cd "$ROOT"
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t tmpfs -o mode=755 tmpfs run
for folder in $BINDS; do mkdir -p ".$folder"; mount --rbind "$folder" ".$folder"; done
mkdir -p .outside
pivot_root . .outside
umount -l /.outside
cd /root/debatomic
exec sh -c "$COMMAND"
"""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """How this machine reaches what it installs from."""

    mirror: str
    apt: str  # lines for apt.conf
    environment: Mapping[str, str]
    binds: tuple[str, ...]  # folders that pip installs from


def told(args: list[str]) -> str:
    """What a program says; nothing where it is missing or fails."""
    try:
        return subprocess.run(args, capture_output=True, text=True, check=True, cwd="/").stdout
    except (OSError, subprocess.CalledProcessError):
        return ""


def mirror() -> str:
    """The archive that this machine's apt uses for Debian's main component."""
    lines = told(["apt-get", "indextargets", "--format", "$(ORIGIN) $(COMPONENT) $(REPO_URI)", "Created-By: Packages"])
    for line in lines.splitlines():
        origin, component, address = line.split(maxsplit=2)
        if origin == "Debian" and component == "main" and "security" not in address:
            return address
    raise ToolError("This machine's apt knows no archive of Debian.", hint="Run `apt-get update` first.")


def pip_settings() -> dict[str, str]:
    """pip's configuration as the variables that say the same."""
    found = {}
    for line in told([sys.executable, "-m", "pip", "config", "list"]).splitlines():
        name, _, value = line.partition("=")
        found["PIP_" + name.rpartition(".")[2].upper().replace("-", "_")] = value.strip("'\"").replace("\\n", " ")
    return found


def npm_settings() -> dict[str, str]:
    values = {name: told(["npm", "config", "get", name]).strip() for name in NPM_SETTINGS}
    return {f"NPM_CONFIG_{name.upper().replace('-', '_')}": value for name, value in values.items()
            if value and value not in ("null", "undefined")}  # fmt: skip


def this_machine() -> Machine:
    proxies = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    pip = pip_settings()
    words = [word for value in pip.values() for word in value.split()]
    indexes = [str(Path(word.removeprefix("file://")).parent) for word in words if word.startswith("file://")]
    folders = {*indexes, *(word for word in words if word.startswith("/"))}  # an index names files beside it
    return Machine(
        mirror=mirror(),
        apt="".join(f"{line}\n" for line in told(["apt-config", "dump"]).splitlines() if APT_SETTINGS.match(line)),
        environment={**proxies, **pip, **npm_settings(), "NODE_EXTRA_CA_CERTS": str(CERTIFICATES)},
        binds=tuple(sorted(folder for folder in folders if Path(folder).is_dir())),
    )


def say(line: str) -> None:
    print(f"══ {line}", flush=True)


def show(chunk: bytes) -> None:
    sys.stdout.buffer.write(chunk)
    sys.stdout.flush()


def make_root(suite: str, root: Path, machine: Machine) -> None:
    """A minimal system, the handed-over configuration in it, and a clone of the last commit."""
    run(["mmdebstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", suite, str(root), machine.mirror])
    (root / "etc/apt/apt.conf.d/90machine").write_text(machine.apt)
    for name in ("resolv.conf", "hosts"):
        shutil.copyfile(f"/etc/{name}", root / "etc" / name)
    own = root / "usr/local/share/ca-certificates"
    own.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(CERTIFICATES, own / "machine.crt")
    run(["chroot", str(root), "update-ca-certificates"])
    run(["git", "clone", "--quiet", "--no-local", str(TOP), str(root / "root/debatomic")])


@contextmanager
def fresh_root(suite: str, machine: Machine, *, keep: bool) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=f"debatomic-bare-{suite}-", dir="/var/tmp"))
    folder.chmod(0o755)
    try:
        make_root(suite, folder, machine)
        yield folder
    finally:
        if keep:
            say(f"{suite}: kept at {folder}")
        else:
            run(["rm", "-rf", "--one-file-system", str(folder)])


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


class Root:
    """A root to run commands in; what a command leaves running ends with the last of them."""

    def __init__(self, path: Path, machine: Machine) -> None:
        self.path = path
        self.machine = machine
        self.environment = {
            **machine.environment, "HOME": "/root", "LANG": "C.UTF-8", "DEBATOMIC_PORT": str(free_port()),
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        }  # fmt: skip

    def run_all(self, commands: list[str]) -> list[tuple[str, int, float]]:
        """Run commands one after the other, as long as they succeed; (command, status, seconds) of each."""
        results = self.path / "root/results"
        script = " && ".join(f"{{ {timed(command)}; }}" for command in commands)
        env = {"ROOT": str(self.path), "BINDS": " ".join(self.machine.binds), "COMMAND": script, **self.environment}
        run(contained(["sh", "-c", ENTER]), env=env, log=show, check=False)
        lines = results.read_text().splitlines() if results.exists() else []
        return [(command, int(status), float(seconds)) for command, (status, seconds) in
                zip(commands, (line.split() for line in lines), strict=False)]  # fmt: skip


def timed(command: str) -> str:
    """Shell text that runs a command, keeps its status and seconds, and ends with its status."""
    return (
        f"echo; echo '══ '{shlex.quote(command)}; began=$(date +%s); {command} </dev/null; status=$?; "
        "echo $status $(( $(date +%s) - began )) >> /root/results; [ $status = 0 ]"
    )


def try_suite(suite: str, commands: list[str], machine: Machine, *, keep: bool) -> bool:
    say(f"{suite}: making a fresh root")
    with fresh_root(suite, machine, keep=keep) as path:
        results = Root(path, machine).run_all(commands)
    for command, status, seconds in results:
        say(f"{suite}: {command}: {'passed' if status == 0 else f'status {status}'} in {seconds:.0f} s")
    return len(results) == len(commands) and all(status == 0 for _, status, _ in results)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bare", description="Try the README's commands in fresh Debian roots.")
    parser.add_argument("--suite", action="append", choices=SUITES, help="one suite only (default: both)")
    parser.add_argument("--run", action="append", help=f"a command to try (default: {', then '.join(COMMANDS)})")
    parser.add_argument("--keep", action="store_true", help="keep the roots for a look")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    if os.geteuid() != 0:
        print("`make bare` makes and enters Debian roots: run it as root (sudo make bare).", file=sys.stderr)
        return 2
    started = time.monotonic()
    try:
        machine = this_machine()
        passed = {suite: try_suite(suite, options.run or list(COMMANDS), machine, keep=options.keep)
                  for suite in options.suite or SUITES}  # fmt: skip
    except ToolError as error:
        print("\n    ".join([error.sentence, *error.lines]), file=sys.stderr)
        return 1
    for suite, well in passed.items():
        say(f"{suite}: {'everything passed' if well else 'FAILED'}")
    say(f"took {time.monotonic() - started:.0f} s")
    return 0 if all(passed.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
