"""Tags that a policy fills are tagged by hand only with a reason: that is overriding it, too."""

from __future__ import annotations

from builds.models import Build
from builds.promotion.promoting import LEAST_REASON
from builds.promotion.promotion_models import PromotionPolicy
from builds.tagging.tag_models import Tag
from debatomic.access.checks import require
from debatomic.access.models import User
from debatomic.tools.errors import InputError


def check(tag: Tag, build: Build, *, by: User, reason: str) -> None:
    """Raises PermissionDenied, or InputError (field reason), where builds come into this tag by a policy, or where a
    check blocks this one."""
    if policy := _filling(tag):
        require(by.may("tags.override"), f"Builds come into {tag} by the policy {policy}: promote it.")
        if len(reason.strip()) < LEAST_REASON:
            raise InputError(f"Builds come into {tag} by the policy {policy}.",
                             hint="Promote it, or say in the reason why not.", field="reason")  # fmt: skip
    if blocking := build.checks.blocking().first():
        require(by.may("builds.override"), f"{blocking} holds it back.")
        if len(reason.strip()) < LEAST_REASON:
            raise InputError(f"{blocking} holds it back.", hint="Say in the reason why it may enter all the same.",
                             field="reason")  # fmt: skip


def check_parents(tag: Tag, *, by: User) -> None:
    """Raises PermissionDenied where a policy fills this tag: what it inherits comes past the policy."""
    if policy := _filling(tag):
        require(by.may("tags.override"), f"Builds come into {tag} by the policy {policy}, not by inheritance.")


def _filling(tag: Tag) -> str:
    policies = PromotionPolicy.objects.filter(enabled=True).order_by("name")
    return next((policy.name for policy in policies if tag.name in policy.path[1:]), "")
