"""Tasks, channels and artifacts in the API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from django.db.models import Prefetch, Q, QuerySet
from django.http import Http404, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404
from django_filters.filters import CharFilter, MultipleChoiceFilter, NumberFilter
from django_filters.rest_framework.filterset import FilterSet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from debatomic.access.checks import person, readable
from debatomic.access.refusals import allow
from hosts import hub
from hosts.api.serializers import (
    ArtifactSerializer,
    BatchSerializer,
    ChannelSerializer,
    DependenciesSerializer,
    LogSerializer,
    PickSerializer,
    PrioritySerializer,
    TaskDetailSerializer,
    TaskSerializer,
    WishesSerializer,
)
from hosts.causes import CHOICES
from hosts.kept.downloads import download
from hosts.live import logs
from hosts.models import Artifact, Channel, Log, State, Task
from hosts.models.task import LONG_OF_HOST, LONG_OF_PERSON, TaskQuerySet

LOG_LIMIT_BYTES = 1024 * 1024
NAMED = ("host", "only_on", "channel", "created_by")
NOT_LISTED = (
    "request", "limits", "retries", "result", *(f"host__{name}" for name in LONG_OF_HOST),
    *(f"only_on__{name}" for name in LONG_OF_HOST), *(f"created_by__{name}" for name in LONG_OF_PERSON),
    "channel__description", "channel__strategy",
)  # fmt: skip


class TaskFilter(FilterSet):
    state = MultipleChoiceFilter(choices=State.choices, distinct=False)
    cause = MultipleChoiceFilter(choices=CHOICES, distinct=False)
    method = CharFilter()
    host = CharFilter(field_name="host__name")
    channel = CharFilter(field_name="channel__name")
    architecture = CharFilter()
    created_by = CharFilter(field_name="created_by__username")
    parent = NumberFilter(field_name="parent_id")
    family = NumberFilter(method="of_family", help_text="A parent task and its children.")

    class Meta:
        model = Task
        fields = ("is_parent",)

    def of_family(self, tasks: QuerySet[Task], _: str, number: int) -> QuerySet[Task]:
        return tasks.filter(Q(pk=number) | Q(parent_id=number))


def filtered(tasks: TaskQuerySet, wanted: Mapping[str, str]) -> TaskQuerySet:
    """Those tasks that lists would show for this filter. Raises ValidationError with the field that is wrong."""
    found: Any = TaskFilter(data=_query(wanted), queryset=tasks)  # type: ignore[no-untyped-call]
    if unknown := [name for name in wanted if name not in found.filters]:
        raise ValidationError({"filter": [f"There is no “{unknown[0]}”; there is {', '.join(found.filters)}."]})
    if not found.is_valid():
        raise ValidationError(found.errors)
    result: TaskQuerySet = found.qs
    return result


def _query(wanted: Mapping[str, str]) -> QueryDict:
    query = QueryDict(mutable=True)
    query.update(dict(wanted))
    return query


class LogRangeSerializer(serializers.Serializer[None]):
    offset = serializers.IntegerField(min_value=0, default=0)
    limit = serializers.IntegerField(min_value=1, max_value=LOG_LIMIT_BYTES, default=LOG_LIMIT_BYTES)


class AnyAccept(BaseContentNegotiation):
    """For actions that answer with bytes, whatever the client says it accepts."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


