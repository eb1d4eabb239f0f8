"""The questions pages, API and consumers ask; one answer for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet

if TYPE_CHECKING:
    from debatomic.access.models import User

Q = TypeVar("Q", bound=QuerySet[Any])


def may(user: Any, right: str) -> bool:
    """Whether this person, or a signed-out visitor (never), has this right."""
    return bool(user.is_authenticated and user.may(right))


def owns(user: Any, thing: Any) -> bool:
    """Whether this person made this thing; a signed-out visitor made nothing."""
    return bool(user.is_authenticated and thing.created_by_id == user.pk)


def person(user: User | AnonymousUser) -> User:
    """Whoever asks, where it must be somebody: a signed-out visitor is refused."""
    if isinstance(user, AnonymousUser):
        raise PermissionDenied("Sign in first.")
    return user


def readable(queryset: Q, user: Any, right: str) -> Q:
    """All of it for whoever has the right and for visitors of a public site; nothing for anybody else."""
    seen = may(user, right) or (settings.PUBLIC_READING and not user.is_authenticated)
    return queryset if seen else queryset.none()


def require(allowed: bool, sentence: str = "Your role does not allow this.") -> None:
    """Answer 403 with a sentence unless allowed."""
    if not allowed:
        raise PermissionDenied(sentence)
