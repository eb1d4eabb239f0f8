"""Which source packages must be built before which: by their build dependencies on each other, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path

from chroots.engine.archives.dsc import Dsc
from chroots.engine.layers.depwait import Relation, is_there, relations
from chroots.engine.spec import BuildSpec, BuildType, ChrootSpec
from debatomic.tools.errors import InputError

OF_ANY = ("any", "native")  # qualifiers of a package that mean no other architecture


@dataclass(frozen=True, kw_only=True)
class Member:
    """A source package of a chain: what it makes, and what is made of it where (`any`, `all`, `binary` by
    architecture).
    """

    dsc: Dsc
    binaries: frozenset[str]
    planned: Mapping[str, str]
    profiles: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.dsc.name


@dataclass(frozen=True, kw_only=True)
class Need:
    """`source` is built after `needed`, because of these packages; `profiles`: each alone makes the need go."""

    source: str
    needed: str
    packages: tuple[str, ...]
    profiles: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The order: `levels` one after the other, those of one level at the same time; `notes` are sentences."""

    levels: Sequence[Sequence[str]]
    needs: Sequence[Need]
    notes: Sequence[str] = field(default_factory=tuple)

    def needed_by(self, source: str) -> list[Need]:
        return [need for need in self.needs if need.source == source]


def plan(members: Sequence[Member]) -> Plan:
    """The order of building. Raises InputError (field sources) for two that make the same, or for a cycle."""
    makers = _makers(members)
    needs = [need for member in members for need in _needs(member, makers)]
    notes = [note for member in members for note in _notes(member, makers)]
    return Plan(levels=_levels(members, needs), needs=needs, notes=notes)


def _makers(members: Sequence[Member]) -> dict[str, Member]:
    """Who makes each binary package."""
    found: dict[str, Member] = {}
    names = [member.name for member in members]
    if double := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"{double[0]} is in the chain twice.", field="sources")
    for member in members:
        for binary in sorted(member.binaries):
            if binary in found:
                raise InputError(f"{found[binary].name} and {member.name} both make {binary}.",
                                 hint="Build them in two chains.", field="sources")  # fmt: skip
            found[binary] = member
    return found


def _wanted(member: Member, profiles: tuple[str, ...]) -> Iterator[Sequence[Relation]]:
    """The build dependencies that count on any of its architectures, each with its alternatives."""
    for architecture, kind in member.planned.items():
        chroot = ChrootSpec(name=architecture, suite="", architecture=architecture)
        spec = BuildSpec(source=member.name, chroot=chroot, output=Path(), build_type=BuildType(kind),
                         profiles=profiles)  # fmt: skip
        yield from relations(member.dsc, spec)


def _of_chain(member: Member, alternatives: Sequence[Relation], makers: Mapping[str, Member]) -> Iterator[Relation]:
    """Those alternatives that another member makes."""
    for each in alternatives:
        maker = makers.get(each["name"])
        here = each.get("archqual") in (None, "", *OF_ANY, *member.planned)
        if maker and maker.name != member.name and here:
            yield each


def _needed(member: Member, profiles: tuple[str, ...], makers: Mapping[str, Member]) -> dict[str, list[str]]:
    """The packages it needs, by who makes them; of alternatives the first one that can be had from the chain."""
    found: dict[str, list[str]] = {}
    for alternatives in _wanted(member, profiles):
        for each in _of_chain(member, alternatives, makers):
            maker = makers[each["name"]]
            if is_there(each, {each["name"]: [maker.dsc.version]}):
                packages = found.setdefault(maker.name, [])
                packages += [each["name"]] if each["name"] not in packages else []
                break
    return found


def _needs(member: Member, makers: Mapping[str, Member]) -> Iterator[Need]:
    found = _needed(member, member.profiles, makers)
    without = {profile: _needed(member, (*member.profiles, profile), makers) for profile in _mentioned(member)}
    for needed, packages in found.items():
        profiles = tuple(profile for profile, left in without.items() if needed not in left)
        yield Need(source=member.name, needed=needed, packages=tuple(packages), profiles=profiles)


def _mentioned(member: Member) -> list[str]:
    """The build profiles whose use takes build dependencies away."""
    found = {term.profile for alternatives in _wanted(member, member.profiles) for each in alternatives
             for terms in each["restrictions"] or () for term in terms if not term.enabled}  # fmt: skip
    return sorted(found)


def _notes(member: Member, makers: Mapping[str, Member]) -> Iterator[str]:
    """Where the version that the chain makes is not the one that is needed."""
    told = set()
    for alternatives in _wanted(member, member.profiles):
        for each in _of_chain(member, alternatives, makers):
            version = makers[each["name"]].dsc.version
            if not is_there(each, {each["name"]: [version]}):
                wanted = f"{each['name']} ({' '.join(each['version'])})"
                told.add(f"{member.name} needs {wanted}; this chain makes {version}.")
    yield from sorted(told)


def _levels(members: Sequence[Member], needs: Sequence[Need]) -> list[list[str]]:
    sorter = TopologicalSorter({member.name: [need.needed for need in needs if need.source == member.name]
                                for member in members})  # fmt: skip
    try:
        sorter.prepare()
    except CycleError as error:
        raise _cycle(list(error.args[1]), needs) from error
    found = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        sorter.done(*ready)
        found.append(ready)
    return found


def _cycle(way: Sequence[str], needs: Sequence[Need]) -> InputError:
    """`way` begins and ends with the same source; each is needed by the next one."""
    by_pair = {(need.source, need.needed): need for need in needs}
    steps = [by_pair[source, needed] for needed, source in pairwise(way)]
    shown = " → ".join(reversed(way))
    ways = [f"{step.source} with <{profile}>, without {', '.join(step.packages)}"
            for step in steps for profile in step.profiles]  # fmt: skip
    hint = f"Build {'; or '.join(ways)}." if ways else "No build profile takes one of these build dependencies away."
    needed = "; ".join(f"{step.source} needs {', '.join(step.packages)} of {step.needed}" for step in reversed(steps))
    return InputError(f"They need each other: {shown} ({needed}).", hint=hint, field="sources")
