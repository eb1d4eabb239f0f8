"""Promoting builds: what each rule says before, and the same asked again in the transaction that does it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from builds.models import Build
from builds.promotion.conditions import FAILED, Verdict, judge
from builds.promotion.facts import gather
from builds.promotion.policy import Policy
from builds.promotion.promotion_models import PromotionPolicy
from builds.tagging import changing
from builds.tagging.tag_models import Tag
from debatomic.access.checks import require
from debatomic.access.models import AuditEntry, User
from debatomic.tools.errors import InputError
from hosts.models import State

LEAST_REASON, MOST_REASON = 5, 200  # characters
MOST_AT_ONCE = 200  # builds


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A build and a step: `obstacles` are what nobody can override, as sentences."""

    build: Build
    source: Tag
    to: Tag
    verdicts: tuple[Verdict, ...]
    obstacles: tuple[str, ...]

    @property
    def failed(self) -> tuple[Verdict, ...]:
        """The rules that hold it back."""
        return tuple(each for each in self.verdicts if each.verdict == FAILED)

    @property
    def can_move(self) -> bool:
        return not self.obstacles and not self.failed

    @property
    def can_be_overridden(self) -> bool:
        return not self.obstacles and bool(self.failed)

    @property
    def why_not(self) -> str:
        """What holds it back, as one text; empty where nothing does."""
        return " ".join([*self.obstacles, *(f"{each.rule}: {each.sentence}" for each in self.failed)])


def preview(policy: Policy, builds: Sequence[Build], *, source: Tag, to: Tag, by: Any) -> list[Candidate]:
    """What would be said if `by` had these builds promoted now; `by` may be a visitor."""
    facts = gather(builds, source, to, by=by)
    there = {*changing.beside_rebuilds(to, builds), *(build.pk for build in builds)}
    blocked = to.blocked.at().filter(source__in={build.source for build in builds})
    names = set(blocked.values_list("source", flat=True))
    return [
        Candidate(build=build, source=source, to=to,
                  verdicts=tuple(judge(policy, facts[build.pk], source=source.name, to=to.name)),
                  obstacles=(*_obstacles(policy, build, source, to, facts[build.pk].tags, names),
                             *filter(None, [changing.without_rest(to, build, there)])))
        for build in builds
    ]  # fmt: skip


def _obstacles(
    policy: Policy, build: Build, source: Tag, to: Tag, tags: frozenset[str], blocked: set[str]
) -> Iterator[str]:
    if source.name not in tags:
        yield f"It is not in {source}."
    if to.name in tags:
        yield f"It is in {to} already."
    if build.scratch:
        yield "It is a scratch build, which is never tagged."
    if build.state != State.COMPLETED:
        yield f"It is {build.state}, not completed."
    if to.locked or (source.locked and policy.mode == "move"):
        yield f"{to if to.locked else source} is locked."
    if build.source in blocked:
        yield f"{build.source} is blocked in {to}."


def step(policy: Policy, source: str, to: str = "") -> tuple[Tag, Tag]:
    """The tags of a step of the policy (the next one where `to` is empty). Raises InputError, fields from and to."""
    following = policy.next_of(source)
    if not following:
        raise InputError(f"{source} is the end of the path {' → '.join(policy.path)}.", field="from")
    if to and to != following:
        raise InputError(f"The path is {' → '.join(policy.path)}: from {source} it goes to {following}.", field="to")
    tags = {tag.name: tag for tag in Tag.objects.filter(name__in=[source, following])}
    if len(tags) < 2:
        raise InputError(f"There is no tag {source if source not in tags else following} any more.", field="from")
    return tags[source], tags[following]


@transaction.atomic
def promote(
    row: PromotionPolicy, builds: Sequence[Build], *, source: str, by: User, revision: int, override: bool = False,
    reason: str = "",
) -> list[Candidate]:  # fmt: skip
    """Have each build go its step if the policy lets it; those that went can be told by `went`.

    `revision` is the one that was looked at. With `override` (which needs the right tags.override and a reason) rules
    hold nothing back. Raises InputError with the field that is wrong: builds, from, revision or reason.
    """
    latest = row.latest
    _may(row, latest.number, revision, number=len(builds))
    if override:
        require(by.may("tags.override"))
        _explained(reason)
    policy = latest.content
    here, there = changing.locked_together(*step(policy, source))
    found = preview(policy, _asked_again(builds), source=here, to=there, by=by)
    for each in sorted(found, key=lambda one: one.build.binnmu):  # what is rebuilt before its rebuilds
        if went(each, override=override):
            _go(each, policy, by=by, reason=reason.strip(), label=str(latest))
    return found


def went(candidate: Candidate, *, override: bool) -> bool:
    """Whether it goes, or went."""
    return candidate.can_move or (override and candidate.can_be_overridden)


def _may(row: PromotionPolicy, latest: int, seen: int, *, number: int) -> None:
    if not row.enabled:
        raise InputError(f"The policy {row} is disabled.", hint="Enable it first.")
    if latest != seen:
        raise InputError(f"The policy {row} is at revision {latest} meanwhile, not {seen}.", hint="Look again.",
                         field="revision")  # fmt: skip
    if number > MOST_AT_ONCE:
        raise InputError(f"At most {MOST_AT_ONCE} builds are promoted at once.", field="builds")


def _explained(reason: str) -> None:
    if not LEAST_REASON <= len(reason.strip()) <= MOST_REASON:
        raise InputError(f"Overriding needs a reason of {LEAST_REASON} to {MOST_REASON} characters.", field="reason")


def _asked_again(builds: Sequence[Build]) -> list[Build]:
    rows = Build.objects.select_related("task", "created_by", "target").in_bulk([build.pk for build in builds])
    return [rows[pk] for pk in dict.fromkeys(build.pk for build in builds) if pk in rows]


def _go(each: Candidate, policy: Policy, *, by: User, reason: str, label: str) -> None:
    overridden = [verdict.rule for verdict in each.failed]
    how = f"{label}{', overriding ' + ', '.join(overridden) if overridden else ''}"
    why = f"{how}: {reason}" if reason else how
    if policy.mode == "move":
        changing.move(each.build, source=each.source, to=each.to, by=by, reason=why[:MOST_REASON])
    else:
        changing.add(each.to, each.build, by=by, reason=why[:MOST_REASON])
    told: dict[str, Any] = {"build": str(each.build), "came_from": str(each.source), "policy": label, "reason": reason}
    if overridden:
        AuditEntry.note(by, "tag.override", each.to, **told, rules=overridden)
    else:
        AuditEntry.note(by, "tag.promote", each.to, **told)
