"""The API's one permission class: the right a view names for its action."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from debatomic.access.checks import may


class MayPermission(BasePermission):
    """A view says `rights = {"create": "builds.submit", "*": "builds.view"}`; `*` is for every other action.

    Signed-out visitors may read where the site is public and the view says `public = True`; what they see is the
    queryset's business (`visible_to`). Object verbs ask the model (`can_cancel`) in addition.
    """

    message: ClassVar = "Your role does not allow this."

    def has_permission(self, request: Request, view: APIView) -> bool:
        rights: dict[str, str] = getattr(view, "rights", {})
        right = rights.get(getattr(view, "action", None) or "") or rights.get("*", "")
        reading = request.method in SAFE_METHODS
        if reading and getattr(view, "public", False) and settings.PUBLIC_READING and not request.user.is_authenticated:
            return True
        return bool(right) and may(request.user, right)
