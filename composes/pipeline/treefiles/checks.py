"""What a treefile says about its gates: scripts that test the booted system, policies, and what blocks or warns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from composes.pipeline.treefiles.marks import Text, place_of
from composes.pipeline.treefiles.sizes import size_in_bytes, size_text
from debatomic.tools.errors import InputError

BLOCK, WARN, OFF = "block", "warn", "off"
LEVELS = (BLOCK, WARN, OFF)
SIZES = ("maximum-image-size", "maximum-tree-size", "maximum-update-size")
FLAGS = ("signed-sources", "no-critical-vulnerabilities")
POLICIES = (*SIZES, "forbidden-packages", *FLAGS)
GATES = ("lint", "container", "boot", "iso", "tests", "upgrade", *POLICIES)
TEST_SECONDS = 60
MAX_SCRIPT_BYTES = 64 << 10


@dataclass(frozen=True, kw_only=True)
class Script:
    """A script run by /bin/sh as root in the booted system; `time_limit` in seconds."""

    name: str
    script: str
    time_limit: int = TEST_SECONDS


@dataclass(frozen=True, kw_only=True)
class Policies:
    """Sizes are bytes, 0 for any; `forbidden_packages` are names or patterns."""

    maximum_image_size: int = 0
    maximum_tree_size: int = 0
    maximum_update_size: int = 0
    forbidden_packages: tuple[str, ...] = ()
    signed_sources: bool = False
    no_critical_vulnerabilities: bool = False


@dataclass(frozen=True, kw_only=True)
class Checks:
    """`levels` are what the treefile says of gates; the others block."""

    tests: tuple[Script, ...] = ()
    policies: Policies = Policies()
    levels: tuple[tuple[str, str], ...] = ()

    def level(self, gate: str) -> str:
        """`block`, `warn` or `off`."""
        return dict(self.levels).get(gate, BLOCK)


def of(part: dict[str, Any]) -> Checks:
    """What a resolved part says."""
    tests = tuple(_test(name, value) for name, value in part["tests"].items() if value is not None)
    levels = sorted((str(name), str(level or OFF)) for name, level in part["gates"].items())
    return Checks(tests=tests, policies=_policies(part["policies"]), levels=tuple(levels))


def _test(name: str, value: Any) -> Script:
    if isinstance(value, str):
        return Script(name=str(name), script=str(value))
    if "script" not in value:
        raise InputError(f"{place_of(name) or 'tests'}: the test {name} has no script.",
                         hint="Write script: or file: below it.")  # fmt: skip
    return Script(name=str(name), script=str(value["script"]), time_limit=value.get("time-limit", TEST_SECONDS))


def _policies(part: dict[str, Any]) -> Policies:
    known: dict[str, Any] = {name.replace("-", "_"): size_in_bytes(part[name]) for name in SIZES if name in part}
    known |= {name.replace("-", "_"): part[name] for name in FLAGS if name in part}
    return Policies(**known, forbidden_packages=tuple(map(str, part.get("forbidden-packages", ()))))


def as_treefile(checks: Checks) -> dict[str, Any]:
    """The keys of a treefile that say this; none for what is as usual."""
    policies = checks.policies
    said: dict[str, Any] = {}
    said |= {name: size_text(size) for name in SIZES if (size := getattr(policies, name.replace("-", "_")))}
    said |= {"forbidden-packages": list(policies.forbidden_packages)} if policies.forbidden_packages else {}
    said |= {name: True for name in FLAGS if getattr(policies, name.replace("-", "_"))}
    tests = {each.name: {"script": each.script, "time-limit": each.time_limit} for each in checks.tests}
    content = {"tests": tests, "policies": said, "gates": dict(checks.levels)}
    return {key: value for key, value in content.items() if value}


def read_scripts(content: Any, path: Path, top: Path) -> list[Path]:
    """Put the text of each test's `file` in its place; the files that were read.

    Raises InputError for a file that is not there, too large, or outside of `top`.
    """
    found = []
    for test in _with_files(content):
        name = test.pop("file")
        script = _script(name, path, top)
        test["script"] = Text(script.read_text(), place_of(name))
        found.append(script)
    return found


def _with_files(content: Any) -> Iterator[dict[str, Any]]:
    for key, value in content.items() if isinstance(content, dict) else ():
        if key == "tests" and isinstance(value, dict):
            yield from (test for test in value.values() if isinstance(test, dict) and "file" in test)
        else:
            yield from _with_files(value)
    for item in content if isinstance(content, list) else ():
        yield from _with_files(item)


def _script(name: str, path: Path, top: Path) -> Path:
    target = (path.parent / name).resolve()
    if not target.is_relative_to(top):
        raise InputError(f"{place_of(name)}: the script {name} lies outside of the folder of the treefile.")
    if not target.is_file():
        raise InputError(f"{place_of(name)}: there is no file {name}.")
    if target.stat().st_size > MAX_SCRIPT_BYTES:
        raise InputError(f"{place_of(name)}: {name} is larger than {MAX_SCRIPT_BYTES >> 10} KiB, which no test is.")
    try:
        target.read_text()
    except UnicodeDecodeError as error:
        raise InputError(f"{place_of(name)}: {name} is not UTF-8 text.") from error
    return target
