"""Publishing, promoting and withdrawing: each is one journal line, and one task that moves all refs at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from composes.models import Compose
from composes.releases import journal, metadata
from composes.releases.release_models import Move, ReleaseChannel
from composes.states import FINISHED
from debatomic.access.models import AuditEntry
from debatomic.tools.errors import InputError
from hosts import hub
from hosts.models import Channel, Event, State, Task

if TYPE_CHECKING:
    from debatomic.access.models import User

LIMITS = {"time_limit": 6 * 3600, "idle_limit": 3600}  # seconds
MOST_REASON = 500
LABEL = re.compile(r"(EA|DevelPhaseExit|InternalAlpha|Alpha|InternalSnapshot|Beta|Snapshot|RC|Update|SecurityFix)"
                   r"-\d{1,4}\.\d{1,4}")  # fmt: skip


def promote(channel: ReleaseChannel, compose: Compose, *, by: User, reason: str, label: str = "") -> Move:
    """Have the channel carry this compose. Raises InputError (compose, reason, label) where that cannot be."""
    with transaction.atomic():
        row = _locked(channel)
        check(row, compose)
        instead_of = row.carries
        if label:
            set_label(compose, label, by=by)
        return _ask(row, Move.Kind.PROMOTE, compose, instead_of=instead_of, before=row.current, by=by, reason=reason)


def withdraw(channel: ReleaseChannel, *, by: User, reason: str) -> Move:
    """Have the channel carry what it carried before. Raises InputError (reason) where there is nothing before."""
    with transaction.atomic():
        row = _locked(channel)
        before = row.current.before if row.current else None
        if row.current is None or before is None:
            raise InputError(f"{row} carried nothing before: there is nothing to go back to.",
                             hint="Promote a better compose instead.")  # fmt: skip
        if before.compose.removed_at:
            raise InputError(f"The files of {before.compose} were removed meanwhile.")
        return _ask(row, Move.Kind.WITHDRAW, before.compose, instead_of=row.current.compose, before=before.before,
                    by=by, reason=reason)  # fmt: skip


def check(channel: ReleaseChannel, compose: Compose) -> None:
    """Raises InputError, field compose, where it cannot be promoted to this channel."""
    source = channel.source
    if source is None:
        raise InputError(f"{channel.name} is the first channel: it gets what is published, nothing is promoted to it.",
                         field="compose")  # fmt: skip
    if (compose.revision.definition_id, compose.variant) != (channel.definition_id, channel.variant):
        raise InputError(f"{compose} is no compose of {channel.definition} {channel.variant}.", field="compose")
    if compose.state not in FINISHED or compose.removed_at:
        what = "its files were removed" if compose.removed_at else f"it is {compose.state}"
        raise InputError(f"{compose} cannot be promoted: {what}.", field="compose")
    if channel.current and channel.current.compose_id == compose.pk:
        raise InputError(f"{channel.name} carries {compose} already.", field="compose")
    came = source.moves.done().filter(compose=compose).order_by("-pk").first()
    if came is None:
        raise InputError(f"{compose} was never in {source.name}; {channel.name} takes what was there.", field="compose")
    gone = source.moves.done().filter(kind=Move.Kind.WITHDRAW, instead_of=compose, pk__gt=came.pk).first()
    if gone:
        raise InputError(f"{compose} was withdrawn from {source.name}: {gone.reason}", field="compose")
    refs_of(compose, channel.name)


def refs_of(compose: Compose, channel: str) -> dict[str, str]:
    """The commits of a compose by the refs of this channel. Raises InputError where it has none."""
    made = compose.task.children.filter(method="compose-arch", state=State.COMPLETED)
    results = [task.result for task in made.order_by("pk")]
    refs = {result["refs"][channel]: result["commit"] for result in results if channel in result.get("refs", {})}
    if not refs:
        raise InputError(f"{compose} was not composed for the channel {channel}.", field="compose",
                         hint="Its commits are bound to the channels its definition named then.")  # fmt: skip
    return refs


def set_label(compose: Compose, label: str, *, by: User) -> None:
    """Name a milestone, as RC-1.2; empty: none any more. Raises InputError, field label."""
    with transaction.atomic():
        same = Compose.objects.filter(revision__definition=compose.revision.definition_id, variant=compose.variant)
        if label and not LABEL.fullmatch(label):
            raise InputError(f"“{label:.40}” is no label; labels are such as Beta-1.0, RC-1.2, Update-3.0.",
                             field="label")  # fmt: skip
        if label and (other := same.filter(label=label).exclude(pk=compose.pk).first()):
            raise InputError(f"{other} has the label {label} already.", field="label")
        Compose.objects.filter(pk=compose.pk).update(label=label)
        AuditEntry.note(by, "compose.label", compose, compose=compose.pk, label=label, before=compose.label)
        compose.label = label
        if compose.state in FINISHED:
            metadata.keep(compose)
        announce(compose)


def _locked(channel: ReleaseChannel) -> ReleaseChannel:
    """The row, nobody else's until the transaction ends. Raises InputError while a move of it is under way."""
    row = _locked_row(channel)
    if moving := row.under_way:
        raise InputError(f"{row} is being moved to {moving.compose} right now.", hint="Wait for its task.")
    return row


