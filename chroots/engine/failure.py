"""Which lines of a log say why a build failed."""

from __future__ import annotations

import re

AT_MOST = 12
# From telling to general: the lines of the first kinds found are what a person wants to read.
DECISIVE = tuple(re.compile(pattern) for pattern in (
    r"(?:fatal error|error): ",  # compilers
    r"undefined reference to |cannot find -l|collect2: error",  # linkers
    r"^E: |^dpkg-(?:checkbuilddeps|source|gencontrol|shlibdeps|deb|genbuildinfo|genchanges): error",
    r"^(?:dh_?\w*|debian/rules): error|^dh\w*: .*(?:returned exit code|aborting)",
    r"\*\*\* \[|^make(?:\[\d+\])?: \*\*\* |^ninja: build stopped|^CMake Error|^meson.build:.*ERROR",
    r"^(?:FAILED|FAIL:|ERROR:|Traceback |\w*(?:Error|Exception): )|# FAIL: +[1-9]",
    r"No space left on device|Cannot allocate memory|Resource temporarily unavailable|Killed$",
    r"^dpkg-buildpackage: error",
))  # fmt: skip
UNMET = re.compile(
    r"^ (?:builddeps:)?\S+ ?: (?:Pre)?(?:Depends|Conflicts): (?P<what>.+)$|^ {2,}(?:Depends|Conflicts): (?P<more>.+)$"
)


def decisive_lines(log: str) -> list[str]:
    """At most twelve lines of the log, in its order, that tell why it failed; the last lines if none does."""
    lines = [line.rstrip() for line in log.splitlines()]
    chosen: set[int] = set()
    for pattern in DECISIVE:
        found = [number for number, line in enumerate(lines) if pattern.search(line)]
        chosen.update(found[: max(0, min(4, AT_MOST - len(chosen)))])
    if chosen:
        return list(dict.fromkeys(lines[number][:400] for number in sorted(chosen)))
    return [line[:400] for line in lines if line and not line.startswith("== PHASE")][-5:]


def unmet_dependencies(output: str) -> list[str]:
    """What apt says about build dependencies that cannot be satisfied, one sentence part each."""
    found = []
    for line in output.splitlines():
        if match := UNMET.match(line):
            found.append((match["what"] or match["more"]).strip())
        elif line.startswith("E: Unable to locate package"):
            found.append(line.removeprefix("E: "))
    return found
