"""Which build dependency a build waits for, and which version of it there is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from debian.deb822 import PkgRelation
from debian.debian_support import Version

from chroots.engine.archives.dsc import Dsc
from chroots.engine.spec import BuildSpec, BuildType

FIELDS = {"Package": "Package: ", "Version": "Version: ", "Provides": "Provides: "}
NEEDED = {
    BuildType.ANY: ("Build-Depends", "Build-Depends-Arch"),
    BuildType.ALL: ("Build-Depends", "Build-Depends-Indep"),
    BuildType.BINARY: ("Build-Depends", "Build-Depends-Arch", "Build-Depends-Indep"),
    BuildType.SOURCE: ("Build-Depends",),
}
COMPARED = {"<<": "__lt__", "<=": "__le__", "=": "__eq__", ">=": "__ge__", ">>": "__gt__"}
UNMET = re.compile(
    r"^ (?:builddeps:)?\S+ ?: (?:Pre)?(?:Depends|Conflicts): (?P<what>.+)$|^ {2,}(?:Depends|Conflicts): (?P<more>.+)$"
)
REACHED = re.compile(r"^(?:E|Error): Unable to satisfy dependencies\. Reached two conflicting ")
STEP = re.compile(r"^\s+\d+\. (?P<said>\S+ (?:Pre-?Depends|Depends|Conflicts|Breaks) .+)$")
Relation = Mapping[str, Any]  # as PkgRelation.parse_relations has it: name, version, arch, restrictions
Versions = dict[str, list[str]]


def missing(dsc: Dsc, spec: BuildSpec, lists: Path) -> list[str]:
    """Each build dependency that nothing in apt's lists can fulfil, with the version there is instead."""
    wanted = list(relations(dsc, spec))
    there = versions({each["name"] for alternatives in wanted for each in alternatives}, lists)
    return [_told(alternatives, there, spec.chroot.name) for alternatives in wanted
            if not any(is_there(each, there) for each in alternatives)]  # fmt: skip


def relations(dsc: Dsc, spec: BuildSpec) -> Iterator[Sequence[Relation]]:
    """The build dependencies that count for this build, each with its alternatives."""
    for field in NEEDED[spec.build_type]:
        text = dsc.build_fields.get(field, "")
        for alternatives in PkgRelation.parse_relations(text) if text else ():
            if counting := [each for each in alternatives if _counts(each, spec)]:
                yield counting


def _counts(each: Relation, spec: BuildSpec) -> bool:
    if not each.get("name"):
        return False
    matching = [_matches(limit.arch, spec.host_architecture) for limit in each["arch"] or ()]
    if each["arch"] and any(matching) != each["arch"][0].enabled:
        return False
    return not each["restrictions"] or any(
        all(term.enabled == (term.profile in spec.profiles) for term in terms) for terms in each["restrictions"]
    )


def _matches(wildcard: str, architecture: str) -> bool:
    return wildcard in (architecture, "any", "linux-any", f"any-{architecture}", f"linux-{architecture}")


def versions(names: Iterable[str], lists: Path) -> Versions:
    """The versions of these packages in apt's lists; of one that is only provided, those it is provided as."""
    wanted, found = set(names), Versions()
    for path in sorted(lists.glob("*_Packages")):
        with path.open(encoding="utf-8", errors="replace") as file:
            for fields in _paragraphs(file):
                for name, version in _offered(fields):
                    if name in wanted:
                        found.setdefault(name, []).append(version)
    return found


def _paragraphs(lines: Iterable[str]) -> Iterator[dict[str, str]]:
    fields: dict[str, str] = {}
    for line in lines:
        for field, start in FIELDS.items():
            if line.startswith(start):
                fields[field] = line[len(start) :].strip()
        if line == "\n":
            yield fields
            fields = {}
    yield fields


def _offered(fields: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if "Package" in fields:
        yield fields["Package"], fields.get("Version", "")
    for part in fields.get("Provides", "").split(","):
        name, _, version = part.strip().partition(" ")
        if name:
            yield name.partition(":")[0], version.strip("(= )")


def is_there(each: Relation, there: Versions) -> bool:
    """Whether one of these versions of its package fulfils a relation."""
    found = there.get(each["name"], [])
    if not each["version"]:
        return bool(found)
    comparison, wanted = each["version"]
    return any(getattr(Version(version), COMPARED[comparison])(Version(wanted)) for version in found if version)


def _told(alternatives: Sequence[Relation], there: Versions, chroot: str) -> str:
    wanted = " | ".join(_shown(each) for each in alternatives)
    has = [f"{each['name']} {version}" if len(alternatives) > 1 else version
           for each in alternatives for version in sorted(set(there.get(each["name"], [])) - {""})]  # fmt: skip
    if not has:
        return f"{wanted}: {chroot} has no such package"
    return f"{wanted}: {chroot} has {', '.join(has)}"


def _shown(each: Relation) -> str:
    return f"{each['name']} ({' '.join(each['version'])})" if each["version"] else str(each["name"])


def unmet_dependencies(output: str) -> list[str]:
    """What apt says about build dependencies that cannot be satisfied, one sentence part each."""
    found = []
    for line in output.splitlines():
        if match := UNMET.match(line):
            found.append((match["what"] or match["more"]).strip())
        elif line.startswith("E: Unable to locate package"):
            found.append(line.removeprefix("E: "))
    return found


def conflict(output: str) -> list[str]:
    """Why apt's thorough solver found no way: the step that decided it, then how it came there."""
    lines = output.splitlines()
    start = next((number for number, line in enumerate(lines) if REACHED.match(line)), None)
    if start is None:
        return []
    way = [line.strip() for line in lines[start + 1 :] if line.startswith(" ")]
    second = next(
        (number for number, line in enumerate(lines) if number > start and line.startswith("   2.")), len(lines)
    )
    decided = [match["said"] for line in lines[start:second] if (match := STEP.match(line))]
    return list(dict.fromkeys([*decided[-1:], *way]))[:12]