def _ask(
    channel: ReleaseChannel, kind: Move.Kind, compose: Compose, *, instead_of: Compose | None, before: Move | None,
    by: User, reason: str,
) -> Move:  # fmt: skip
    reason = reason.strip()
    if not reason or len(reason) > MOST_REASON:
        raise InputError(f"Give a reason of at most {MOST_REASON} characters.", field="reason")
    expected = {ref: facts["commit"] for ref, facts in (channel.current.facts if channel.current else {}).items()}
    task = hub.submit(
        "move", f"{kind.value} {compose} {'to' if kind == Move.Kind.WITHDRAW else 'in'} {channel}", by=by,
        channel=Channel.objects.get(name="default"), limits=LIMITS,
        request={"refs": refs_of(compose, channel.name), "expected": expected},
    )  # fmt: skip
    move = channel.moves.create(kind=kind, compose=compose, instead_of=instead_of, before=before, by=by, reason=reason,
                                task=task)  # fmt: skip
    AuditEntry.note(by, f"release.{kind.value}", channel, compose=str(compose), instead_of=str(instead_of or ""),
                    reason=reason)  # fmt: skip
    announce(compose)
    return move


# What tasks did


def moved(task: Task) -> None:
    """A task that moved refs changed its state: the journal's line, and what the channel carries."""
    move = Move.objects.select_related("channel", "compose").filter(task=task, done_at=None).first()
    if move is None:
        return
    if task.state == State.COMPLETED:
        _locked_row(move.channel)
        _done(move, {each["ref"]: each for each in task.result["moved"]})
    announce(move.compose)


def published(compose: Compose, task: Task) -> None:
    """An architecture's commit was published: the first channel carries this compose, or a newer one already."""
    made = task.dependencies.filter(method="compose-arch", architecture=task.request["architecture"]).first()
    names = list(made.result.get("channels", ())) if made else []
    if not names:
        return
    channels = [_channel(compose, name, position) for position, name in enumerate(names)]
    first = _locked_row(channels[0])
    facts = {task.result["ref"]: dict(task.result)}
    move = first.moves.filter(kind=Move.Kind.PUBLISH, compose=compose).order_by("-pk").first()
    if move is None or journal.is_over(move, facts):
        move = first.moves.create(kind=Move.Kind.PUBLISH, compose=compose, by=compose.created_by, task=task)
    _done(move, {**move.facts, **facts})


def _locked_row(channel: ReleaseChannel) -> ReleaseChannel:
    """Locked after the tasks that end, before its journal is written."""
    return ReleaseChannel.objects.select_for_update(of=("self",)).get(pk=channel.pk)


def _channel(compose: Compose, name: str, position: int) -> ReleaseChannel:
    made, _ = ReleaseChannel.objects.update_or_create(
        definition_id=compose.revision.definition_id, variant=compose.variant, name=name,
        defaults={"position": position},
    )  # fmt: skip
    return made


def _done(move: Move, facts: Mapping[str, Any]) -> None:
    Move.objects.filter(pk=move.pk).update(done_at=timezone.now(), facts=facts)
    journal.place(Move.objects.get(pk=move.pk))


def announce(compose: Compose) -> None:
    """Tell pages of channels and of this compose."""
    topics = ["composes", f"compose:{compose.pk}", f"task:{compose.task_id}"]
    Event.objects.create(kind="compose", key=str(compose.pk), what="released", topics=topics)
