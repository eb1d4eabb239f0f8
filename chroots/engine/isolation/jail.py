"""The command line that runs one program inside a buildroot, with nothing of the host in reach."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

HOST_NAME = "buildroot"
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/nonexistent", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", "TERM": "dumb",
}  # fmt: skip
# What unpacking and configuring packages needs; they count only inside the user namespace.
INSTALL_CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "SETUID", "SETGID", "SETFCAP", "MKNOD",
                        "SYS_CHROOT", "KILL")  # fmt: skip
# What becoming the build user needs; setpriv gives them up with everything else.
DROP_CAPABILITIES = ("SETUID", "SETGID", "SETPCAP")
# Root in the jail owns what the host's root owns, so what rules the kernel must not be writable even to an owner.
KERNEL_CONTROLS = ("sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi")
# Nor is it to read what only the host's root reads: its keys, and where the kernel has what.
KERNEL_SECRETS = ("keys", "key-users", "kcore", "kmsg", "kpagecount", "kpageflags", "kpagecgroup", "latency_stats",
                  "mtrr", "pagetypeinfo", "sched_debug", "slabinfo", "timer_list", "vmallocinfo")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Jail:
    """Where and as whom a program runs: `user` 0 may install packages, any other has no capability at all."""

    root: Path
    user_namespace: int  # file descriptor, see `userns`
    filter: int  # file descriptor that reads the program for system calls, see `seccomp`
    devices: Path | None = None  # the folder to be /dev, see `devices`; bubblewrap's own otherwise
    user: int = 0
    folder: str = "/"
    environment: Mapping[str, str] = field(default_factory=dict)
    read_only: Mapping[str, Path] = field(default_factory=dict)  # what is seen where: path inside, folder outside
    writable: Mapping[str, Path] = field(default_factory=dict)  # likewise, and what is written there stays
    inner_roots: Sequence[str] = ()  # folders inside that get /dev and /proc like the jail's, for a chroot in it
    scratch: Sequence[str] = ()  # folders inside that are empty, writable and gone afterwards
    resource_limits: Sequence[str] = ()  # options of prlimit(1)
    files_in_memory: int = 256 << 20  # bytes /dev/shm may hold; /run and each of `scratch` likewise
    network: bool = False  # the host's, for people who ask for it; a build never has it


def jailed(jail: Jail, args: Sequence[str]) -> list[str]:
    """`args` in namespaces of its own: user, mount, PID, IPC, UTS, cgroup and network (which has only loopback).

    The outer PID namespace is util-linux': unshare returns only when everything in it is dead, so that nothing
    writes any more when the next step looks at the results. bubblewrap's own, inside it, reaps orphans; it looks at
    its child through /proc, which must therefore be that of the outer one. Root inside can read the environment of
    bubblewrap, so that has nothing of ours (a proxy's password, for one).
    """
    return [
        "env", "--ignore-environment", f"PATH={ENVIRONMENT['PATH']}", "setpriv", "--pdeathsig", "KILL", "--",
        "unshare", "--fork", "--pid", "--mount-proc", "--kill-child=KILL", "--",
        *bubblewrap(jail), "--", *_closed(jail.user_namespace), "prlimit", "--core=0", *jail.resource_limits, "--",
        *(unprivileged(jail.user) if jail.user else []), *args,
    ]  # fmt: skip


def _closed(fd: int) -> list[str]:
    """Take from what follows the namespace's descriptor, which bubblewrap leaves open; every Debian has perl-base."""
    return ["perl", "-e", 'open my $fd, "<&=", shift; close $fd; exec @ARGV or die "$ARGV[0]: $!\\n"', "--", str(fd)]


def bubblewrap(jail: Jail) -> list[str]:
    capabilities = DROP_CAPABILITIES if jail.user else INSTALL_CAPABILITIES
    size = ["--size", str(jail.files_in_memory)]
    devices = ["--dev-bind", os.fspath(jail.devices), "/dev"] if jail.devices else ["--dev", "/dev"]
    return [
        "bwrap", "--die-with-parent", "--new-session", "--userns", str(jail.user_namespace),
        "--seccomp", str(jail.filter), "--unshare-pid", "--unshare-ipc", "--unshare-uts",
        *([] if jail.network else ["--unshare-net"]), "--unshare-cgroup-try", "--hostname", HOST_NAME,
        "--bind", os.fspath(jail.root), "/", *devices, "--proc", "/proc", *controls_read_only(""),
        *size, "--tmpfs", "/run", "--perms", "1777", *size, "--tmpfs", "/dev/shm",  # noqa: S108 - inside the jail
        *(part for inside, outside in jail.read_only.items() for part in ("--ro-bind", os.fspath(outside), inside)),
        *(part for inside, outside in jail.writable.items() for part in ("--bind", os.fspath(outside), inside)),
        *(part for inside in jail.scratch for part in (*size, "--tmpfs", inside)),
        *secrets_hidden(""), *(part for inside in jail.inner_roots for part in _inner_root(jail, inside)),
        "--clearenv", *_environment(jail), "--chdir", jail.folder,
        "--cap-drop", "ALL", *(part for name in capabilities for part in ("--cap-add", f"CAP_{name}")),
    ]  # fmt: skip


def _inner_root(jail: Jail, root: str) -> list[str]:
    devices = ["--dev-bind", os.fspath(jail.devices), f"{root}/dev"] if jail.devices else ["--dev", f"{root}/dev"]
    return [*devices, "--proc", f"{root}/proc", *controls_read_only(root), *secrets_hidden(root)]


def controls_read_only(root: str) -> list[str]:
    """Options for the /proc below `root`."""
    return [part for name in KERNEL_CONTROLS for part in ("--ro-bind-try", f"/proc/{name}", f"{root}/proc/{name}")]


def secrets_hidden(root: str) -> list[str]:
    """Options for the /proc below `root`."""
    return [part for name in _existing(KERNEL_SECRETS) for part in ("--ro-bind", "/dev/null", f"{root}/proc/{name}")]


def _existing(names: Sequence[str]) -> list[str]:
    """Those that this host's kernel has."""
    return [name for name in names if Path("/proc", name).exists()]


def _environment(jail: Jail) -> list[str]:
    variables = {**ENVIRONMENT, **jail.environment}
    return [part for name, value in variables.items() for part in ("--setenv", name, value)]


def unprivileged(user: int) -> list[str]:
    """Become `user` for good: no capability, none to be had, no set-uid program works."""
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--no-new-privs",
            "--inh-caps=-all", "--bounding-set=-all", "--"]  # fmt: skip
