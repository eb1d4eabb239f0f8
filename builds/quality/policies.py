"""Which checks a target wants, and what they mean for its builds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from django.db import transaction

from builds.quality.check_models import BLOCKS, INFORMS, CheckPolicy
from chroots.engine.checking.table import check
from debatomic.access.models import AuditEntry
from debatomic.tools.errors import InputError

if TYPE_CHECKING:
    from builds.models import Target
    from debatomic.access.models import User


def policy_of(target: Target) -> dict[str, str]:
    """Level by check, in the order of the policy."""
    return {row.check_name: row.level for row in target.policies.all()}


@transaction.atomic
def set_policy(target: Target, levels: Mapping[str, str], *, by: User) -> None:
    """Builds that end from now on get exactly these checks. Raises InputError (field checks) for an unknown one."""
    for name, level in levels.items():
        _require(name, level)
    target.policies.all().delete()
    CheckPolicy.objects.bulk_create(
        CheckPolicy(target=target, check_name=name, level=level) for name, level in levels.items()
    )
    AuditEntry.note(by, "target.checks", target, **levels)


def _require(name: str, level: str) -> None:
    try:
        check(name)
    except InputError as error:
        error.field = "checks"
        raise
    if level not in (BLOCKS, INFORMS):
        raise InputError(f"A check either {BLOCKS} or {INFORMS}; “{level:.20}” is neither.", field="checks")
