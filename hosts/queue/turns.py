"""What one host gets in several turns: the same as if it asked again after each task, told in advance.

Only what is beyond doubt: where the next turn cannot be told from what was read, the turns end there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hosts.queue.order import Line, in_order

BETWEEN = timedelta(microseconds=1)  # two turns: who was served first is known afterwards


@dataclass(frozen=True)
class Waiting:
    """A task of a line, as turns need it."""

    id: int
    weight: float
    ready_at: datetime
    not_before_at: datetime | None = None

    @property
    def since(self) -> datetime:
        """When hosts could first have it."""
        return max(self.ready_at, self.not_before_at or self.ready_at)


@dataclass(frozen=True, kw_only=True)
class Window:
    """The oldest tasks of a line; `whole` when there are no others."""

    tasks: tuple[Waiting, ...]
    whole: bool


Read = Callable[[Line], Window]
Room = Callable[[Sequence[float]], float]  # (weights of what it got in these turns): the most the next may weigh


def turns(
    lines: Iterable[Line], read: Read, room: Room, *, moment: datetime, settled_at: datetime, most: int
) -> list[int]:  # fmt: skip
    """The ids of at most `most` tasks in the order of their turns.

    Tasks younger than `settled_at` end the turns: another host may be the better one for them.
    """
    rest = list(lines)
    windows: dict[tuple[int, int], Window] = {}
    got: list[Waiting] = []
    while len(got) < most and (space := room([task.weight for task in got])) > 0:
        standing = _standing(rest, space, windows, read)
        if not standing:
            break
        rest = standing
        line = in_order(rest, moment)[0]
        window = _window(line, windows, read)
        mine = next((task for task in window.tasks if task.weight <= space), None)
        if mine is None:
            if not window.whole:
                break
            rest.remove(line)
        elif mine.id != line.first:  # the line may stand elsewhere
            rest[rest.index(line)] = _beginning(line, mine)
        elif mine.since > settled_at:
            break
        else:
            windows[line.priority, line.share] = replace(
                window, tasks=tuple(task for task in window.tasks if task != mine)
            )
            rest = [_after(one, line, mine, moment + len(got) * BETWEEN) for one in rest]
            got.append(mine)
    return [task.id for task in got]


def _standing(lines: list[Line], space: float, windows: dict[tuple[int, int], Window], read: Read) -> list[Line]:
    """Each line with the first of its tasks that fits now; nothing where one cannot be told from what was read."""
    found = []
    for line in lines:
        if line.weight <= space:
            found.append(line)
            continue
        window = _window(line, windows, read)
        if light := next((task for task in window.tasks if task.weight <= space), None):
            found.append(_beginning(line, light))
        elif not window.whole:
            return []
    return found


def _window(line: Line, windows: dict[tuple[int, int], Window], read: Read) -> Window:
    key = (line.priority, line.share)
    windows[key] = windows.get(key) or read(line)
    return windows[key]


def _beginning(line: Line, task: Waiting) -> Line:
    """The line, of which this task is the first that fits."""
    return replace(line, first=task.id, since=task.ready_at, weight=task.weight)


def _after(one: Line, line: Line, got: Waiting, served_at: datetime) -> Line:
    """A line after a host took this task of that line; `first` and `since` are looked at when its turn comes."""
    used = one.used + got.weight if one.share == line.share else one.used
    if one != line:
        return replace(one, used=used)
    return replace(one, used=used, served_at=served_at, weight=0.0)  # the next one's is not known
