"""A chain as a drawing: a box for each build, each level further to the right, and a line from what is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from builds.chains.chain_models import ChainMember

STEP, ROW, BOX, HEIGHT = 30, 52, 250, 40  # in units of the drawing, which are pixels at its own size
SPREAD = 5  # between the lines that leave boxes of one level
DEEPEST = 12  # levels that are moved to the right


@dataclass(frozen=True, kw_only=True)
class Box:
    """Where one member is drawn."""

    member: ChainMember
    x: int
    y: int

    @property
    def middle(self) -> int:
        return self.y + HEIGHT // 2


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """Boxes, and lines as paths of SVG with what each is for."""

    boxes: Sequence[Box]
    lines: Sequence[tuple[str, str]]
    width: int
    height: int


def draw(members: Sequence[ChainMember], needs: Mapping[int, Sequence[tuple[int, str]]]) -> Drawing:
    """Members in the order of building; `needs` are (member, packages) by the member that waits."""
    boxes = {member.pk: Box(member=member, x=4 + STEP * min(member.level, DEEPEST), y=4 + ROW * number)
             for number, member in enumerate(members)}  # fmt: skip
    lines = [(_line(boxes[needed], boxes[waits], number), f"{boxes[waits].member.build} needs {packages}")
             for waits, found in needs.items() for number, (needed, packages) in enumerate(found)]  # fmt: skip
    right = max((box.x for box in boxes.values()), default=0)
    return Drawing(boxes=list(boxes.values()), lines=lines, width=right + BOX + 4, height=8 + ROW * len(boxes))


def _line(start: Box, end: Box, number: int) -> str:
    """Down from what is needed, then right to what waits for it."""
    x = min(start.x + 8 + SPREAD * (number % 4), end.x)
    y = end.middle + SPREAD * (number % 4 - 1)
    return f"M{x} {start.y + HEIGHT}V{y}H{end.x}"
