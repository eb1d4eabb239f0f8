"""The API's one permission class: the right a view names for its action."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

if TYPE_CHECKING:
    from rest_framework.views import APIView

from debatomic.access.checks import may


class MayPermission(BasePermission):
    """A view says `rights = {"create": "builds.submit", "*": "builds.view"}`; `*` is for every other action.

    A view that says `public = True` needs no right for the actions it does not name: everybody who is signed in may
    ask, signed-out visitors may read where the site is public, and the queryset (`visible_to`) decides what is there
    (404 for what they may not know). Its verbs then ask the object (`can_cancel`): 403.
    """

    message: ClassVar = "Your role does not allow this."

    def has_permission(self, request: Request, view: APIView) -> bool:
        rights: dict[str, str] = getattr(view, "rights", {})
        named = rights.get(getattr(view, "action", None) or "")
        if getattr(view, "public", False) and not named:
            reading = request.method in SAFE_METHODS
            return bool(request.user.is_authenticated or (reading and settings.PUBLIC_READING))
        right = named or rights.get("*", "")
        return bool(right) and may(request.user, right)


class SignedIn(BasePermission):
    """For what everybody has of their own: account and keys."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return bool(request.user.is_authenticated)
