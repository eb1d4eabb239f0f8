"""Hosts and their registration in the API."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from django.db.models import QuerySet
from django_filters.filters import BooleanFilter, ChoiceFilter
from django_filters.rest_framework.filterset import FilterSet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet, ReadOnlyModelViewSet

from debatomic.access.checks import person
from debatomic.access.refusals import Conflict
from hosts import hub
from hosts.api.host_serializers import (
    HostChangeSerializer,
    HostSerializer,
    NewRegistrationSerializer,
    ReasonSerializer,
    RegistrationSerializer,
    SampleSerializer,
    ScalingActSerializer,
    SpanSerializer,
    TrialSerializer,
)
from hosts.api.serializers import TaskSerializer
from hosts.fleet import history, quarantine, registering
from hosts.models import Host, HostState, Registration, ScalingAct
from hosts.models.host import VERBS
from hosts.pages.forms import checked_registration
from hosts.pages.host_views import with_use


class HostFilter(FilterSet):
    state = ChoiceFilter(choices=HostState.choices)
    in_service = BooleanFilter(method="that_take_tasks")

    class Meta:
        model = Host
        fields = ("is_hub",)

    def that_take_tasks(self, hosts: QuerySet[Host], _: str, wanted: bool) -> QuerySet[Host]:
        taking = Host.objects.in_service().values("pk")
        return hosts.filter(pk__in=taking) if wanted else hosts.exclude(pk__in=taking)


class HostViewSet(ReadOnlyModelViewSet[Host]):
    """The machines that do the work."""

    rights: ClassVar = {
        "*": "hosts.view",
        **dict.fromkeys(("partial_update", *VERBS, "lift", "doctor"), "hosts.edit"),
    }
    queryset = Host.objects.all()
    serializer_class = HostSerializer
    filterset_class = HostFilter
    lookup_field = "name"
    lookup_value_regex = "[^/]+"

    def get_queryset(self) -> QuerySet[Host]:
        return with_use(Host.objects.select_related("state_by"))

    @extend_schema(request=HostChangeSerializer, responses=HostSerializer)
    def partial_update(self, request: Request, name: str) -> Response:
        """Change what it serves; fields that are not given stay as they are."""
        asked = HostChangeSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        registering.edit(self.get_object(), by=person(request.user), **asked.validated_data)
        return self.retrieve(request, name=name)

    def _switch(self, request: Request, name: str, verb: str) -> Response:
        asked = ReasonSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        self.get_object().switch(verb, reason=asked.validated_data["reason"], by=person(request.user))
        return self.retrieve(request, name=name)

    @extend_schema(request=ReasonSerializer, responses=HostSerializer)
    @action(detail=True, methods=["post"])
    def enable(self, request: Request, name: str) -> Response:
        """Let it take tasks again."""
        return self._switch(request, name, "enable")

    @extend_schema(request=ReasonSerializer, responses=HostSerializer)
    @action(detail=True, methods=["post"])
    def drain(self, request: Request, name: str) -> Response:
        """Let it end what it runs and take nothing new; `used` is 0 when it is drained."""
        return self._switch(request, name, "drain")

    @extend_schema(request=ReasonSerializer, responses=HostSerializer)
    @action(detail=True, methods=["post"])
    def maintenance(self, request: Request, name: str) -> Response:
        """Take it out for work on it; needs a reason, and you are its owner."""
        return self._switch(request, name, "maintenance")

    @extend_schema(request=ReasonSerializer, responses=HostSerializer)
    @action(detail=True, methods=["post"])
    def disable(self, request: Request, name: str) -> Response:
        """Switch it off; what it runs goes on."""
        return self._switch(request, name, "disable")

    @extend_schema(request=None, responses={201: TaskSerializer})
    @action(detail=True, methods=["post"])
    def doctor(self, request: Request, name: str) -> Response:
        """Have it look at itself; the task's result says what it can do, and what mends what it cannot."""
        task = hub.doctor(self.get_object(), by=person(request.user))
        context = self.get_serializer_context()
        return Response(TaskSerializer(task, context=context).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=None, responses=HostSerializer)
    @action(detail=True, methods=["post"])
    def lift(self, request: Request, name: str) -> Response:
        """End its quarantine: what failed there until now does not count any more."""
        if not self.get_object().lift_quarantine(by=person(request.user)):
            raise Conflict("It is not in quarantine.")
        return self.retrieve(request, name=name)

    @extend_schema(parameters=[SpanSerializer], responses=SampleSerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None, filterset_class=None)
    def history(self, request: Request, name: str) -> Response:
        """Load, running tasks, memory and disk over time, oldest first; old samples are means of longer times."""
        asked = SpanSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        rows = history.host_samples(self.get_object(), history.span_of(asked.validated_data["span"]))
        names = ("at", "load", "memory", "disk", "running")
        return Response(SampleSerializer([dict(zip(names, row, strict=True)) for row in rows], many=True).data)

    @extend_schema(responses=TrialSerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None, filterset_class=None)
    def failures(self, request: Request, name: str) -> Response:
        """Its failures in a row, with how the same work fared in the last 30 days, here and elsewhere."""
        return Response(TrialSerializer(quarantine.trials(self.get_object()), many=True).data)


class ScalingViewSet(mixins.ListModelMixin, GenericViewSet[ScalingAct]):
    """What the scaling policies did, newest first."""

    rights: ClassVar = {"*": "hosts.view"}
    queryset = ScalingAct.objects.all()
    serializer_class = ScalingActSerializer
    filterset_fields = ("policy", "direction", "host")


class RegistrationViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.DestroyModelMixin, GenericViewSet[Registration]
):
    """One-time tokens for new hosts."""

    rights: ClassVar = {"*": "hosts.edit"}
    queryset = Registration.objects.select_related("host", "created_by").prefetch_related("channels")
    serializer_class = RegistrationSerializer
    lookup_value_regex = r"\d+"

    @extend_schema(request=NewRegistrationSerializer, responses={201: NewRegistrationSerializer})
    def create(self, request: Request) -> Response:
        """Make one. Its token is in this answer and nowhere else."""
        asked = NewRegistrationSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        made, token = Registration.objects.issue(
            by=person(request.user), lasting=timedelta(hours=wanted["hours"]), channels=wanted.get("channels", []),
            **checked_registration(wanted),
        )  # fmt: skip
        told = {**RegistrationSerializer(made).data, "token": token}
        return Response(told, status=status.HTTP_201_CREATED)

    def perform_destroy(self, instance: Registration) -> None:
        instance.revoke(by=person(self.request.user))
