"""Chains, and what targets do by themselves, in the API."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django_filters.filters import CharFilter, MultipleChoiceFilter
from django_filters.rest_framework.filterset import FilterSet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from builds.chains import reading, submitting
from builds.chains.chain_models import Chain
from builds.chains.chain_views import held, needs_of
from builds.models import Target
from debatomic.access.checks import may, person, require
from debatomic.access.fields import NameField
from debatomic.access.idempotency import HEADER, submitted
from debatomic.access.refusals import allow
from debatomic.access.rows import RowSerializer
from hosts.api.serializers import RunByTask
from hosts.models import State

OF_A_CHAIN = ("id", "target", "title", "size", "because", "state", "reason", "kind", "cause", "progress", "task",
              "cancel_asked", "created_by", "created_at", "started_at", "finished_at", "page")  # fmt: skip


class ChainSerializer(RunByTask, RowSerializer[Chain]):
    """Several builds in order; its state is its task's. `because`: the build of a library that brought it about."""

    target: Any = serializers.SlugRelatedField(slug_field="name", read_only=True)
    state = serializers.ChoiceField(choices=State.choices, source="task.state", read_only=True)

    class Meta:
        model = Chain
        fields: tuple[str, ...] = OF_A_CHAIN
        read_only_fields = fields


class ChainNeedSerializer(serializers.Serializer[Any]):
    source: Any = serializers.CharField()
    packages = serializers.ListField(child=serializers.CharField())


class ChainMemberSerializer(serializers.Serializer[Any]):
    """One build of a chain; those of one level are built at the same time."""

    build = serializers.IntegerField()
    source: Any = serializers.CharField()
    version = serializers.CharField()
    level = serializers.IntegerField()
    state = serializers.ChoiceField(choices=State.choices)
    reason = serializers.CharField(allow_blank=True)
    held = serializers.CharField(allow_blank=True, help_text="Why it does not start.")
    needs = ChainNeedSerializer(many=True)


class ChainDetailSerializer(ChainSerializer):
    """A chain alone: with its builds in order, and what each waits for."""

    members = serializers.SerializerMethodField()
    notes = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta(ChainSerializer.Meta):
        fields = (*OF_A_CHAIN, "notes", "members")
        read_only_fields = fields

    @extend_schema_field(ChainMemberSerializer(many=True))
    def get_members(self, chain: Chain) -> list[dict[str, Any]]:
        members = list(chain.members.select_related("build__task", "gate"))
        needs = needs_of(members)
        return [
            {"build": member.build_id, "source": member.build.source, "version": member.build.version,
             "level": member.level, "state": member.build.task.state, "reason": member.build.task.reason,
             "held": held(member), "needs": [{"source": each.needed.build.source, "packages": each.packages.split()}
                                             for each in needs.get(member.pk, [])]}
            for member in members
        ]  # fmt: skip


class ChainSubmitSerializer(serializers.Serializer[Any]):
    """Source packages in any order: names (NAME, NAME VERSION, NAME VERSION <PROFILE>), files, or both."""

    sources = serializers.ListField(child=serializers.CharField(max_length=300), required=False)
    files = serializers.ListField(child=serializers.FileField(), required=False)
    target = NameField("target", queryset=Target.objects.filter(enabled=True).select_related("tag"))


class OrderSerializer(serializers.Serializer[Any]):
    """What would be built: levels of source packages one after the other."""

    levels = serializers.ListField(child=serializers.ListField(child=serializers.CharField()))
    notes = serializers.ListField(child=serializers.CharField())


class ChainApiFilter(FilterSet):
    state = MultipleChoiceFilter(field_name="task__state", choices=State.choices, distinct=False)
    target = CharFilter(field_name="target__name")
    created_by = CharFilter(field_name="created_by__username")
    source = CharFilter(field_name="members__build__source")

    class Meta:
        model = Chain
        fields: tuple[str, ...] = ()


class ChainViewSet(ReadOnlyModelViewSet[Chain]):
    """Several builds in order, each with what the ones before made."""

    public = True
    queryset = Chain.objects.all()
    serializer_class = ChainSerializer
    filterset_class = ChainApiFilter
    parser_classes = (JSONParser, MultiPartParser)
    lookup_value_regex = r"\d+"

    def get_queryset(self) -> QuerySet[Chain]:
        found: QuerySet[Chain] = Chain.objects.visible_to(self.request.user).for_lists()
        return found

    def get_serializer_class(self) -> type[ChainSerializer]:
        return ChainSerializer if self.action == "list" else ChainDetailSerializer

    @extend_schema(
        request={"application/json": ChainSubmitSerializer, "multipart/form-data": ChainSubmitSerializer},
        responses={201: ChainDetailSerializer},
        parameters=[OpenApiParameter(HEADER, str, OpenApiParameter.HEADER, description="Sent twice, it builds once.")],
    )
    def create(self, request: Request) -> Response:
        """Submit a chain: the order is found from the build dependencies; a cycle is refused by name."""
        require(may(request.user, "builds.submit"))
        wanted = self._asked(request)
        by = person(request.user)
        return submitted(request, lambda: submitting.create(wanted["target"], *_prepared(wanted), by=by), self._show)

    @extend_schema(request=ChainSubmitSerializer, responses=OrderSerializer)
    @action(detail=False, methods=["post"])
    def order(self, request: Request) -> Response:
        """The order, and nothing submitted."""
        require(may(request.user, "builds.submit"))
        _, plan = _prepared(self._asked(request))
        return Response({"levels": plan.levels, "notes": plan.notes})

    @extend_schema(request=None, responses=ChainDetailSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Stop what runs; nothing more starts."""
        chain = self.get_object()
        user = person(request.user)
        allow(chain.can_cancel(user), possible=chain.is_live, sentence="It has ended already.")
        chain.cancel(by=user)
        return self.retrieve(request, pk=pk)

    @extend_schema(request=None, responses=ChainDetailSerializer)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Go on where it stopped."""
        chain = self.get_object()
        user = person(request.user)
        allow(chain.can_retry(user), possible=chain.state in (State.FAILED, State.CANCELED),
              sentence="It has neither failed nor been canceled.")  # fmt: skip
        chain.retry(by=user)
        return self.retrieve(request, pk=pk)

    def _asked(self, request: Request) -> dict[str, Any]:
        asked = ChainSubmitSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        return dict(asked.validated_data)

    def _show(self, chain: Chain) -> Any:
        return ChainDetailSerializer(chain, context=self.get_serializer_context()).data


def _prepared(wanted: dict[str, Any]) -> Any:
    uploads = [(file.name, file) for file in wanted.get("files", ())]
    return submitting.prepare(wanted["target"], reading.asked("\n".join(wanted.get("sources", ()))), uploads)
