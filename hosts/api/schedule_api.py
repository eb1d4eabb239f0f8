"""Schedules in the API."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from debatomic.access.checks import person
from debatomic.access.rows import RowSerializer
from hosts.models import Occurrence, Schedule
from hosts.schedule import schedules


class OccurrenceSerializer(RowSerializer[Occurrence]):
    """One time that came: its task, or the reason why there is none."""

    class Meta:
        model = Occurrence
        fields = ("due_at", "ended_at", "task", "reason")


@extend_schema_field({"type": "object", "additionalProperties": {"type": "string"}})
class ParametersField(serializers.JSONField):
    """Texts by name, as the order wants them."""


class ScheduleSerializer(RowSerializer[Schedule]):
    """An order that is submitted by its line of cron, or once `at` a time."""

    parameters = ParametersField()
    cron = serializers.CharField(required=False, allow_blank=True, default="", help_text="30 4 * * MON-FRI")
    time_zone = serializers.CharField(required=False, default="UTC")
    at = serializers.DateTimeField(required=False, write_only=True, allow_null=True, help_text="Instead of cron.")
    created_by: Any = serializers.SlugRelatedField(slug_field="username", read_only=True)
    page = serializers.SerializerMethodField()

    class Meta:
        model = Schedule
        fields = ("name", "order", "parameters", "cron", "time_zone", "at", "enabled", "next_at", "created_by",
                  "created_at", "page")  # fmt: skip
        read_only_fields = ("enabled", "next_at", "created_at")


class ScheduleChangeSerializer(serializers.Serializer[Any]):
    """What is to be otherwise; what is not given stays. `at` instead of a line of cron makes it run once."""

    order = serializers.CharField(max_length=40, required=False)
    parameters = ParametersField(required=False)
    cron = serializers.CharField(max_length=100, required=False, allow_blank=True)
    time_zone = serializers.CharField(max_length=60, required=False)
    at = serializers.DateTimeField(required=False)


class TimesSerializer(serializers.Serializer[Any]):
    """The next times of a line of cron, in its time zone."""

    times = serializers.ListField(child=serializers.DateTimeField())


class ScheduleViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.DestroyModelMixin, GenericViewSet[Schedule]
):
    """What is submitted by itself."""

    rights = {"*": "tasks.view"}
    queryset = Schedule.objects.all()
    serializer_class = ScheduleSerializer
    filterset_fields = ("order", "enabled")
    lookup_field = "name"

    def get_queryset(self) -> QuerySet[Schedule]:
        return Schedule.objects.visible_to(self.request.user).select_related("created_by")

    def _mine(self) -> Schedule:
        """The schedule, if whoever asks may change it."""
        schedule: Schedule = self.get_object()
        if not schedule.can_edit(self.request.user):
            raise PermissionDenied("Your role does not allow this.")
        return schedule

    def create(self, request: Request) -> Response:
        """Have something submitted at a time, or again and again."""
        asked = self.get_serializer(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = dict(asked.validated_data)
        made = schedules.create(cron_line=wanted.pop("cron"), **wanted, by=person(request.user))
        return Response(self.get_serializer(made).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=ScheduleChangeSerializer, responses=ScheduleSerializer)
    def partial_update(self, request: Request, name: str) -> Response:
        """Change what it submits, or when."""
        schedule = self._mine()
        asked = ScheduleChangeSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = dict(asked.validated_data)
        if unknown := sorted(set(request.data) - set(asked.fields)):
            raise serializers.ValidationError({unknown[0]: ["This cannot be changed."]})
        schedules.edit(schedule, cron_line=wanted.pop("cron", None), **wanted, by=person(request.user))
        return Response(self.get_serializer(schedule).data)

    @extend_schema(
        responses=TimesSerializer, filters=False,
        parameters=[OpenApiParameter("cron", str), OpenApiParameter("time_zone", str, description="UTC otherwise.")],
    )  # fmt: skip
    @action(detail=False, url_path="-/times", pagination_class=None, filterset_fields=None)
    def times(self, request: Request) -> Response:
        """When a line of cron comes next, five times: to try it."""
        asked = request.query_params
        found = schedules.preview(asked.get("cron", ""), asked.get("time_zone", "UTC"))
        return Response({"times": [moment.isoformat() for moment in found]})

    def perform_destroy(self, instance: Schedule) -> None:
        schedules.delete(self._mine(), by=person(self.request.user))

    @extend_schema(request=None, responses=ScheduleSerializer)
    @action(detail=True, methods=["post"])
    def enable(self, request: Request, name: str) -> Response:
        """Let it run from now on."""
        return self._switched(enabled=True)

    @extend_schema(request=None, responses=ScheduleSerializer)
    @action(detail=True, methods=["post"])
    def disable(self, request: Request, name: str) -> Response:
        """Let it run no more."""
        return self._switched(enabled=False)

    def _switched(self, *, enabled: bool) -> Response:
        schedule = self._mine()
        schedules.switch(schedule, enabled=enabled, by=person(self.request.user))
        return Response(self.get_serializer(schedule).data)

    @extend_schema(request=None, responses={201: OccurrenceSerializer})
    @action(detail=True, methods=["post"])
    def run(self, request: Request, name: str) -> Response:
        """Submit it once more, now."""
        made = schedules.run_now(self._mine(), by=person(request.user))
        return Response(OccurrenceSerializer(made).data, status=status.HTTP_201_CREATED)

    @extend_schema(responses=OccurrenceSerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None, filterset_fields=None)
    def occurrences(self, request: Request, name: str) -> Response:
        """Its last 100 times."""
        lately = self.get_object().occurrences.all()[:100]
        return Response(OccurrenceSerializer(lately, many=True).data)
