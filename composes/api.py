"""Composes in the API."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django_filters.filters import CharFilter, MultipleChoiceFilter
from django_filters.rest_framework.filterset import FilterSet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from builds.models import Build
from composes import states
from composes.comparing.comparison import difference, older_than
from composes.gates import LEAST_REASON, MOST_REASON, Gate, held_back, verdicts
from composes.models import Compose, Definition, Deliverable
from composes.phases import Part, parts_of
from composes.selection import PUBLISH, WORDS, Selection
from debatomic.access.checks import person
from debatomic.access.fields import NameField
from debatomic.access.idempotency import HEADER, submitted
from debatomic.access.refusals import allow
from debatomic.access.rows import RowSerializer
from debatomic.paging import number_in
from hosts.api.serializers import ArtifactSerializer, LinesField, RunByTask, WishesSerializer
from hosts.models import Artifact
from hosts.queue.wishes import Wishes

STATE_CHOICES = [(name, name) for name in states.WHERE]
OF_A_COMPOSE = (
    "id", "identity", "definition", "revision", "variant", "architectures", "version", "label", "removed_at", "state",
    "reason", "kind", "cause", "progress", "task", "cancel_asked", "created_by", "created_at", "started_at",
    "finished_at", "page",
)  # fmt: skip


class GateSerializer(serializers.Serializer[Gate]):
    """What one gate said: passed, warned, failed, overridden or skipped."""

    architecture = serializers.CharField()
    name = serializers.CharField()
    level = serializers.CharField()
    verdict = serializers.CharField()
    sentence = serializers.CharField()
    seconds = serializers.FloatField()
    details = LinesField()


class PartSerializer(serializers.Serializer[Part]):
    """A tree or a deliverable, which a task of its own makes: `POST /tasks/{task}/retry/` retries it alone."""

    name = serializers.CharField()
    architecture = serializers.CharField()
    failable = serializers.BooleanField()
    state = serializers.CharField()
    reason = serializers.CharField()
    task = serializers.IntegerField()


class OverrideSerializer(serializers.Serializer[Any]):
    """Why the compose is published although gates block it."""

    reason = serializers.CharField(min_length=LEAST_REASON, max_length=MOST_REASON)


class DeliverableSerializer(RowSerializer[Deliverable]):
    """One thing a compose delivered, with what is known of it."""

    class Meta:
        model = Deliverable
        fields = ("kind", "architecture", "name", "artifact", "facts")


class ComposeSerializer(RunByTask, RowSerializer[Compose]):
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
    gates = serializers.SerializerMethodField()
    parts = serializers.SerializerMethodField()

    class Meta(ComposeSerializer.Meta):
        fields = (*OF_A_COMPOSE, "decisive", "deliverables", "parts", "gates", "overridden")
        read_only_fields = fields

    @extend_schema_field(GateSerializer(many=True))
    def get_gates(self, compose: Compose) -> Any:
        found = verdicts(compose.task.children.order_by("pk"), overridden=bool(compose.overridden))
        return [GateSerializer(each).data for each in found]

    @extend_schema_field(PartSerializer(many=True))
    def get_parts(self, compose: Compose) -> Any:
        """The tasks by which it is made: the tree of each architecture, and each deliverable."""
        return [PartSerializer(each).data for each in parts_of(compose)]


class ComposeWishesSerializer(WishesSerializer):
    """`after`: composes, `after_builds`: builds, that must be completed before.

    `only` and `skip` name phases or deliverables; then nothing is published.
    """

    only = serializers.ListField(child=serializers.ChoiceField(choices=WORDS), required=False)
    skip = serializers.ListField(child=serializers.ChoiceField(choices=(*WORDS, PUBLISH)), required=False)
    after: Any = serializers.PrimaryKeyRelatedField(queryset=Compose.objects.all(), many=True, required=False)
    after_builds: Any = serializers.PrimaryKeyRelatedField(queryset=Build.objects.all(), many=True, required=False)
    architectures = serializers.ListField(child=serializers.CharField(max_length=20), required=False, allow_empty=False)

    @classmethod
    def wishes_of(cls, given: dict[str, Any]) -> Wishes:
        """What these fields ask for, but for the architectures, taken out of the validated data."""
        before = [*given.pop("after", ()), *given.pop("after_builds", ())]
        return cls.wishes(given, [each.task for each in before])


class ComposeSubmitSerializer(ComposeWishesSerializer):
    """Compose a variant of a definition's newest revision, for all its architectures unless some are named."""

    definition = NameField("definition", queryset=Definition.objects.filter(enabled=True))
    variant = serializers.CharField(max_length=60)


