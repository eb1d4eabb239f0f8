"""git as nobody in a jail: it sees programs, one folder and, to fetch, one server; no hook ever runs.

The jail has bounds for each program and for all of them: a few kilobytes of a pack can name a hundred gigabytes.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from debatomic.tools.errors import CommandFailed, InfrastructureError, InputError, TimedOut
from debatomic.tools.git_servers import HOSTS_VARIABLE, Way, check_address, way
from debatomic.tools.limits import Group, limited
from debatomic.tools.run import Completed, run

REF = re.compile(r"(?!.*(\.\.|//|@\{|\.lock(/|$)))[A-Za-z0-9_][A-Za-z0-9._/+-]{0,190}(?<![/.])")
PROTOCOLS = ("https",)
NOBODY = 65534
SEEN = ("ssl", "ca-certificates", "hosts", "nsswitch.conf", "host.conf", "gai.conf", "ld.so.cache", "passwd",
        "perl", "dpkg")  # fmt: skip
NOTHING_THERE = ("not found", "does not exist", "does not appear", "could not read Username")
NO_MEMORY = ("out of memory", "Out of memory", "Cannot allocate memory")
TOO_LARGE = "File too large"
SENT_ON = ("returned error: 30", "update url base from redirection")
NO_REF = ("couldn't find remote ref", "not our ref")
LOCAL = "file:///source"  # where git sees a repository of this machine
CONFIGURATION = """\
[core]
    hooksPath = /dev/null
    symlinks = false
    fsmonitor = false
    packedGitLimit = 256m
    packedGitWindowSize = 32m
[pack]
    threads = 2
[protocol]
    allow = never
{protocols}[transfer]
    fsckObjects = true
[fetch]
    recurseSubmodules = false
    unpackLimit = 1
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
    followRedirects = false
[safe]
    directory = *
"""
MIB = 1 << 20
MEMORY = 4 << 30  # bytes, of all programs of a jail together
MEMORY_SHARE = 0.5  # of the host's, at most
DISK = 16 << 30  # bytes of all files of a jail together
DISK_SHARE = 0.8  # of what is free, at most
FILES = 1_000_000
IN_MEMORY = 64 * MIB  # bytes of the jail's /tmp; TMPDIR is on disk
CAPTURED = 17 * MIB  # bytes a program may tell us
PROCESSES = 256
REST = 10  # times as long as the last look at the files took, until the next


@dataclass(frozen=True, kw_only=True)
class Jail:
    """`folder` outside is /work inside; no file may get larger than `size` bytes, no program take `seconds`.

    `group` holds all its programs together, `disk` the bytes of all files; the way is that of `fetch` alone.
    """

    folder: Path
    url: str
    size: int
    seconds: float
    group: Group
    disk: int = DISK
    disk_is_scarce: bool = False
    way: Way = field(default_factory=Way)

    def git(self, *args: str) -> Completed:
        """Run git on the jail's bare repository; `init` makes it."""
        env = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/work/gitconfig", "GIT_TERMINAL_PROMPT": "0",
               "GIT_DIR": "/work/repository", "GIT_ASKPASS": "/bin/false",
               "GIT_SSH_COMMAND": "ssh -oBatchMode=yes"}  # fmt: skip
        if args[0] != "fetch":
            return self.run("git", *args, env=env)
        return self.run("git", *self.way.options, *args, env={**env, **self.way.variables}, network=True)

    def run(self, *args: str, env: dict[str, str] | None = None, network: bool = False) -> Completed:
        """Run a program in the jail, its output captured. Raises CommandFailed, TimedOut, InputError for too much."""
        limits = _limits(self.size, self.seconds, self.group)
        given = {"HOME": "/work", "TMPDIR": "/work/tmp", "XZ_DEFAULTS": f"--memlimit-compress={self.group.memory // 2}",
                 **(env or {})}  # fmt: skip
        told = bytearray()
        kills = self.group.memory_kills()

        def heard(chunk: bytes) -> None:
            told.extend(chunk)
            if len(told) > CAPTURED:
                raise InputError(f"{args[0]} says more than {CAPTURED // MIB} MiB about {self.url}.")

        try:
            done = run([*_walls(self.folder, self.url, network=network), *limits, *args], env=given, log=heard,
                       time_limit=self.seconds, tick=self._look(), before=self.group.enter)  # fmt: skip
        except CommandFailed as error:
            if self.group.memory_kills() > kills or any(word in error.tail for word in NO_MEMORY):
                memory = self.group.memory // MIB
                raise InputError(f"{self.url} takes more than the {memory} MiB of memory that it may.") from error
            if TOO_LARGE in error.tail:
                size = self.size // MIB
                raise InputError(f"{self.url} is larger than the {size} MiB that a commit may have.") from error
            raise
        self._look()()
        return replace(done, stdout=told.decode(errors="replace"))

    def _look(self) -> Callable[[], None]:
        """What raises InputError once there is too much on the disk; it looks seldom where looking takes long."""
        next_at = 0.0

        def look() -> None:
            nonlocal next_at
            if (started := time.monotonic()) < next_at:
                return
            if not _fits(self.folder, self.disk):
                kind = InfrastructureError if self.disk_is_scarce else InputError
                raise kind(f"{self.url} takes more than the {self.disk // MIB} MiB of disk that it may.")
            next_at = time.monotonic() + REST * (time.monotonic() - started)

        return look

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
        if any(word in error.tail for word in SENT_ON):
            return InputError(f"{self.url} sends on to another address.", hint="Give that one.")
        if any(word in error.tail for word in NO_REF):
            return InputError(f"There is no {what} in {self.url}.")
        if any(word in error.tail for word in NOTHING_THERE):
            return InputError(f"There is no repository at {self.url}, or none for everybody: {reason}.")
        return InfrastructureError(f"{self.url} cannot be fetched: {reason}.")


