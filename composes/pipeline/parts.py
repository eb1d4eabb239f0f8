"""What of a compose is made on its own, by any host: its tree, then each deliverable with the gates that look at it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from composes.pipeline import graph
from composes.pipeline.graph import Stage
from composes.pipeline.treefiles.schema import LISTS
from composes.pipeline.treefiles.treefile import Tree
from debatomic.tools.errors import InputError

TREE, DISK, RAW, UPGRADE = "tree", "disk", "raw", "upgrade"
FORMATS: tuple[str, ...] = tuple(LISTS["formats"]["enum"])
# Verdicts that no stage of that name gives, by the stage that must have run for them.
ON_STAGES = {"maximum-image-size": DISK, "maximum-update-size": UPGRADE}


@dataclass(frozen=True, kw_only=True)
class Part:
    """`stages` are its own, in their order; `gates` what it says a verdict of; `failable`: the others do without it."""

    name: str
    stages: tuple[str, ...]
    gates: tuple[str, ...] = ()
    failable: bool = False


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run does: its stages in their order, and the parts they are in, the tree first."""

    stages: tuple[Stage, ...]
    places: Mapping[str, str]
    parts: tuple[Part, ...]

    def named(self, name: str) -> Part:
        """Raises InputError where the compose has no such part."""
        if found := next((part for part in self.parts if part.name == name), None):
            return found
        raise InputError(f"This compose has no part {name}; it has {', '.join(part.name for part in self.parts)}.")

    def speaker(self, gate: str) -> str:
        """The part that says the verdict of a gate: the tree says those of no other."""
        return next((part.name for part in self.parts if gate in part.gates), TREE)

    def needed(self, part: Part, at_hand: Collection[str]) -> list[Stage]:
        """What a part takes: its stages and what those need, but not what only leads to results that are `at_hand`.

        A gate looks at its own part: what it would also look at in another is left to that one.
        """
        known = {stage.name: stage for stage in self.stages}
        chosen: set[str] = set()
        waiting = list(part.stages)
        while waiting:
            stage = known[waiting.pop()]
            chosen.add(stage.name)
            if stage.name in at_hand and stage.name not in part.stages:
                continue
            looked_at = (TREE, part.name) if stage.gate else tuple(self.places.values())
            waiting += [need for need in stage.needs
                        if need in known and need not in chosen and self.places[need] in looked_at]  # fmt: skip
        return [stage for stage in self.stages if stage.name in chosen]

    def takes(self, part: Part, names: Collection[str]) -> list[str]:
        """Those of these results that a part begins with."""
        return [stage.name for stage in self.needed(part, names) if stage.name in names]


def plan(tree: Tree, stages: Sequence[Stage], only: Collection[str] = (), skip: Collection[str] = ()) -> Plan:
    """What is left of these stages, all of them wanted, with only these phases or parts and without those."""
    ordered = graph.ordered(stages)
    of = places(tree, ordered)
    chosen = graph.selected(ordered, only, skip, of)
    own = {place: [each for each in chosen if of[each.name] == place]
           for place in dict.fromkeys([TREE, *(of[each.name] for each in chosen)])}  # fmt: skip
    if len(own.get(DISK, ())) == 1 and any(DISK in each.needs for each in chosen):
        del own[DISK]  # nobody wants it as such
    parts = tuple(_part(place, mine, tree) for place, mine in own.items())
    return Plan(stages=tuple(chosen), places=of, parts=parts)


def places(tree: Tree, ordered: Sequence[Stage]) -> dict[str, str]:
    """The part of each stage."""
    found: dict[str, str] = {}
    for stage in ordered:
        found[stage.name] = _place(stage, tree.image.formats, found)
    return found


def _place(stage: Stage, formats: Collection[str], found: Mapping[str, str]) -> str:
    """A format and what looks at it are one part; so is the disk, from which most formats are made."""
    if stage.name == DISK:
        return RAW if RAW in formats else DISK
    if stage.name in formats or stage.name == UPGRADE:
        return stage.name
    above = [found[need] for need in stage.needs if found.get(need, TREE) != TREE]
    if not above:
        return TREE
    return RAW if stage.name == "boot-bios" and RAW in above else above[-1]  # BIOS boots the raw disk


def _part(name: str, mine: Sequence[Stage], tree: Tree) -> Part:
    gates = [each.gate for each in mine if each.gate]
    if tree.image.firmware and f"boot-{tree.image.firmware[0]}" in gates:
        gates.append("tests")
    names = [each.name for each in mine]
    gates += [gate for gate, stage in ON_STAGES.items() if stage in names]
    return Part(name=name, stages=tuple(names), gates=tuple(gates), failable=name in tree.image.failable)


def check_names(names: Collection[str]) -> None:
    """Raises InputError for what is neither a phase nor a deliverable."""
    known = (*graph.PHASES, *FORMATS, UPGRADE)
    for name in names:
        if name not in known:
            raise InputError(f"There is no phase or deliverable {name}; there are {', '.join(known)}.")