class ComposeFilter(FilterSet):
    state = MultipleChoiceFilter(choices=STATE_CHOICES, method="in_states")
    definition = CharFilter(field_name="revision__definition__name")
    created_by = CharFilter(field_name="created_by__username")

    class Meta:
        model = Compose
        fields = ("identity", "variant")

    def in_states(self, composes: QuerySet[Compose], _: str, names: list[str]) -> QuerySet[Compose]:
        return composes.filter(states.among(names))


class ComposeViewSet(ReadOnlyModelViewSet[Compose]):
    """Packages in, atomic systems out."""

    public = True
    rights = {"create": "composes.submit"}
    queryset = Compose.objects.all()
    serializer_class = ComposeSerializer
    filterset_class = ComposeFilter
    lookup_value_regex = r"\d+"

    def get_queryset(self) -> QuerySet[Compose]:
        composes = Compose.objects.visible_to(self.request.user)
        return composes.for_rows() if self.action == "list" else composes.for_lists().prefetch_related("deliverables")

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
        wanted["wishes"] = ComposeWishesSerializer.wishes_of(wanted)
        wanted["selection"] = Selection(tuple(wanted.pop("only", ())), tuple(wanted.pop("skip", ())))
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
        ended_badly = compose.state in states.ENDED_BADLY
        allow(compose.can_retry(person(request.user)), possible=ended_badly, sentence=f"{compose} is {compose.state}.")
        compose.retry(by=person(request.user))
        return self.retrieve(request, pk=pk)

    @extend_schema(request=ComposeWishesSerializer, responses={201: ComposeDetailSerializer})
    @action(detail=True, methods=["post"])
    def resubmit(self, request: Request, pk: str) -> Response:
        """Compose the same revision as another compose, the same of it, with what is given changed."""
        compose, by = self.get_object(), person(request.user)
        allow(compose.can_resubmit(by), possible=not compose.is_live, sentence="It has not ended.")
        asked = ComposeWishesSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = dict(asked.validated_data)
        wanted["wishes"] = ComposeWishesSerializer.wishes_of(wanted)
        chosen = {word: wanted.pop(word) for word in ("only", "skip") if word in wanted}
        wanted["selection"] = Selection.of({**compose.task.request, **chosen})
        return submitted(request, lambda: compose.resubmit(by=by, **wanted), self._show)

    @extend_schema(request=OverrideSerializer, responses=ComposeDetailSerializer)
    @action(detail=True, methods=["post"])
    def override(self, request: Request, pk: str) -> Response:
        """Publish it although gates block it; the reason is written down."""
        compose = self.get_object()
        held = bool(held_back(compose))
        allow(compose.can_override(person(request.user)), possible=held, sentence="No gate holds it back.")
        asked = OverrideSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        compose.override(by=person(request.user), reason=asked.validated_data["reason"])
        return self.retrieve(request, pk=pk)

    @extend_schema(responses=ArtifactSerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None, filterset_class=None)
    def artifacts(self, request: Request, pk: str) -> Response:
        """What it made: images, proofs of boot, locks and logs."""
        kept = self.get_object().artifacts & Artifact.objects.visible_to(request.user)
        return Response(ArtifactSerializer(kept, many=True, context=self.get_serializer_context()).data)

    @extend_schema(
        responses=OpenApiTypes.OBJECT, filters=False,
        parameters=[OpenApiParameter("with", int, description="The older one (default: the last finished before).")],
    )  # fmt: skip
    @action(detail=True, pagination_class=None, filterset_class=None)
    def compare(self, request: Request, pk: str) -> Response:
        """What it has otherwise than an older compose: packages and definition, by architecture."""
        new, visible = self.get_object(), Compose.objects.visible_to(request.user).for_lists()
        old = older_than(new, number_in(request.query_params, "with"), visible)
        return Response(difference(old, new).as_json())

    def _show(self, compose: Compose) -> Any:
        return ComposeDetailSerializer(compose, context=self.get_serializer_context()).data
