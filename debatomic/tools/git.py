"""git as nobody in a jail: it sees programs, one folder and, to fetch, the network; no hook ever runs."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from debatomic.tools.errors import CommandFailed, InfrastructureError, InputError, TimedOut
from debatomic.tools.run import Completed, run

ADDRESS = re.compile(r"(https?|ssh|file)://[!-~]+")
REF = re.compile(r"(?!.*(\.\.|//|@\{|\.lock(/|$)))[A-Za-z0-9_][A-Za-z0-9._/+-]{0,190}(?<![/.])")
PROTOCOLS = ("https",)
NOBODY = 65534
SEEN = ("ssl", "ca-certificates", "hosts", "nsswitch.conf", "host.conf", "gai.conf", "ld.so.cache", "passwd",
        "perl", "dpkg")  # fmt: skip
NOTHING_THERE = ("not found", "does not exist", "does not appear", "could not read Username")
NO_REF = ("couldn't find remote ref", "not our ref")
LOCAL = "file:///source"  # where git sees a repository of this machine
CONFIGURATION = """\
[core]
    hooksPath = /dev/null
    symlinks = false
    fsmonitor = false
[protocol]
    allow = never
{protocols}[transfer]
    fsckObjects = true
[fetch]
    recurseSubmodules = false
[submodule]
    recurse = false
[uploadpack]
    allowAnySHA1InWant = true
[gc]
    auto = 0
[maintenance]
    auto = false
[http]
    lowSpeedLimit = 1000
    lowSpeedTime = 30
[safe]
    directory = *
"""


def check_address(url: str, protocols: Collection[str]) -> None:
    """Raises InputError (field url) for what git is not to be asked."""
    if not ADDRESS.fullmatch(url):
        raise InputError("The address of a repository begins with https:// and has no spaces.", field="url")
    protocol = url.partition(":")[0]
    if protocol not in protocols:
        raise InputError(f"Repositories are fetched by {' or '.join(protocols)} here, not by {protocol}.", field="url",
                         hint="DEBATOMIC_GIT_PROTOCOLS allows more.")  # fmt: skip
    if "@" in url.partition("://")[2].partition("/")[0] and protocol != "ssh":
        raise InputError("An address with a password in it would be shown to everybody.", field="url")


@dataclass(frozen=True, kw_only=True)
class Jail:
    """`folder` outside is /work inside; no file may get larger than `size` bytes, no program take `seconds`."""

    folder: Path
    url: str
    size: int
    seconds: float

    def git(self, *args: str) -> Completed:
        """Run git on the jail's bare repository; `init` makes it."""
        env = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/work/gitconfig", "GIT_TERMINAL_PROMPT": "0",
               "GIT_DIR": "/work/repository", "GIT_ASKPASS": "/bin/false", "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
               "HOME": "/work", "TMPDIR": "/tmp"}  # noqa: S108 - the jail's own # fmt: skip
        return self.run("git", *args, env=env, network=args[0] == "fetch")

    def run(self, *args: str, env: dict[str, str] | None = None, network: bool = False) -> Completed:
        """Run a program in the jail, its output captured. Raises CommandFailed, TimedOut."""
        before = [*_walls(self.folder, self.url, network=network), *_limits(self.size, self.seconds)]
        given = {"HOME": "/work", "TMPDIR": "/tmp", **(env or {})}  # noqa: S108 - the jail's own
        return run([*before, *args], env=given, capture=True, time_limit=self.seconds)

    def fetch(self, *refspecs: str, what: str) -> None:
        """Get these without history. Raises InputError that there is no `what`, InfrastructureError."""
        asked = LOCAL if self.url.startswith("file://") else self.url
        try:
            self.git("fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--", asked, *refspecs)
        except TimedOut as error:
            raise InfrastructureError(f"{self.url} took longer than {self.seconds:.0f} seconds.") from error
        except CommandFailed as error:
            raise self._refused(error, what) from error

    def _refused(self, error: CommandFailed, what: str) -> InputError | InfrastructureError:
        told = [line.removeprefix("fatal: ").strip() for line in error.tail.splitlines() if line.strip()]
        reason = next((line for line in told if "hint:" not in line), "git says nothing")
        if any(word in error.tail for word in NO_REF):
            return InputError(f"There is no {what} in {self.url}.")
        if any(word in error.tail for word in NOTHING_THERE):
            return InputError(f"There is no repository at {self.url}, or none for everybody: {reason}.")
        if "File size limit" in error.tail or "signal 25" in error.tail or error.returncode in (-25, 153):
            return InputError(f"{self.url} is larger than the {self.size >> 20} MiB that a commit may have.")
        return InfrastructureError(f"{self.url} cannot be fetched: {reason}.")


@contextmanager
def jailed(url: str, protocols: Collection[str], *, size: int, seconds: float) -> Iterator[Jail]:
    """A folder of nobody's with an empty repository in it; gone afterwards. Raises InputError for a bad address."""
    check_address(url, protocols)
    with tempfile.TemporaryDirectory(prefix="debatomic-git-") as name:
        folder = Path(name) / "work"
        folder.mkdir()
        allowed = "".join(f'[protocol "{each}"]\n    allow = always\n' for each in protocols)
        (folder / "gitconfig").write_text(CONFIGURATION.format(protocols=allowed))
        if os.geteuid() == 0:
            shutil.chown(folder, NOBODY, NOBODY)
            Path(name).chmod(0o711)
        jail = Jail(folder=folder, url=url, size=size, seconds=seconds)
        jail.git("init", "--quiet", "--bare", "--template=", "/work/repository")
        yield jail


def _walls(folder: Path, url: str, *, network: bool) -> Sequence[str]:
    seen = ["--perms", "0755", "--dir", "/etc"]
    seen += [part for name in SEEN for part in ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")]
    seen += ["--ro-bind-try", os.path.realpath("/etc/resolv.conf"), "/etc/resolv.conf"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64"):
        path = Path("/", name)
        if path.is_symlink():
            seen += ["--symlink", os.fspath(path.readlink()), os.fspath(path)]
        elif path.exists():
            seen += ["--ro-bind", os.fspath(path), os.fspath(path)]
    if url.startswith("file://"):
        seen += ["--ro-bind-try", url.removeprefix("file://"), LOCAL.removeprefix("file://")]
    root = os.geteuid() == 0
    return [
        "bwrap", "--die-with-parent", "--new-session", *([] if root else ["--unshare-user"]), "--unshare-pid",
        *([] if network else ["--unshare-net"]),
        "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--ro-bind", "/usr", "/usr", "--proc", "/proc",
        "--dev", "/dev", "--perms", "1777", "--tmpfs", "/tmp", *seen,  # noqa: S108 - the jail's own
        "--bind", os.fspath(folder), "/work", "--chdir", "/work", "--",
    ]  # fmt: skip


def _limits(size: int, seconds: float) -> Sequence[str]:
    """As nobody, for good; no file larger than it may be, no endless processor time."""
    become = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs",
              "--inh-caps=-all", "--bounding-set=-all", "--"] if os.geteuid() == 0 else []  # fmt: skip
    return [*become, "prlimit", f"--fsize={size}", f"--cpu={seconds:.0f}", "--core=0", "--nproc=256", "--"]
