"""Policies change by revisions: who, why and what."""

from __future__ import annotations

import difflib
import re

from django.db import transaction

from builds.promotion.policy import SHOWN, read
from builds.promotion.promotion_models import PromotionPolicy, PromotionRevision
from builds.tagging.tag_models import Tag
from debatomic.access.models import AuditEntry, User
from debatomic.tools.errors import InputError

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,49}")

NEW = """\
title: From unstable to stable
path: [unstable, testing, stable]
mode: move              # copy: the build stays in the tag it came from, too
rules:
  newer:
    version: newer      # than what is there
  aged:
    to: testing
    age: {in-tag: 5 days}
    hint: Others should have had it for a while.
  four eyes:
    to: stable
    promoter: {another: yes, role: [release-manager, administrator]}
"""


@transaction.atomic
def create(name: str, text: str, *, message: str, by: User) -> PromotionRevision:
    """A new policy. Raises InputError with the field that is wrong; for text with its line."""
    if not NAME.fullmatch(name):
        raise InputError(f"“{name:.60}” is no name of a policy: small letters, digits, - and _.", field="name")
    if PromotionPolicy.objects.filter(name=name).exists():
        raise InputError(f"There is a policy {name} already.", hint="Edit it, or choose another name.", field="name")
    return _saved(PromotionPolicy.objects.create(name=name), text, 1, message=message, by=by)


@transaction.atomic
def revise(policy: PromotionPolicy, text: str, *, base: int, message: str, by: User) -> PromotionRevision:
    """What a person made of revision `base`; the newest one where nothing is changed.

    Raises InputError: for a bad text with its line (field text), and where somebody was faster.
    """
    row = PromotionPolicy.objects.select_for_update().get(pk=policy.pk)
    latest = row.latest
    if latest.number != base:
        raise InputError(f"{latest.created_by} saved revision {latest.number} meanwhile.",
                         hint="Copy what you wrote, reload and bring both together.")  # fmt: skip
    return latest if latest.text == text else _saved(row, text, base + 1, message=message, by=by)


@transaction.atomic
def switch(policy: PromotionPolicy, *, enabled: bool, by: User) -> None:
    """Let it promote, or no more."""
    if PromotionPolicy.objects.filter(pk=policy.pk, enabled=not enabled).update(enabled=enabled):
        AuditEntry.note(by, "promotion.enable" if enabled else "promotion.disable", policy)
    policy.enabled = enabled


def _saved(row: PromotionPolicy, text: str, number: int, *, message: str, by: User) -> PromotionRevision:
    content = read(text, tags=set(Tag.objects.values_list("name", flat=True)))
    PromotionPolicy.objects.filter(pk=row.pk).update(title=content.title, path=list(content.path))
    AuditEntry.note(by, "promotion.revise", row, revision=number, message=message)
    return PromotionRevision.objects.create(policy=row, number=number, text=text, message=message, created_by=by)


def differences(old: PromotionRevision | None, new: PromotionRevision) -> list[str]:
    """What a revision changed, as the lines of a unified diff."""
    before = old.text.splitlines() if old else []
    return list(difflib.unified_diff(before, new.text.splitlines(), f"a/{SHOWN}", f"b/{SHOWN}", lineterm=""))
