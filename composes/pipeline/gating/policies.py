"""The policies of a treefile, judged over what a compose made."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from composes.pipeline.gating.gates import Verdict, passed, refused, skipped, switched_off
from composes.pipeline.graph import Deliverable, Facts, Result
from composes.pipeline.packages import lock as locks
from composes.pipeline.packages.lock import Lock
from composes.pipeline.store import bytes_below
from composes.pipeline.treefiles.checks import Checks, Policies

CRITICAL = ("critical", "high")  # urgencies that count


@dataclass(frozen=True, kw_only=True)
class Made:
    """What is there to be judged: results by stage, facts of the gates, what is delivered into `output`."""

    results: Mapping[str, Result]
    facts: Mapping[str, Facts]
    deliverables: Sequence[Deliverable]
    output: Path

    @property
    def lock(self) -> Lock | None:
        gathered = self.results.get("gather")
        return locks.read(gathered.folder / "lock.json") if gathered else None


Judgement = tuple[bool | None, str, Sequence[str]]  # yes, no, or None for cannot be said; a sentence; details


def judged(checks: Checks, made: Made) -> Iterator[Verdict]:
    """A verdict on each policy the treefile has."""
    for name, judge in RULES.items():
        if not getattr(checks.policies, name.replace("-", "_")) or switched_off(name, checks):
            continue
        good, sentence, details = judge(checks.policies, made)
        if good is None:
            yield skipped(name, checks, sentence)
        elif good:
            yield passed(name, checks, sentence)
        else:
            yield refused(name, checks, sentence, details=details)


def _image_size(policies: Policies, made: Made) -> Judgement:
    if "disk" not in made.results:
        return None, "No image was made.", ()
    return _at_most("The image takes", int(made.results["disk"].facts["size"]), policies.maximum_image_size)


def _tree_size(policies: Policies, made: Made) -> Judgement:
    if "rootfs" not in made.results:
        return None, "No tree was made.", ()
    return _at_most("The tree takes", bytes_below(made.results["rootfs"].folder / "tree"), policies.maximum_tree_size)


def _update_size(policies: Policies, made: Made) -> Judgement:
    if "bytes" not in made.facts.get("upgrade", {}):
        return None, "No machine was upgraded, so nothing was downloaded.", ()
    return _at_most("The upgrade downloaded", int(made.facts["upgrade"]["bytes"]), policies.maximum_update_size)


def _at_most(what: str, size: int, most: int) -> Judgement:
    shown, limit = f"{size / 1048576:.1f} MiB", f"{most >> 20} MiB"
    return (True, f"{what} {shown} of at most {limit}.", ()) if size <= most else (
        False, f"{what} {shown}, which is more than {limit}.", ())  # fmt: skip


def _forbidden(policies: Policies, made: Made) -> Judgement:
    if made.lock is None:
        return None, "No packages were gathered.", ()
    found = [f"{each.name} {each.version}" for each in made.lock.packages
             if any(fnmatchcase(each.name, pattern) for pattern in policies.forbidden_packages)]  # fmt: skip
    if found:
        return False, f"It contains what the policy forbids: {', '.join(found[:5])}.", found
    return True, f"None of {len(made.lock.packages)} packages is forbidden.", ()


def _signed_sources(policies: Policies, made: Made) -> Judgement:
    lock = made.lock
    if lock is None:
        return None, "No packages were gathered.", ()
    found = [f"{each.name} {each.version} from {each.origin or 'nowhere'}" for each in lock.packages
             if not lock.releases.get(each.origin)]  # fmt: skip
    if found:
        return False, f"{len(found)} packages come from no signed repository: {', '.join(found[:3])}.", found
    return True, f"All {len(lock.packages)} packages are listed by signed repositories.", ()


def _vulnerabilities(policies: Policies, made: Made) -> Judgement:
    delivered = next((each for each in made.deliverables if each.kind == "vulnerabilities"), None)
    if delivered is None:
        return None, "There is no list of known vulnerabilities.", ()
    try:
        content = json.loads((made.output / delivered.path).read_text())
    except (OSError, ValueError) as error:
        return None, f"The list of known vulnerabilities cannot be read: {error}.", ()
    if not isinstance(content, dict) or not content.get("asked"):
        reason = content.get("reason", "") if isinstance(content, dict) else ""
        return None, f"The known vulnerabilities could not be asked for: {reason or 'the list has another form'}", ()
    found = list(_critical(content.get("vulnerabilities", [])))
    if found:
        return False, f"{len(found)} critical vulnerabilities are known: {', '.join(found[:3])}.", found
    return True, "No critical vulnerability is known.", ()


def _critical(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Debian's tracker calls high what others call critical; undetermined is not known to concern the suite."""
    for row in rows:
        if row.get("urgency") in CRITICAL and row.get("status") != "undetermined":
            yield f"{row.get('id', '?')} in {row.get('source', '?')}"


RULES: dict[str, Callable[[Policies, Made], Judgement]] = {
    "maximum-image-size": _image_size, "maximum-tree-size": _tree_size, "maximum-update-size": _update_size,
    "forbidden-packages": _forbidden, "signed-sources": _signed_sources,
    "no-critical-vulnerabilities": _vulnerabilities,
}  # fmt: skip
