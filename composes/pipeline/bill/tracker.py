"""Debian's security tracker: which of its entries concern the packages of a system.

Form of its data: https://security-tracker.debian.org/tracker/data/json, {source: {id: {"description": …, "releases":
{suite: {"status": open|resolved|undetermined, "fixed_version": …, "urgency": …, "nodsa": …}}}}}.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from debian.debian_support import version_compare

from composes.pipeline.bill.packages import Installed
from debatomic.tools.errors import InputError

NOT_AFFECTED = "0"  # the version something was fixed in that never was in the suite
URGENCIES = ("high", "medium", "low", "not yet assigned", "end-of-life", "unimportant")


@dataclass(frozen=True, kw_only=True)
class Vulnerability:
    """One entry about a source package of the system; `fixed_version` is empty while there is none in the suite."""

    id: str
    source: str
    version: str
    packages: tuple[str, ...]
    status: str  # open, resolved (in a newer version than this one) or undetermined
    urgency: str
    fixed_version: str
    note: str  # why there is no security advisory, in the tracker's words
    description: str


def read(path: Path) -> dict[str, Any]:
    """The tracker's data. Raises InputError for anything else."""
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise InputError(f"The security tracker's data is not JSON: {error}.") from error
    if not isinstance(content, dict) or not all(isinstance(each, dict) for each in content.values()):
        raise InputError("The security tracker's data has another form than known: not entries by source package.")
    return content


def vulnerabilities(
    data: Mapping[str, Any], packages: Iterable[Installed], suite: str
) -> list[Vulnerability]:  # fmt: skip
    """What the tracker has against these packages in a suite: the most urgent first, then by source and id."""
    by_source: dict[tuple[str, str], list[str]] = {}
    for each in packages:
        by_source.setdefault((each.source, each.source_version), []).append(each.name)
    found = [entry for (source, version), names in by_source.items()
             for entry in _of(data.get(source, {}), source, version, tuple(sorted(names)), suite)]  # fmt: skip
    return sorted(found, key=lambda each: (URGENCIES.index(each.urgency), each.source, each.id))


def _of(
    entries: Mapping[str, Any], source: str, version: str, names: tuple[str, ...], suite: str
) -> Iterator[Vulnerability]:
    for name, entry in entries.items():
        release = entry.get("releases", {}).get(suite) if isinstance(entry, dict) else None
        if isinstance(release, dict) and _concerns(release, version):
            urgency = str(release.get("urgency", "")).rstrip("*")
            fixed = str(release.get("fixed_version", "")) if release.get("status") == "resolved" else ""
            yield Vulnerability(
                id=name, source=source, version=version, packages=names, status=str(release.get("status")),
                urgency=urgency if urgency in URGENCIES else "not yet assigned", fixed_version=fixed,
                note=str(release.get("nodsa", "")), description=str(entry.get("description", "")),
            )  # fmt: skip


def _concerns(release: Mapping[str, Any], version: str) -> bool:
    if release.get("status") != "resolved":
        return True
    fixed = str(release.get("fixed_version", NOT_AFFECTED))
    return fixed != NOT_AFFECTED and version_compare(version, fixed) < 0