@contextmanager
def jailed(
    url: str, protocols: Collection[str], *, size: int, seconds: float, hosts: Collection[str] = (),
    memory: int = MEMORY, disk: int = DISK,
) -> Iterator[Jail]:  # fmt: skip
    """A folder of nobody's with an empty repository in it; gone afterwards. Raises InputError for a bad address.

    `hosts`, and those of the environment, may be asked although they are not public.
    """
    check_address(url, protocols)
    allowed = (*hosts, *os.environ.get(HOSTS_VARIABLE, "").replace(",", " ").split())
    there = way(url, allowed)
    memory = min(memory, int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * MEMORY_SHARE))
    with tempfile.TemporaryDirectory(prefix="debatomic-git-") as name:
        folder = Path(name) / "work"
        (folder / "tmp").mkdir(parents=True)
        known = "".join(f'[protocol "{each}"]\n    allow = always\n' for each in protocols)
        (folder / "gitconfig").write_text(CONFIGURATION.format(protocols=known))
        if os.geteuid() == 0:
            for each in (folder, folder / "tmp"):
                shutil.chown(each, NOBODY, NOBODY)
            Path(name).chmod(0o711)
        free = int(shutil.disk_usage(folder).free * DISK_SHARE)
        with limited(Path(name).name, processes=PROCESSES, memory=memory) as group:
            jail = Jail(folder=folder, url=url, size=size, seconds=seconds, group=group, disk=min(disk, free),
                        disk_is_scarce=free < disk, way=there)  # fmt: skip
            jail.git("init", "--quiet", "--bare", "--template=", "/work/repository")
            yield jail


def _fits(folder: Path, disk: int) -> bool:
    """Whether all files below take at most so many bytes, and are not too many; what goes meanwhile does not count."""
    taken = files = 0
    waiting = [os.fspath(folder)]
    while waiting:
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    taken += entry.stat(follow_symlinks=False).st_blocks * 512
                files += 1
                if taken > disk or files > FILES:
                    return False
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
    return True


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
        "--dev", "/dev", "--perms", "1777", "--size", f"{IN_MEMORY}", "--tmpfs", "/tmp", *seen,  # noqa: S108 - the jail's own
        "--bind", os.fspath(folder), "/work", "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/work", "--",
    ]  # fmt: skip


def _limits(size: int, seconds: float, group: Group) -> Sequence[str]:
    """As nobody, for good; no file larger than it may be, no endless processor time, no program with all memory."""
    become = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs",
              "--inh-caps=-all", "--bounding-set=-all", "--"] if os.geteuid() == 0 else []  # fmt: skip
    return [*become, "env", "--ignore-signal=XFSZ", "prlimit", f"--fsize={size}", f"--cpu={seconds:.0f}", "--core=0",
            f"--nproc={PROCESSES}", f"--as={group.memory}", "--"]  # fmt: skip
