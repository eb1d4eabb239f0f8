"""Why a build failed: the step it was in, and the lines of its log that a person wants to read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from debatomic.tools.errors import Kind, ToolError

AT_MOST = 12


class Cause(StrEnum):
    """What went wrong, finer than Kind, which says whether another attempt may succeed."""

    SOURCE = "source"  # what was submitted is no such package, or not the one that was meant
    CHROOT = "chroot"  # what it is built in cannot be made: its definition, its archive, a plugin
    DEP_WAIT = "dep-wait"
    UNPACK = "unpack"
    PATCH = "patch"
    CONFIGURE = "configure"
    COMPILE = "compile"
    TEST = "test"
    INSTALL = "install"  # putting the packages together
    LINTIAN = "lintian"
    BUILD = "build"  # some other step of debian/rules
    TIMEOUT = "timeout"
    SILENCE = "silence"
    KILLED = "killed"
    DISK = "disk"
    CANCELED = "canceled"
    INFRASTRUCTURE = "infrastructure"
    INTERNAL = "internal"


SENTENCES = {
    Cause.UNPACK: "The source package {package} cannot be unpacked",
    Cause.PATCH: "A patch of {package} does not apply",
    Cause.CONFIGURE: "{package} cannot be configured",
    Cause.COMPILE: "{package} does not compile",
    Cause.TEST: "The tests of {package} fail",
    Cause.INSTALL: "The packages of {package} cannot be put together",
    Cause.BUILD: "{package} failed to build",
}
OF_KINDS = {
    Kind.DEP_WAIT: Cause.DEP_WAIT, Kind.TIMEOUT: Cause.TIMEOUT, Kind.SILENCE: Cause.SILENCE, Kind.DISK: Cause.DISK,
    Kind.KILLED: Cause.KILLED, Kind.CANCELED: Cause.CANCELED, Kind.INFRASTRUCTURE: Cause.INFRASTRUCTURE,
    Kind.INTERNAL: Cause.INTERNAL,
}  # fmt: skip
# Before the first phase, plugins that cannot be used are refused.
OF_PHASES = {"": Cause.CHROOT, "source": Cause.SOURCE, "base": Cause.CHROOT, "resolve": Cause.DEP_WAIT,
             "install": Cause.DEP_WAIT, "unpack": Cause.UNPACK, "collect": Cause.INSTALL,
             "lintian": Cause.LINTIAN}  # fmt: skip


class BuildFailed(ToolError):
    """A build that ended by itself, and badly, with the cause read from its log."""

    def __init__(self, message: str, *, cause: Cause, kind: Kind = Kind.BUILD, lines: Sequence[str] = ()) -> None:
        super().__init__(message, kind=kind, lines=lines)
        self.cause = cause


def cause_of(error: Exception, phase: str) -> Cause:
    """What class a failure is of, when it happened in that phase."""
    if isinstance(error, BuildFailed):
        return error.cause
    if not isinstance(error, ToolError):
        return Cause.INTERNAL
    return OF_KINDS.get(error.kind) or OF_PHASES.get(phase, Cause.BUILD)


def patterns(*texts: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(text) for text in texts)


# A compiler's message begins its line with the file; in the command that make echoes, it does not.
PLACE = r"^[^\s:'\"]+:(?:\d+:){1,2} "
CONFIGURING = patterns(
    r"^(?:\./)?configure: error: |^CMake Error\b|^\S*meson\.build:\d+:\d+: ERROR: ",
    r"^configure\.ac:\d+: error: |^autoreconf: error: |^error: .*not found|^Could NOT find ",
)
COMPILING = patterns(
    PLACE + r"(?:fatal |internal compiler |syntax )?error\b|^[^\s:'\"]+:\d+:\d+: undefined: ",
    r"^error(?:\[E\d+\])?: |^SyntaxError: |^cc1\w*: (?:fatal )?error|^(?:gcc|g\+\+|cc|c\+\+|clang): .*error",
    r"undefined reference to |: cannot find -l|multiple definition of ",
    r"^(?:/bin/)?\w*sh: (?:\d+|line \d+): .*: (?:command )?not found|^make\S*: [^*].*: No such file or directory",
    r"^make\S*: \*\*\* No rule to make target ",
)
TESTING = patterns(
    r"^(?:FAIL|FAILED|XPASS)(?::| )\s*\S|^not ok \d|^ *\d+/\d+ .* (?:FAIL|TIMEOUT|ERROR)\b|^--- FAIL: ",
    r"^(?:ERROR|FAIL): |^test .* \.\.\. FAILED|^\s+\d+ - .*\((?:Failed|Timeout|SEGFAULT|Not Run)\)",
    r"^E +.*(?:Error|assert)|^\w*(?:Error|Exception): |^#\s*(?:FAIL|ERROR): +[1-9]",
    r"^=+ .*\b(?:failed|errors?)\b.* =+$|^\d+% tests passed, [1-9]\d* tests? failed|^Failed \d+/\d+ test|^Result: FAIL",
)
INSTALLING = patterns(
    r"^dh_\w+: (?:warning|error): (?:Cannot find|.* exists in debian/tmp but is not installed)",
    r"^dpkg-(?:gencontrol|shlibdeps|gensymbols|deb|genbuildinfo|genchanges): error|^(?:cp|mv|install|ln|rm): ",
    r"^dh_\w+: error: (?!.*returned exit code)",
)
GENERAL = patterns(
    r"^(?:E|Error): |^dpkg-(?:checkbuilddeps|source|buildpackage): error: (?!debian/rules|fakeroot)",
    r"^Traceback |^\w+(?:Error|Exception): |Segmentation fault|^Killed$",
    r"^(?!dpkg-buildpackage|dh_)[\w./-]+: (?:fatal )?error: ",
    r"No space left on device|Cannot allocate memory|Resource temporarily unavailable",
)
ENDING = patterns(
    r"^dh\w*: error: .*returned exit code|^ninja: build stopped|^\S*make\S*: \*\*\* ",
    r"^dpkg-buildpackage: error",
)
TELLING = {Cause.CONFIGURE: CONFIGURING, Cause.COMPILE: COMPILING, Cause.TEST: TESTING, Cause.INSTALL: INSTALLING}
ORDER = {  # where a step may fail for another cause than its own: what is looked for first
    Cause.CONFIGURE: (Cause.CONFIGURE, Cause.COMPILE),
    Cause.COMPILE: (Cause.COMPILE, Cause.CONFIGURE, Cause.TEST),
    Cause.TEST: (Cause.TEST, Cause.COMPILE),
    Cause.INSTALL: (Cause.INSTALL, Cause.COMPILE),
    Cause.BUILD: (Cause.COMPILE, Cause.CONFIGURE, Cause.TEST, Cause.INSTALL),
}
STEP = re.compile(r"^\s{2,}(?P<started>dh_\w+|debian/rules override_\w+)|^(?P<failed>dh_\w+): error: ")
STEPS = {"auto_configure": Cause.CONFIGURE, "autoreconf": Cause.CONFIGURE, "auto_build": Cause.COMPILE,
         "auto_test": Cause.TEST}  # fmt: skip
DUMP = re.compile(r"tail -v -n \\?\+0 |^==> .* <==$")  # debhelper shows config.log, full of errors of no account


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """The cause, the one line that tells it best, and at most twelve around it."""

    cause: Cause
    line: str
    lines: tuple[str, ...]

    def sentence(self, package: str) -> str:
        said = SENTENCES.get(self.cause, SENTENCES[Cause.BUILD]).format(package=package)
        return f"{said}: {self.line.strip()}" if self.line else f"{said}."


def diagnose(log: str) -> Diagnosis:
    """Why a build failed, from its log."""
    lines = [line.rstrip()[:400] for line in log.partition("== PHASE build (")[2].splitlines() or log.splitlines()]
    step, at = _step(lines)
    for cause in ORDER[step]:
        if found := _found(lines, TELLING[cause], at):
            break
    else:
        cause, found = step, _found(lines, GENERAL, at)
    ending = _found(lines, ENDING, at)
    first = next(iter([*found, *ending]), None)
    shown = list(dict.fromkeys([*found[:1], *_more(lines, found), *found[1:6], *ending]))[:AT_MOST]
    told = list(dict.fromkeys(lines[number] for number in sorted(shown))) or last_lines(lines)
    line = told[-1] if first is None and told else _sentence_line(lines, first)
    return Diagnosis(cause=cause, line=line, lines=tuple(told))


def _more(lines: Sequence[str], found: Sequence[int]) -> list[int]:
    """The indented lines after the telling one, where a compiler shows the place and cmake says what it means."""
    more: list[int] = []
    for number in range(found[0] + 1, min(found[0] + 9, len(lines))) if found else ():
        if lines[number] and not lines[number].startswith((" ", "\t")):
            break
        more += [number] if lines[number] else []
    return more[:5]


def _sentence_line(lines: Sequence[str], first: int | None) -> str:
    """The telling line; of a message that goes on below its heading, what is missing there."""
    if first is None or not lines[first].endswith(":"):
        return "" if first is None else lines[first]
    more = [lines[number].strip() for number in _more(lines, [first])]
    missing = [line for line in more if re.search("(?i)could not|cannot|not found", line)]
    return " ".join([lines[first], *(missing or more)[:1]])


def _step(lines: list[str]) -> tuple[Cause, int]:
    """The step of debhelper that failed, or was the last to begin, and the line it began at."""
    step, at = "", 0
    for number, line in enumerate(lines):
        if match := STEP.match(line):
            name = (match["started"] or match["failed"]).removeprefix("debian/rules override_").removeprefix("dh_")
            if match["started"] or name != step:
                step, at = name, at if match["failed"] else number
    if not step:
        return Cause.BUILD, 0
    return STEPS.get(step, Cause.INSTALL), at


def _found(lines: list[str], kinds: Sequence[re.Pattern[str]], at: int) -> list[int]:
    """The lines from `at` on that match, those of the first pattern first; nothing that is only a dump counts."""
    numbers = list(_undumped(lines, at))
    found: list[int] = []
    for pattern in kinds:
        found += [number for number in numbers if number not in found and pattern.search(lines[number])]
    return found[:AT_MOST]


def _undumped(lines: list[str], at: int) -> list[int]:
    numbers, dumping = [], False
    for number in range(at, len(lines)):
        if DUMP.search(lines[number]):
            dumping = True
        elif re.match(r"^dh_\w+: error|^make\S*: \*\*\*", lines[number]):
            dumping = False
        if not dumping:
            numbers.append(number)
    return numbers


def decisive_lines(log: str) -> list[str]:
    """At most twelve lines of the log, in its order, that tell why it failed; the last lines if none does."""
    return list(diagnose(log).lines)


def last_lines(lines: Sequence[str]) -> list[str]:
    return [line for line in lines if line.strip() and not line.startswith("== PHASE")][-5:]


UNPACKING = re.compile(r"^dpkg-source: info: (?:unpacking|applying) (?P<name>\S+)")
BROKEN_ARCHIVE = re.compile(r"^(?:tar|\w*xz|g?un?zip|gzip|bzip2|zstd): |^dpkg-source: error: ")
PATCHED = re.compile(r"^(?:patching|checking) file (?P<file>.+)")
REJECTED = re.compile(r"^Hunk #\d+ FAILED|can't find file to patch|malformed patch|^Reversed |^The next patch would")


def diagnose_unpacking(output: str) -> Diagnosis:
    """Why dpkg-source could not unpack a source package: an archive, or a patch, and which."""
    lines = [line.rstrip()[:400] for line in output.splitlines()]
    name = _last_name(UNPACKING, lines)
    rejected = [line for line in lines if REJECTED.search(line)]
    found = rejected or [line for line in lines if BROKEN_ARCHIVE.search(line)] or last_lines(lines)
    file = f" of {_last_name(PATCHED, lines)}" if rejected and found[0].startswith("Hunk") else ""
    shown = [line for line in lines if line in found or UNPACKING.match(line) or PATCHED.match(line)]
    told = [name, *(line.strip().rstrip(".") + file for line in found[:1])]
    return Diagnosis(cause=Cause.PATCH if rejected else Cause.UNPACK, line=": ".join(filter(None, told)),
                     lines=tuple(shown[-AT_MOST:]))  # fmt: skip


def _last_name(pattern: re.Pattern[str], lines: Sequence[str]) -> str:
    return next((str(match[1]) for line in reversed(lines) if (match := pattern.match(line))), "")
