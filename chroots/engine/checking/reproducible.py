"""A second build of the same source in another environment: the packages must be the same, bit for bit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from chroots.engine.archives.binaries import parts
from chroots.engine.archives.dsc import control_fields
from chroots.engine.backends.table import BACKENDS
from chroots.engine.building import diffoscope
from chroots.engine.building.build import build
from chroots.engine.checking.check import Bench, Finding, Verdict
from chroots.engine.checking.sources import named
from chroots.engine.spec import BuildSpec, BuildType, PluginUse
from debatomic.tools.errors import InputError, Kind, ToolError
from debatomic.tools.files import sha256

NEEDED = re.compile(r"^\s*(?P<name>[a-z0-9][a-z0-9+.:-]+) \(= (?P<version>[^)\s]+)\)", re.MULTILINE)
Versions = Mapping[str, str]


def run(bench: Bench) -> Finding:
    """Fails where a package differs, of whose build dependencies none changed; warns where some did."""
    diffoscope.require_diffoscope()
    ours = bench.files(".deb")
    if not ours:
        raise InputError(f"There are no binary packages in {bench.spec.folder}.")
    again = bench.work / "again"
    outcome = build(_spec(bench, ours, again), bench.state, BACKENDS["native"], echo=bench.warden.log)
    if not outcome.ok:
        if outcome.kind != Kind.BUILD:
            raise ToolError(f"The second build could not be done: {outcome.reason}", kind=Kind(outcome.kind or "build"),
                            lines=outcome.decisive)  # fmt: skip
        return Finding(verdict=Verdict.FAIL, lines=outcome.decisive,
                       summary=f"The second build, in another environment, failed: {outcome.reason}")  # fmt: skip
    different = [
        path for path in ours if not (again / path.name).is_file() or sha256(path) != sha256(again / path.name)
    ]
    for path in different:
        _explain(bench, again / path.name, path)
    changed = changes(_needed(bench.spec.folder), _needed(again))
    return judged([path.name for path in ours], [path.name for path in different], changed)


def judged(ours: Sequence[str], different: Sequence[str], changed: Sequence[str]) -> Finding:
    """What it means that these of our packages differ, while these build dependencies changed meanwhile."""
    facts = {"packages": len(ours), "different": list(different)[:100], "dependencies": list(changed)[:100]}
    since = f"; {len(changed)} build dependencies changed since" if changed else ""
    if not different:
        summary = f"All {len(ours)} packages are the same, built again in another environment{since}."
        return Finding(verdict=Verdict.PASS, summary=summary, facts=facts)
    summary = f"{len(different)} of {len(ours)} packages differ, built again in another environment{since}."
    verdict = Verdict.WARN if changed else Verdict.FAIL
    return Finding(verdict=verdict, summary=summary, lines=[*different, *changed], facts=facts)


def changes(old: Versions, new: Versions) -> list[str]:
    """Of what was installed, by .buildinfo: each package that has another version now, or is not there."""
    return [f"{name} {version} → {new.get(name, 'absent')}" for name, version in sorted(old.items())
            if new.get(name) != version]  # fmt: skip


def _spec(bench: Bench, ours: Sequence[Path], output: Path) -> BuildSpec:
    spec, limits = bench.spec, bench.spec.limits
    chroot = replace(spec.chroot, plugins=(PluginUse(name="varied-environment", required=True),))
    return BuildSpec(
        source=named(bench), version=spec.version, chroot=chroot, output=output,
        build_type=_type(ours), expect=spec.expect, binnmu=spec.binnmu, profiles=spec.profiles, nocheck=spec.nocheck,
        repositories=spec.repositories,
        limits=replace(limits, parallel=limits.parallel + 1, time_limit=bench.warden.remaining()),
    )  # fmt: skip


def _type(ours: Sequence[Path]) -> BuildType:
    """What to make, by the architectures of what was made."""
    alls = {parts(path.name)[2] == "all" for path in ours}
    return BuildType.BINARY if len(alls) == 2 else BuildType.ALL if alls == {True} else BuildType.ANY


def _needed(folder: Path) -> Versions:
    """Installed-Build-Depends of the .buildinfo; nothing where there is none."""
    fields = [control_fields(path).get("Installed-Build-Depends", "") for path in sorted(folder.glob("*.buildinfo"))]
    return {match["name"]: match["version"] for text in fields for match in NEEDED.finditer(text)}


def _explain(bench: Bench, again: Path, first: Path) -> None:
    """diffoscope's reports, where both packages are there."""
    if not again.is_file():
        bench.say(f"The second build did not make {first.name}.")
        return
    limits = replace(diffoscope.DEFAULTS, time_limit=min(900.0, bench.warden.remaining() or 900.0))
    report = diffoscope.difference(again, first, bench.output, bench.state, bench.warden.log, limits)
    bench.reports.extend(file.name for file in report.files)
    if report.note:
        bench.say(f"{first.name}: {report.note}")
