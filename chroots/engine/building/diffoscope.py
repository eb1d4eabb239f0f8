"""How two packages differ, by diffoscope: run in a jail, because it opens whatever a hostile build made."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from chroots.engine.isolation import inside
from chroots.engine.layers.buildroot import Buildroot, group_name, warden
from chroots.engine.layers.overlay import limited_space
from chroots.engine.spec import BUILDER_UID, Limits
from chroots.engine.state import State, remember, temporary
from debatomic.tools.errors import CommandFailed, TimedOut, ToolError
from debatomic.tools.files import whole
from debatomic.tools.limits import planned
from debatomic.tools.run import Output, not_installed, plain_environment

PROGRAM = "diffoscope"
DEFAULTS = Limits(time_limit=900.0, idle_limit=None, memory=2 << 30, disk=4 << 30, processes=256)
REPORT_LIMIT = 16 << 20  # bytes of each report
NEW, OLD, WORK = "built", "archive", "work"  # folders in the jail
FORMS = ("txt", "html")
DIFFERENT = 1  # diffoscope's exit status
# Of this host the jail sees programs and libraries, and nothing else.
SHOWN = ("/usr", "/etc/alternatives", "/etc/ld.so.cache")
HIDDEN = ("/usr/local",)
PASSWD = f"root:x:0:0::/:/bin/sh\nbuilder:x:{BUILDER_UID}:{BUILDER_UID}::/nonexistent:/bin/sh\n"


@dataclass(frozen=True, kw_only=True)
class Report:
    """What diffoscope wrote (text, HTML), and why it is less than one would like."""

    files: tuple[Path, ...]
    note: str = ""


def require_diffoscope() -> None:
    """Raises: InputError with the package to install."""
    if not shutil.which(PROGRAM, path=plain_environment()["PATH"]):
        raise not_installed(PROGRAM)


def diffoscope_command(name: str, seconds: float | None) -> list[str]:
    """Two files of one name; half of the time is for looking into archives, the rest for writing it down."""
    timeout = [f"--timeout={int(seconds / 2)}"] if seconds and seconds >= 60 else []
    return [
        PROGRAM, "--no-progress", *timeout, "--max-container-depth=12", "--max-diff-block-lines=2000",
        f"--max-text-report-size={REPORT_LIMIT}", f"--max-report-size={REPORT_LIMIT}",
        f"--max-page-size={REPORT_LIMIT}",
        f"--text=/{WORK}/report.txt", f"--html=/{WORK}/report.html", f"/{OLD}/{name}", f"/{NEW}/{name}",
    ]  # fmt: skip


def difference(ours: Path, theirs: Path, output: Path, state: State, log: Output, limits: Limits = DEFAULTS) -> Report:
    """Write `NAME.diffoscope.txt` and `.html` into `output`: how `ours` (NAME) differs from the archive's file.

    What a report lacks for want of time, memory or space is said in its note. Run it in `contained`.
    """
    with temporary(state.work) as work:
        remember(work, planned(group_name(work)))
        with _jail(work, limits, log) as jail:
            for folder, path in ((NEW, ours), (OLD, theirs)):
                shutil.copyfile(path, jail.root / folder / ours.name)
            note = _run(jail, ours.name, limits)
            return Report(files=tuple(_taken(jail.root, output, ours.name)), note=note)


@contextmanager
def _jail(work: Path, limits: Limits, log: Output) -> Iterator[Buildroot]:
    """This host's programs over a folder of limited size."""
    memory = limits.memory or 2 << 30
    with ExitStack() as undo:
        space = undo.enter_context(limited_space(work, limits.disk, memory, log))
        keeper = undo.enter_context(warden(work, group_name(work), limits, memory, log))
        _furnish(space / "root")
        yield Buildroot(root=space / "root", warden=keeper)


def _furnish(root: Path) -> None:
    for name in ("usr", "etc/alternatives", "proc", "dev", "run", "tmp", NEW, OLD, WORK):
        (root / name).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        if (link := Path("/", name)).is_symlink():
            (root / name).symlink_to(link.readlink())
    (root / "etc/passwd").write_text(PASSWD)
    (root / "etc/ld.so.cache").touch()
    (root / "tmp").chmod(0o1777)
    os.chown(root / WORK, BUILDER_UID, BUILDER_UID)


def _run(jail: Buildroot, name: str, limits: Limits) -> str:
    """What went wrong, in a few words; nothing if all went well."""
    shown = {path: Path(path) for path in SHOWN if Path(path).exists()}
    try:
        jail.run(diffoscope_command(name, limits.time_limit), user=BUILDER_UID, folder=f"/{WORK}", read_only=shown,
                 scratch=HIDDEN)  # fmt: skip
    except TimedOut:
        return f"diffoscope did not end within {limits.time_limit:g} s"
    except CommandFailed as error:
        if error.returncode == DIFFERENT:
            return ""
        if jail.warden.group.memory_kills():
            return f"diffoscope ran out of memory at {jail.warden.group.memory >> 20} MiB"
        return _last(error.tail) or f"diffoscope ended with status {error.returncode}"
    return "diffoscope sees no difference in what is in them"


def _last(output: str) -> str:
    lines: Sequence[str] = [line.strip() for line in output.splitlines() if line.strip()]
    return f"diffoscope: {lines[-1][:200]}" if lines else ""


def _taken(root: Path, output: Path, name: str) -> Iterator[Path]:
    """The reports, taken as what a hostile file may have made of them: plain files of limited size, or not at all."""
    for form in FORMS:
        target = output / f"{name}.diffoscope.{form}"
        try:
            with inside.opened(root, f"{WORK}/report.{form}", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK) as fd:
                content = _plain(fd)
        except (OSError, ToolError):
            continue
        if content:
            with whole(target) as file:
                file.write(content)
            yield target


def _plain(fd: int) -> bytes:
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode) or found.st_size > 2 * REPORT_LIMIT:
        raise ToolError("The report is no plain file of a reasonable size.")
    with os.fdopen(os.dup(fd), "rb") as file:
        return file.read(2 * REPORT_LIMIT)
