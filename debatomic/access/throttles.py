"""Limits on how often the API may be asked."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.throttling import AnonRateThrottle
from rest_framework.views import APIView


class VisitorThrottle(AnonRateThrottle):
    """Signed-out visitors only: neither people nor hosts with their own token are slowed down."""

    scope = "visitors"

    def allow_request(self, request: Request, view: APIView) -> bool:
        return bool(request.auth or super().allow_request(request, view))
