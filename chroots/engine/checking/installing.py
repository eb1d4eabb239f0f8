"""Install, remove, purge, and upgrade from the version before, as piuparts does: nothing may fail, nothing be left.

piuparts itself mounts file systems and enters a chroot as root, which programs in the jail cannot. Here a fresh
buildroot has all dependencies installed; what the maintainer scripts do is the difference to that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from chroots.engine.archives.binaries import parts
from chroots.engine.checking.check import Bench, Finding, Verdict
from chroots.engine.checking.earlier import BEFORE, OURS, earlier, label
from chroots.engine.layers.base import Layer
from chroots.engine.layers.buildroot import Buildroot
from chroots.engine.layers.dependencies import apt_get
from chroots.engine.layers.installed import installed_in
from chroots.engine.layers.overlay import overlay
from chroots.engine.plugins.rooms import SAID, said
from chroots.engine.sessions.difference import difference
from debatomic.tools.errors import CommandFailed

REPORT = "install.txt"
MOST_FILES = 1_000_000  # in the tree, to be compared
POLICY = "/usr/sbin/policy-rc.d"  # keeps maintainer scripts from starting services
# What dpkg, apt and the tools that scripts call write by themselves; users of the system may stay (Policy 9.2.2).
NOT_TOLD = ("/var/lib/dpkg", "/var/lib/dpkg/*", "/var/lib/apt/*", "/var/cache/*", "/var/log/*", "/etc/ld.so.cache",
            "/etc/passwd*", "/etc/group*", "/etc/shadow*", "/etc/gshadow*", "/etc/subuid*", "/etc/subgid*",
            "/var/lib/systemd/deb-systemd-*", "/var/lib/ucf/*", "/root", "/run", "/build", f"/{SAID}",
            "/[t]mp", POLICY)  # fmt: skip
ERRORS = ("dpkg: error", "dpkg: dependency problems", "E: ", "error:")


@dataclass(kw_only=True)
class Walk:
    """One way through a package's life: what was done, and what went wrong."""

    name: str
    steps: list[str] = field(default_factory=list)  # transcript
    wrong: list[str] = field(default_factory=list)

    def note(self, step: str, status: int, output: str) -> bool:
        """Whether it went well."""
        self.steps.append(f"== {self.name}: {step}\n{output}")
        if status:
            lines = output.splitlines()
            telling = next((line for line in lines if line.startswith(ERRORS)), lines[-1] if lines else "")
            self.wrong.append(f"{self.name}, {step}: {telling or f'dpkg exited with status {status}'}")
        return not status


class Uninstallable(Exception):
    """apt cannot install the packages; its lines say why."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__(lines[0] if lines else "apt-get failed")
        self.lines = lines


def run(bench: Bench) -> Finding:
    """Fails where dpkg fails, or something is left after purging."""
    before = earlier(bench)
    try:
        needed = dependencies(bench, bench.packages, OURS)
    except Uninstallable as error:
        return Finding(verdict=Verdict.FAIL, summary=f"They cannot be installed: {error}", lines=error.lines)
    walks = [_walk(bench, needed, before=[], name="install")]
    if before:
        try:
            more = {*needed, *dependencies(bench, before, BEFORE)}
            walks.append(_walk(bench, more, before=before, name=f"upgrade from {label(before)}"))
        except Uninstallable as error:
            bench.say(f"The version before cannot be installed, so there is no upgrade to try: {error}")
            before = []
    bench.report(REPORT, "\n".join(step for walk in walks for step in walk.steps))
    return judged(walks)


def judged(walks: Sequence[Walk]) -> Finding:
    """What these ways came to."""
    wrong = [line for walk in walks for line in walk.wrong]
    ways = " and ".join(walk.name for walk in walks)
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        return Finding(verdict=Verdict.FAIL, summary=f"{wrong[0]}{more}", lines=wrong, facts={"ways": ways})
    return Finding(verdict=Verdict.PASS, summary=f"Tried: {ways}, remove, purge; nothing is left.",
                   facts={"ways": ways})  # fmt: skip


def dependencies(bench: Bench, packages: Sequence[Path], place: str) -> set[str]:
    """The packages of archives that apt would install with these. Raises: Uninstallable."""
    files = [f"{place}/{path.name}" for path in packages]
    with bench.room() as root:
        try:
            options = (*bench.around.options, "--print-uris", "--allow-downgrades", "--reinstall")
            shown = {**bench.around.shown, place: packages[0].parent}
            output = root.run([*apt_get(*options), "install", *files], capture=True, read_only=shown).stdout
        except CommandFailed as error:
            bench.say(error.tail)
            lines = [line for line in error.tail.splitlines() if line.startswith(("E: ", " ")) and line.strip()]
            raise Uninstallable([line.strip().removeprefix("E: ") for line in lines]) from error
    ours = {parts(path.name)[0] for path in packages}
    return {name for name in named(output) if name not in ours}


def named(output: str) -> set[str]:
    """The packages among the lines of `apt-get --print-uris`."""
    files = (line.split()[1] for line in output.splitlines() if line.startswith("'"))
    return {file.partition("_")[0] for file in files}


def _walk(bench: Bench, needed: set[str], *, before: Sequence[Path], name: str) -> Walk:
    """Install (the version before first), remove and purge; then look at what is left."""
    walk, layers = Walk(name=name), bench.layers(*sorted(needed), around=bench.around)
    ours = sorted({parts(path.name)[0] for path in bench.packages} - installed_in(bench.base.tree).keys())
    with bench.room(layers=layers) as root:
        said(root, ["sh", "-c", f"printf '#!/bin/sh\\nexit 101\\n' > {POLICY}; chmod 755 {POLICY}"], user=0)
        steps = [("install the version before", ["--install", *(f"{BEFORE}/{path.name}" for path in before)])
                 if before else None,
                 ("install", ["--install", *(f"{OURS}/{path.name}" for path in bench.packages)]),
                 ("remove", ["--remove", *ours]) if ours else None,
                 ("purge", ["--purge", *ours]) if ours else None]  # fmt: skip
        shown = {OURS: bench.spec.folder, **({BEFORE: before[0].parent} if before else {})}
        for step, options in filter(None, steps):
            if not walk.note(step, *said(root, ["dpkg", "--force-confdef", *options], user=0, read_only=shown)):
                return walk
        if ours and len(ours) == len(bench.packages):
            walk.wrong += _left(bench, layers, root, walk.name)
    return walk


def _left(bench: Bench, layers: Sequence[Layer], root: Buildroot, name: str) -> list[str]:
    """How the tree differs from what it was before anything was installed."""
    folder = bench.work / f"left-{name.partition(' ')[0]}"
    folder.mkdir()
    with overlay(layers, folder / "root", upper=folder / "upper") as clean:
        found = difference(clean, root.root, most=MOST_FILES)
    kinds = (("left after purging", found.added), ("gone after purging", found.removed),
             ("changed after purging", found.changed))  # fmt: skip
    return [f"{name}: {path} is {what}" for what, paths in kinds for path in paths if told(path)]


def told(path: str) -> bool:
    """Whether a path counts."""
    return not any(fnmatchcase(path, pattern) for pattern in NOT_TOLD)
