"""How often, and after which pause, a task is tried again by itself: by the kind of its failure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from debatomic.tools.errors import InputError, Kind

MOST_ATTEMPTS = 100
MOST_PAUSE = 7 * 86400.0


@dataclass(frozen=True, kw_only=True)
class Policy:
    """`attempts` in all; `pause` seconds before the second, `factor` times as many before each further one."""

    attempts: int = 1
    pause: float = 2.0
    factor: float = 2.0
    longest: float = 3600.0

    def pause_after(self, number: int) -> timedelta:
        """The pause after attempt `number`, counted from 1."""
        grown = self.pause * self.factor ** min(number - 1, 64)
        return timedelta(seconds=min(grown, max(self.longest, self.pause)))


FINAL = Policy()
POLICIES: Mapping[str, Policy] = {
    Kind.INFRASTRUCTURE: Policy(attempts=3, pause=2),
    Kind.DISK: Policy(attempts=2, pause=60),  # another host may have more room, or this one later
}


def policy(kind: str, overrides: Mapping[str, Mapping[str, float]]) -> Policy:
    """What holds for this kind of failure, with what the submitter asked for."""
    given = overrides.get(kind, {})
    usual = POLICIES.get(kind, FINAL)
    attempts = int(given.get("attempts", usual.attempts))
    return replace(usual, attempts=attempts, pause=float(given.get("pause", usual.pause)))


def checked(overrides: Any) -> dict[str, dict[str, float]]:
    """Retries as a submitter may ask for them: `{"dep-wait": {"attempts": 5, "pause": 600}}`. Raises InputError."""
    if not isinstance(overrides, dict):
        raise _wrong("It is an object with kinds of failure as names.")
    return {_kind(name): _numbers(name, given) for name, given in overrides.items()}


def _kind(name: Any) -> str:
    retried = [kind.value for kind in Kind if kind != Kind.CANCELED]
    if name not in retried:
        raise _wrong(f"There is no kind of failure “{name}”; there is {', '.join(retried)}.")
    return str(name)


def _numbers(kind: str, given: Any) -> dict[str, float]:
    if not isinstance(given, dict) or not given or set(given) - {"attempts", "pause"}:
        raise _wrong(f"{kind} takes “attempts” (in all) and “pause” (seconds), and nothing else.")
    numbers = {name: value for name, value in given.items() if isinstance(value, int | float)}
    attempts, pause = numbers.get("attempts", 1), numbers.get("pause", 0)
    if len(numbers) < len(given) or not 1 <= attempts <= MOST_ATTEMPTS or attempts != int(attempts):
        raise _wrong(f"{kind}: attempts must be a whole number from 1 to {MOST_ATTEMPTS}.")
    if not 0 <= pause <= MOST_PAUSE:
        raise _wrong(f"{kind}: pause must be from 0 to {MOST_PAUSE:.0f} seconds.")
    return numbers


def _wrong(sentence: str) -> InputError:
    return InputError(sentence, field="retries")
