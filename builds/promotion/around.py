"""Tags that a policy fills are tagged by hand only with a reason: that is overriding it, too."""

from __future__ import annotations

from builds.promotion.promoting import LEAST_REASON
from builds.promotion.promotion_models import PromotionPolicy
from builds.tagging.tag_models import Tag
from debatomic.access.checks import require
from debatomic.access.models import User
from debatomic.tools.errors import InputError


def check(tag: Tag, *, by: User, reason: str) -> None:
    """Raises PermissionDenied, or InputError (field reason), where builds come into this tag by a policy."""
    policies = PromotionPolicy.objects.filter(enabled=True).order_by("name")
    filling = [policy.name for policy in policies if tag.name in policy.path[1:]]
    if not filling:
        return
    require(by.may("tags.override"), f"Builds come into {tag} by the policy {filling[0]}: promote it.")
    if len(reason.strip()) < LEAST_REASON:
        raise InputError(f"Builds come into {tag} by the policy {filling[0]}.",
                         hint="Promote it, or say in the reason why not.", field="reason")  # fmt: skip
