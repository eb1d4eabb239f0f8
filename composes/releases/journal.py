"""The order of a channel's journal: as the repository was changed, not as hosts came to tell of it.

Each change of the repository has a serial number, which the facts of a move keep by ref. The channel carries the move
with the highest; `before` of each leads to what the channel carried before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from composes.releases.release_models import Move, ReleaseChannel

Facts = Mapping[str, Mapping[str, Any]]


def place(move: Move) -> None:
    """Put a move that was done among those of its channel, which the caller has locked."""
    channel = ReleaseChannel.objects.get(pk=move.channel_id)
    if channel.current_id == move.pk or all(each.get("passed_over") for each in move.facts.values()):
        return
    later, earlier = None, channel.current
    while earlier is not None and is_later(earlier, move):
        later, earlier = earlier, earlier.before
    if earlier is not None and earlier.pk == move.pk:
        return
    if move.kind == Move.Kind.PUBLISH:
        _follow(move, earlier)
    if later is None:
        ReleaseChannel.objects.filter(pk=channel.pk).update(current=move)
    elif later.kind == Move.Kind.PUBLISH:  # what goes back goes where it was told to
        _follow(later, move)


def _follow(move: Move, before: Move | None) -> None:
    Move.objects.filter(pk=move.pk).update(before=before, instead_of=before.compose if before else None)


def is_later(one: Move, other: Move) -> bool:
    """Whether the channel carried `one` after the other: by what was done to a ref that both moved, else by compose."""
    shared = [ref for ref in one.facts if ref in other.facts]
    if shared:
        return any(_serial(one.facts[ref]) > _serial(other.facts[ref]) for ref in shared)
    return one.compose_id > other.compose_id


def is_over(move: Move, facts: Facts) -> bool:
    """Whether the channel carried something else after this move of a compose, before these facts came to be."""
    current = move.channel.current
    if current is None or current.pk == move.pk:
        return False
    if any(each.get("passed_over") for each in facts.values()):
        return False
    return current.compose_id < move.compose_id  # it was withdrawn meanwhile


def _serial(facts: Mapping[str, Any]) -> int:
    return int(facts.get("serial", 0))