class TaskViewSet(ReadOnlyModelViewSet[Task]):
    """What hosts do: their state, progress and logs."""

    public = True
    rights = {"priority": "tasks.prioritize"}
    queryset = Task.objects.all()
    serializer_class = TaskSerializer
    filterset_class = TaskFilter
    lookup_value_regex = r"\d+"

    def get_queryset(self) -> QuerySet[Task]:
        tasks = Task.objects.visible_to(self.request.user).prefetch_related(Prefetch("logs", to_attr="all_logs"))  # type: ignore[no-redef]
        if self.action == "list":
            return tasks.select_related(*NAMED).defer(*NOT_LISTED)
        return tasks.select_related(*NAMED).prefetch_related("attempt_history__host", "dependencies")

    def get_serializer_class(self) -> type[TaskSerializer]:
        return TaskSerializer if self.action == "list" else TaskDetailSerializer

    @extend_schema(request=None, responses=TaskDetailSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Stop it: what waits ends at once, what runs is killed by its host within seconds (`cancel_asked`)."""
        task = self.get_object()
        allow(task.can_cancel(person(request.user)), possible=task.is_live, sentence="It has ended already.")
        hub.cancel(task, by=person(request.user))
        return self.retrieve(request, pk=pk)

    @extend_schema(request=None, responses=TaskDetailSerializer)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Run a failed or canceled task again, as a new attempt."""
        task = self.get_object()
        ended_badly = task.state in (State.FAILED, State.CANCELED)
        allow(
            task.can_retry(person(request.user)),
            possible=ended_badly,
            sentence="It has neither failed nor been canceled.",
        )
        hub.retry(task, by=person(request.user))
        return self.retrieve(request, pk=pk)

    @extend_schema(request=PrioritySerializer, responses=TaskDetailSerializer)
    @action(detail=True, methods=["post"])
    def priority(self, request: Request, pk: str) -> Response:
        """Move it in the queue."""
        task = self.get_object()
        asked = PrioritySerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        allow(task.is_live, possible=task.is_live, sentence="It has ended already.")
        hub.set_priority(task, asked.validated_data["priority"], by=person(request.user))
        return self.retrieve(request, pk=pk)

    @extend_schema(request=DependenciesSerializer, responses=TaskDetailSerializer)
    @action(detail=True, methods=["post"])
    def dependencies(self, request: Request, pk: str) -> Response:
        """Have a waiting task wait for others, too."""
        task = self.get_object()
        asked = DependenciesSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        allow(task.can_cancel(person(request.user)), possible=task.is_live, sentence="It has ended already.")
        hub.depend(task, asked.validated_data["dependencies"], by=person(request.user))
        return self.retrieve(request, pk=pk)

    @extend_schema(request=WishesSerializer, responses={201: TaskDetailSerializer})
    @action(detail=True, methods=["post"])
    def resubmit(self, request: Request, pk: str) -> Response:
        """The same work as a new task, with what is given changed."""
        task = self.get_object()
        asked = WishesSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        allow(task.can_resubmit(person(request.user)), possible=task.is_final, sentence="It has not ended.")
        made = hub.resubmit(task, by=person(request.user), wishes=asked.wishes(dict(asked.validated_data)))
        shown = TaskDetailSerializer(made, context=self.get_serializer_context())
        return Response(shown.data, status=status.HTTP_201_CREATED)

    @extend_schema(operation_id="tasks_cancel_many", request=PickSerializer, responses=BatchSerializer, filters=False)
    @action(detail=False, methods=["post"], url_path="cancel", pagination_class=None)
    def cancel_many(self, request: Request) -> Response:
        """Stop up to 500 tasks: by their ids, or the oldest ones that a filter finds."""
        return self._batch(request, hub.cancel_many)

    @extend_schema(operation_id="tasks_retry_many", request=PickSerializer, responses=BatchSerializer, filters=False)
    @action(detail=False, methods=["post"], url_path="retry", pagination_class=None)
    def retry_many(self, request: Request) -> Response:
        """Run up to 500 failed or canceled tasks again: by their ids, or the oldest ones that a filter finds."""
        return self._batch(request, hub.retry_many)

    def _batch(self, request: Request, verb: Callable[..., hub.Batch]) -> Response:
        asked = PickSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        user = person(request.user)
        visible = Task.objects.visible_to(user)
        given = asked.validated_data
        tasks = hub.picked(visible, given["ids"]) if "ids" in given else filtered(visible, given["filter"])
        return Response(BatchSerializer(asdict(verb(tasks, by=user))).data)

    @extend_schema(responses=LogSerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None, filterset_class=None, url_path="logs", url_name="logs")
    def logs(self, request: Request, pk: str) -> Response:
        """Its logs, by attempt."""
        context = self.get_serializer_context()
        return Response(LogSerializer(self.get_object().logs.all(), many=True, context=context).data)

    @extend_schema(
        parameters=[
            LogRangeSerializer,
            OpenApiParameter("attempt", int, OpenApiParameter.PATH),
            OpenApiParameter("name", str, OpenApiParameter.PATH),
        ],
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    @action(
        detail=True,
        content_negotiation_class=AnyAccept,
        url_path=r"logs/(?P<attempt>\d+)/(?P<name>[^/]+)",
        url_name="log",
    )
    def log(self, request: Request, pk: str, attempt: str, name: str) -> HttpResponse:
        """Bytes of a log from `offset` on; `X-Log-Offset`: where to go on, `X-Log-Sealed`: no more will come."""
        row = get_object_or_404(Log, task=self.get_object(), attempt=attempt, name=name)
        asked = LogRangeSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        offset, limit = asked.validated_data["offset"], asked.validated_data["limit"]
        try:
            content = logs.read(row.task_id, row.attempt, row.name, offset, limit)
        except logs.NoSuchLog as error:
            raise Http404(str(error)) from None
        there = offset + len(content)
        at_end = row.sealed_at is not None and there >= row.size
        headers = {"X-Log-Offset": str(there), "X-Log-Sealed": "yes" if at_end else "no", "Cache-Control": "no-store",
                   "Content-Disposition": "attachment"}  # fmt: skip
        return HttpResponse(content, content_type="application/octet-stream", headers=headers)


class ChannelViewSet(ReadOnlyModelViewSet[Channel]):
    """Named groups of hosts."""

    public = True
    rights = {"partial_update": "hosts.edit"}
    queryset = Channel.objects.all()
    serializer_class = ChannelSerializer
    lookup_field = "name"

    def get_queryset(self) -> QuerySet[Channel]:
        return readable(Channel.objects.all(), self.request.user, "hosts.view")

    def partial_update(self, request: Request, name: str) -> Response:
        """Choose the strategy that says which idle host gets a task."""
        channel = self.get_object()
        asked = self.get_serializer(channel, data=request.data, partial=True)
        asked.is_valid(raise_exception=True)
        if strategy := asked.validated_data.get("strategy"):
            channel.choose_strategy(strategy, by=person(request.user))
        return Response(self.get_serializer(channel).data)


class ArtifactFilter(FilterSet):
    task = NumberFilter(field_name="task_id")
    name = CharFilter()

    class Meta:
        model = Artifact
        fields = ("kind", "sha256")


class ArtifactViewSet(ReadOnlyModelViewSet[Artifact]):
    """Files that tasks kept."""

    public = True
    queryset = Artifact.objects.all()
    serializer_class = ArtifactSerializer
    filterset_class = ArtifactFilter
    lookup_value_regex = r"\d+"

    def get_queryset(self) -> QuerySet[Artifact]:
        return Artifact.objects.visible_to(self.request.user)

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    @action(detail=True, content_negotiation_class=AnyAccept)
    def download(self, request: Request, pk: str) -> HttpResponseBase:
        """The file's bytes; `Range` is understood."""
        return download(request._request, self.get_object())
