"""The questions pages, API and consumers ask; one answer for all of them."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied


def may(user: Any, right: str) -> bool:
    """Whether this person, or a signed-out visitor (never), has this right."""
    return bool(user.is_authenticated and user.may(right))


def owns(user: Any, thing: Any) -> bool:
    """Whether this person made this thing; a signed-out visitor made nothing."""
    return bool(user.is_authenticated and thing.created_by_id == user.pk)


def require(allowed: bool, sentence: str = "Your role does not allow this.") -> None:
    """Answer 403 with a sentence unless allowed."""
    if not allowed:
        raise PermissionDenied(sentence)
