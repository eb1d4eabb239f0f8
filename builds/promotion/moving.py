"""What was picked on the board, step by step: shown before, done at the click."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from builds.models import Build
from builds.promotion import promoting
from builds.promotion.policy import Policy
from builds.promotion.promoting import MOST_AT_ONCE, Candidate
from builds.promotion.promotion_models import PromotionPolicy
from builds.tagging.changing import locked_together
from builds.tagging.tag_models import Tag
from debatomic.access.models import User
from debatomic.tools.errors import InputError


@dataclass(frozen=True)
class Pick:
    """A build, and the tag that it is to leave; written as unstable:42."""

    source: str
    build: int


def picks_in(texts: Iterable[str]) -> list[Pick]:
    """Raises InputError for what is no pick, and for too many."""
    found = []
    for text in dict.fromkeys(texts):
        tag, _, number = text.partition(":")
        if not tag or not (number.isascii() and number.isdigit() and len(number) < 19):
            raise InputError(f"“{text:.40}” is not TAG:BUILD, such as unstable:42.", field="pick")
        found.append(Pick(tag, int(number)))
    if len(found) > MOST_AT_ONCE:
        raise InputError(f"At most {MOST_AT_ONCE} builds are promoted at once.", field="pick")
    return found


def look(policy: Policy, picks: Sequence[Pick], *, by: Any) -> list[Candidate]:
    """What would be said of each now; builds that `by` may not know of are left out."""
    builds = builds_of(picks, by=by)
    found: list[Candidate] = []
    for source in dict.fromkeys(pick.source for pick in picks):
        here, there = promoting.step(policy, source)
        chosen = [builds[pick.build] for pick in picks if pick.source == source and pick.build in builds]
        found += promoting.preview(policy, chosen, source=here, to=there, by=by)
    return found


def builds_of(picks: Iterable[Pick], *, by: Any) -> dict[int, Build]:
    """With what the rules ask of them."""
    visible = Build.objects.visible_to(by).select_related("task", "created_by", "target")
    return dict(visible.in_bulk([pick.build for pick in picks]))


@transaction.atomic
def do(
    row: PromotionPolicy, picks: Sequence[Pick], *, by: User, revision: int, override: bool = False, reason: str = ""
) -> list[Candidate]:
    """Promote them, the last steps of the path first: what was shown for a step is still so when its turn comes.

    Raises InputError as `promoting.promote` does.
    """
    builds, path = builds_of(picks, by=by), row.latest.content.path
    locked_together(*Tag.objects.filter(name__in=path))  # all at once: two such promotions do not wait for each other
    sources = sorted({pick.source for pick in picks}, key=lambda tag: -path.index(tag) if tag in path else 0)
    found: list[Candidate] = []
    for source in sources:
        chosen = [builds[pick.build] for pick in picks if pick.source == source and pick.build in builds]
        found += promoting.promote(row, chosen, source=source, by=by, revision=revision, override=override,
                                   reason=reason)  # fmt: skip
    return found
