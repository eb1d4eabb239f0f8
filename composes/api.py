"""Definitions and composes in the API."""

from __future__ import annotations

from typing import Any

from django.db.models import Prefetch, QuerySet
from django_filters.filters import CharFilter, MultipleChoiceFilter
from django_filters.rest_framework.filterset import FilterSet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from composes.models import Compose, Definition, Deliverable, Revision
from debatomic.access.checks import person, readable
from debatomic.access.fields import NameField
from debatomic.access.idempotency import HEADER, submitted
from debatomic.access.refusals import allow
from hosts.models import Artifact, State
from hosts.serializers import ArtifactSerializer, LinesField, RunByTask, WishesSerializer

STATES = {
    "STARTED": (State.FREE, State.ASSIGNED, State.RUNNING),
    "FINISHED": (State.COMPLETED,),
    "DOOMED": (State.FAILED,),
    "TERMINATED": (State.CANCELED,),
}
STATE_CHOICES = [(name, name) for name in STATES]
OF_A_COMPOSE = (
    "id", "identity", "definition", "revision", "variant", "architectures", "version", "state", "reason", "kind",
    "progress", "task", "cancel_asked", "created_by", "created_at", "started_at", "finished_at", "page",
)  # fmt: skip


class DefinitionSerializer(serializers.ModelSerializer[Definition]):
    """A definition with the variants of its newest revision."""

    revision = serializers.SerializerMethodField(help_text="The number of the newest revision.")
    variants = serializers.SerializerMethodField(help_text="By name: title and architectures.")

    class Meta:
        model = Definition
        fields = ("name", "title", "enabled", "revision", "variants")

    def _newest(self, definition: Definition) -> Revision | None:
        return next(iter(definition.revisions.all()), None)

    def get_revision(self, definition: Definition) -> int | None:
        newest = self._newest(definition)
        return newest.number if newest else None

    @extend_schema_field(OpenApiTypes.OBJECT)
    def get_variants(self, definition: Definition) -> dict[str, Any]:
        newest = self._newest(definition)
        return newest.variants if newest else {}


class DefinitionViewSet(ReadOnlyModelViewSet[Definition]):
    """What can be composed."""

    public = True
    queryset = Definition.objects.all()
    serializer_class = DefinitionSerializer
    filterset_fields = ("enabled",)
    lookup_field = "name"

    def get_queryset(self) -> QuerySet[Definition]:
        revisions = Revision.objects.order_by("definition", "-number").defer("files")
        definitions = Definition.objects.prefetch_related(Prefetch("revisions", queryset=revisions))
        return readable(definitions, self.request.user, "composes.view")


class DeliverableSerializer(serializers.ModelSerializer[Deliverable]):
    """One thing a compose delivered, with what is known of it."""

    class Meta:
        model = Deliverable
        fields = ("kind", "architecture", "name", "artifact", "facts")


class ComposeSerializer(RunByTask, serializers.ModelSerializer[Compose]):
    """A compose as lists show it; its state is its task's, in Pungi's words."""

    definition = serializers.CharField(source="revision.definition.name", read_only=True)
    revision = serializers.IntegerField(source="revision.number", read_only=True)
    architectures = LinesField(read_only=True)
    state = serializers.ChoiceField(choices=STATE_CHOICES, read_only=True)

    class Meta:
        model = Compose
        fields: tuple[str, ...] = OF_A_COMPOSE
        read_only_fields = fields


class ComposeDetailSerializer(ComposeSerializer):
    """A compose alone: with what it delivered."""

    decisive = LinesField(source="task.decisive", read_only=True)
    deliverables = DeliverableSerializer(many=True, read_only=True)

    class Meta(ComposeSerializer.Meta):
        fields = (*OF_A_COMPOSE, "decisive", "deliverables")
        read_only_fields = fields


class ComposeSubmitSerializer(WishesSerializer):
    """Compose a variant of a definition's newest revision, for all its architectures unless some are named."""

    definition = NameField("definition", queryset=Definition.objects.filter(enabled=True))
    variant = serializers.CharField(max_length=60)
    architectures = serializers.ListField(child=serializers.CharField(max_length=20), required=False, allow_empty=False)


class ComposeFilter(FilterSet):
    state = MultipleChoiceFilter(choices=STATE_CHOICES, method="in_states")
    definition = CharFilter(field_name="revision__definition__name")
    created_by = CharFilter(field_name="created_by__username")

    class Meta:
        model = Compose
        fields = ("identity", "variant")

    def in_states(self, composes: QuerySet[Compose], _: str, names: list[str]) -> QuerySet[Compose]:
        wanted = [state for name in names for state in STATES[name]]
        return composes.filter(task__state__in=wanted) if wanted else composes


class ComposeViewSet(ReadOnlyModelViewSet[Compose]):
    """Packages in, atomic systems out."""

    public = True
    rights = {"create": "composes.submit"}
    queryset = Compose.objects.all()
    serializer_class = ComposeSerializer
    filterset_class = ComposeFilter
    lookup_value_regex = r"\d+"

    def get_queryset(self) -> QuerySet[Compose]:
        composes = Compose.objects.visible_to(self.request.user).for_lists()
        return composes if self.action == "list" else composes.prefetch_related("deliverables")

    def get_serializer_class(self) -> type[ComposeSerializer]:
        return ComposeSerializer if self.action == "list" else ComposeDetailSerializer

    @extend_schema(
        request=ComposeSubmitSerializer,
        responses={201: ComposeDetailSerializer},
        parameters=[
            OpenApiParameter(HEADER, str, OpenApiParameter.HEADER, description="Sent twice, it composes once.")
        ],
    )
    def create(self, request: Request) -> Response:
        """Submit a compose."""
        asked = ComposeSubmitSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = {"architectures": None, **asked.validated_data}
        wanted["wishes"] = WishesSerializer.wishes(wanted)
        return submitted(request, lambda: Compose.objects.submit(**wanted, by=person(request.user)), self._show)

    @extend_schema(request=None, responses=ComposeDetailSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Stop it on every architecture."""
        compose = self.get_object()
        allow(compose.can_cancel(person(request.user)), possible=compose.is_live, sentence="It has ended already.")
        compose.cancel(by=person(request.user))
        return self.retrieve(request, pk=pk)

    @extend_schema(request=None, responses=ComposeDetailSerializer)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Run what failed of it again."""
        compose = self.get_object()
        ended_badly = compose.task.state in (State.FAILED, State.CANCELED)
        allow(compose.can_retry(person(request.user)), possible=ended_badly, sentence=f"{compose} is {compose.state}.")
        compose.retry(by=person(request.user))
        return self.retrieve(request, pk=pk)

    @extend_schema(responses=ArtifactSerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None, filterset_class=None)
    def artifacts(self, request: Request, pk: str) -> Response:
        """What it made: images, proofs of boot, locks and logs."""
        kept = self.get_object().artifacts & Artifact.objects.visible_to(request.user)
        return Response(ArtifactSerializer(kept, many=True, context=self.get_serializer_context()).data)

    def _show(self, compose: Compose) -> Any:
        return ComposeDetailSerializer(compose, context=self.get_serializer_context()).data
