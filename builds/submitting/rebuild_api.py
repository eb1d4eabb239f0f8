"""Binary rebuilds in the API."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from builds.models import Build
from builds.submitting.many_api import MadeSerializer, made_of
from builds.submitting.rebuilds import Rebuild
from chroots.engine.binnmu import LONGEST, MOST
from debatomic.access.checks import person
from debatomic.access.idempotency import submitted
from debatomic.access.refusals import allow


class RebuildSerializer(serializers.Serializer[Any]):
    """`binnmu_reason`: what its changelog says, item by line; `binnmu`: the N of X+bN (the next free one)."""

    binnmu_reason = serializers.CharField(max_length=LONGEST, trim_whitespace=False)
    binnmu = serializers.IntegerField(min_value=1, max_value=MOST, required=False)
    architectures = serializers.ListField(child=serializers.CharField(max_length=20), required=False)


class RebuildView(APIView):
    """A build's packages anew, with a version of their own."""

    public = True

    @extend_schema(request=RebuildSerializer, responses={201: MadeSerializer}, operation_id="builds_rebuild_create")
    def post(self, request: Request, pk: int) -> Response:
        """Make a binary rebuild (binNMU) of a completed build."""
        visible = Build.objects.visible_to(request.user)
        build = get_object_or_404(visible.select_related("target", "task"), pk=pk)
        by = person(request.user)
        allow(build.can_rebuild(by), possible=build.can_be_rebuilt,
              sentence="It is not completed, or a scratch build.")  # fmt: skip
        asked = RebuildSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        told = asked.validated_data
        wanted = Rebuild(reason=told["binnmu_reason"], number=told.get("binnmu", 0))
        where = told.get("architectures", ())
        return submitted(request, lambda: build.rebuild(wanted, by=by, architectures=where),
                         lambda made: made_of(made, request))  # fmt: skip
