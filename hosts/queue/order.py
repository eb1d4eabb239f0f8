"""Who comes next among what waits: plain functions over lines, one line for each submitter and priority.

Lines go by priority; one that no host serves rises with time, so nothing waits for ever. Equal lines take turns: first
the submitter for whom the least runs, then the line that was served longest ago. Within a line the oldest comes first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

STEP = timedelta(minutes=10)  # not served for that long, a line rises by one priority
LONGEST = timedelta(hours=12)  # not served for that long, it stands with the most urgent
NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Line:
    """The waiting tasks of one submitter (`share`) at one priority."""

    priority: int
    share: int
    first: int  # the id of the oldest
    number: int
    since: datetime  # its oldest is ready since then
    weight: float = 0.0  # of its oldest
    used: float = 0.0  # the weight of what hosts hold of this submitter, at any priority
    served_at: datetime | None = None  # when a host last took one of this line


def lifted(line: Line, moment: datetime) -> int:
    """The line's priority after what it has been waiting for its turn."""
    waited = moment - max(line.since, line.served_at or line.since)
    if waited >= LONGEST:
        return min(line.priority, 0)
    return min(line.priority, max(0, line.priority - waited // STEP))


def in_order(lines: Iterable[Line], moment: datetime) -> list[Line]:
    """The lines as they are served."""
    return sorted(lines, key=lambda line: (lifted(line, moment), line.used, line.served_at or NEVER, line.first))


def place(lines: Sequence[Line], mine: Line, ahead: int, moment: datetime) -> int:
    """The place in the queue, from 1, of a task that has `ahead` tasks before it in its own line.

    More urgent lines go first; equal ones take turns, those for whom less runs being served until they are even.
    """
    level = lifted(mine, moment)
    before = ahead
    for other in lines:
        if other == mine:
            continue
        rank = lifted(other, moment)
        before += other.number if rank < level else _turns(other, mine, ahead) if rank == level else 0
    return before + 1


def _turns(other: Line, mine: Line, ahead: int) -> int:
    """How many of another line come before the task, in turns of one task each."""
    earlier = (other.served_at or NEVER, other.first) < (mine.served_at or NEVER, mine.first)
    turns = ahead + int(mine.used - other.used) + (1 if earlier or other.used < mine.used else 0)
    return max(0, min(other.number, turns))
