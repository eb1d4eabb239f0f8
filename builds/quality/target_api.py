"""The policy of a target in the API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from builds.quality import policies
from builds.quality.check_serializers import PolicySerializer
from debatomic.access.checks import may, person, require


class ChecksOfTarget(GenericViewSet[Any]):
    """`checks`: which checks builds for it get."""

    @extend_schema(methods=["GET"], responses=PolicySerializer(many=True), filters=False)
    @extend_schema(methods=["PUT"], request=PolicySerializer(many=True), responses=PolicySerializer(many=True))
    @action(detail=True, methods=["get", "put"], pagination_class=None, filterset_fields=None)
    def checks(self, request: Request, name: str) -> Response:
        """Which checks builds for it get when they end, and whether each blocks or informs; PUT sets all of them."""
        target = self.get_object()
        if request.method == "PUT":
            require(may(request.user, "targets.edit"))
            asked = PolicySerializer(data=request.data, many=True)
            asked.is_valid(raise_exception=True)
            wanted = {one["check"]: one["level"] for one in asked.validated_data}
            policies.set_policy(target, wanted, by=person(request.user))
        return Response([{"check": name, "level": level} for name, level in policies.policy_of(target).items()])
