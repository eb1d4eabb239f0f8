"""Limits on how often the API may be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.request import Request

if TYPE_CHECKING:
    from rest_framework.views import APIView
from rest_framework.throttling import AnonRateThrottle


class VisitorThrottle(AnonRateThrottle):
    """Signed-out visitors only: neither people nor hosts with their own token are slowed down."""

    scope = "visitors"

    def allow_request(self, request: Request, view: APIView) -> bool:
        return bool(request.auth or super().allow_request(request, view))
