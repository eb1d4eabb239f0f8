"""Release channels in the API."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django_filters.filters import CharFilter
from django_filters.rest_framework.filterset import FilterSet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from composes.models import Compose
from composes.releases import releasing
from composes.releases.preview import preview
from composes.releases.release_models import Move, ReleaseChannel
from debatomic.access.checks import person
from debatomic.access.idempotency import submitted
from debatomic.access.rows import RowSerializer
from debatomic.paging import number_in
from debatomic.tools.errors import InputError


class MoveSerializer(RowSerializer[Move]):
    """A line of the journal: from then on the channel carries `compose`."""

    compose = serializers.CharField(source="compose.identity", read_only=True)
    instead_of = serializers.CharField(source="instead_of.identity", default=None, read_only=True)
    by = serializers.CharField(source="by.username", default=None, read_only=True)
    state = serializers.CharField(read_only=True, help_text="done, or the state of its task.")
    refs = serializers.JSONField(source="facts", read_only=True, help_text="By ref: commit, signed_by, size, delta.")

    class Meta:
        model = Move
        fields = (
            "id", "kind", "compose", "instead_of", "by", "reason", "state", "task", "created_at", "done_at", "refs",
        )  # fmt: skip


def _shown(move: Move) -> Any:
    return MoveSerializer(move).data


class ReleaseChannelSerializer(RowSerializer[ReleaseChannel]):
    """One step of the release of a variant, and what it carries."""

    definition = serializers.CharField(source="definition.name", read_only=True)
    compose = serializers.SerializerMethodField(help_text="Id of what it carries; null: nothing yet.")
    identity = serializers.CharField(source="current.compose.identity", default=None, read_only=True)
    label = serializers.CharField(source="current.compose.label", default="", read_only=True)  # type: ignore[assignment]
    since = serializers.DateTimeField(source="current.done_at", default=None, read_only=True)
    refs = serializers.SerializerMethodField(help_text="By ref the commit.")

    class Meta:
        model = ReleaseChannel
        fields = ("id", "definition", "variant", "name", "position", "compose", "identity", "label", "since", "refs")

    def get_compose(self, channel: ReleaseChannel) -> int | None:
        return channel.current.compose_id if channel.current else None

    @extend_schema_field(OpenApiTypes.OBJECT)
    def get_refs(self, channel: ReleaseChannel) -> dict[str, str]:
        return {ref: facts["commit"] for ref, facts in channel.current.facts.items()} if channel.current else {}


class WithdrawSerializer(serializers.Serializer[Any]):
    """Go back to what the channel carried before."""

    reason = serializers.CharField(max_length=releasing.MOST_REASON)


class PromoteSerializer(WithdrawSerializer):
    """Have the channel carry a compose of the channel before; the label is a milestone such as RC-1.2."""

    compose = serializers.IntegerField(min_value=1)
    label = serializers.CharField(  # type: ignore[assignment]
        max_length=30, required=False, default="", allow_blank=True
    )


class ReleaseChannelFilter(FilterSet):
    definition = CharFilter(field_name="definition__name")

    class Meta:
        model = ReleaseChannel
        fields = ("variant", "name")


class ReleaseChannelViewSet(ReadOnlyModelViewSet[ReleaseChannel]):
    """Where machines in the field get their updates from: nightly, testing, stable of each variant."""

    public = True
    rights = {"promote": "composes.publish", "withdraw": "composes.publish"}
    queryset = ReleaseChannel.objects.all()
    serializer_class = ReleaseChannelSerializer
    filterset_class = ReleaseChannelFilter
    lookup_value_regex = r"\d+"

    def get_queryset(self) -> QuerySet[ReleaseChannel]:
        return ReleaseChannel.objects.visible_to(self.request.user).for_lists()

    @extend_schema(request=PromoteSerializer, responses={201: MoveSerializer})
    @action(detail=True, methods=["post"])
    def promote(self, request: Request, pk: str) -> Response:
        """Move its refs to a compose that the channel before carried; a task of the hub does it."""
        asked = PromoteSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        compose = self._compose(request, asked.validated_data.pop("compose"))
        channel, by = self.get_object(), person(request.user)
        return submitted(request, lambda: releasing.promote(channel, compose, by=by, **asked.validated_data), _shown)

    @extend_schema(request=WithdrawSerializer, responses={201: MoveSerializer})
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, pk: str) -> Response:
        """Move its refs back to what it carried before; a task of the hub does it."""
        asked = WithdrawSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        channel, by = self.get_object(), person(request.user)
        return submitted(request, lambda: releasing.withdraw(channel, by=by, **asked.validated_data), _shown)

    @extend_schema(
        responses=OpenApiTypes.OBJECT, filters=False,
        parameters=[OpenApiParameter("compose", int, description="Default: what withdrawing would bring back.")],
    )  # fmt: skip
    @action(detail=True, pagination_class=None, filterset_class=None)
    def preview(self, request: Request, pk: str) -> Response:
        """What would be otherwise if it carried this compose: packages, definition, gates, size of the update."""
        channel = self.get_object()
        wanted = number_in(request.query_params, "compose")
        compose = self._compose(request, wanted) if wanted else channel.back_to
        if compose is None:
            raise InputError(f"{channel} has nothing to go back to.", field="compose", hint="Name a compose.")
        return Response(preview(channel, compose).as_json())

    @extend_schema(responses=MoveSerializer(many=True), filters=False)
    @action(detail=True)
    def moves(self, request: Request, pk: str) -> Response:
        """Its journal, newest first."""
        found: Any = self.get_object().moves.for_lists()
        return self.get_paginated_response(MoveSerializer(self.paginate_queryset(found), many=True).data)

    def _compose(self, request: Request, pk: int) -> Compose:
        return get_object_or_404(Compose.objects.visible_to(request.user).for_lists(), pk=pk)
