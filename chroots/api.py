"""Chroots in the API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from django.db.models import Prefetch, QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from chroots import definition, editing, manifests, upkeep
from chroots.models import Chroot, ChrootCopy, Refresh
from chroots.serializers import (
    BetweenSerializer,
    ChangedChrootSerializer,
    ChrootSerializer,
    ConfigurationSerializer,
    DifferenceSerializer,
    HostNameSerializer,
    NewChrootSerializer,
    PackagesSerializer,
    RefreshSerializer,
    WhichSerializer,
)  # fmt: skip
from chroots.trying.asking import TrialSerializer, asked_for
from debatomic.access.checks import may, person, require
from debatomic.access.idempotency import HEADER, submitted
from debatomic.access.pagination import CursorPages
from debatomic.access.refusals import Conflict
from debatomic.tools.errors import InputError, ToolError
from hosts.api.serializers import TaskSerializer
from hosts.models import Host, Task


class ChrootViewSet(ReadOnlyModelViewSet[Chroot]):
    """Base systems to build in."""

    public = True
    rights = {"create": "chroots.edit", "partial_update": "chroots.edit", "destroy": "chroots.edit",
              "configuration": "chroots.view"}  # fmt: skip
    queryset = Chroot.objects.all()
    serializer_class = ChrootSerializer
    filterset_fields = ("suite", "architecture", "variant", "enabled")
    lookup_field = "name"

    def get_queryset(self) -> QuerySet[Chroot]:
        copies = Prefetch("copies", queryset=ChrootCopy.objects.select_related("host"))
        return Chroot.objects.visible_to(self.request.user).select_related("created_by").prefetch_related(copies)

    @extend_schema(
        request=NewChrootSerializer,
        responses={201: ChrootSerializer},
        parameters=[OpenApiParameter(HEADER, str, OpenApiParameter.HEADER, description="Sent twice, done once.")],
    )
    def create(self, request: Request) -> Response:
        """Make a chroot: of a definition in YAML, by its keys, or of the one of its name that comes with DebAtomic."""
        asked = NewChrootSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        hours = wanted.get("refresh_hours", 0)

        def make() -> Chroot:
            try:
                return editing.create(
                    wanted["name"], asked.text()[0] or "", refresh_hours=hours, by=person(request.user)
                )
            except InputError as error:
                raise asked.refusal(error) from error

        return submitted(request, make, self._shown)

    @extend_schema(request=ChangedChrootSerializer, responses=ChrootSerializer)
    def partial_update(self, request: Request, name: str) -> Response:
        """Give it another definition or schedule, enable or disable it."""
        chroot = self.get_object()
        asked = ChangedChrootSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        try:
            editing.change(
                chroot, text=asked.text()[0], enabled=wanted.get("enabled"), refresh_hours=wanted.get("refresh_hours"),
                by=person(request.user),
            )  # fmt: skip
        except InputError as error:
            raise asked.refusal(error) from error
        return Response(self._shown(chroot))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, name: str) -> Response:
        """Forget it, and have hosts remove their copies. Refused (409) while a target needs it."""
        try:
            editing.delete(self.get_object(), by=person(request.user))
        except ToolError as error:
            raise Conflict(error.sentence) from error
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        request={"application/json": TrialSerializer, "multipart/form-data": TrialSerializer},
        responses={201: TaskSerializer},
        parameters=[OpenApiParameter(HEADER, str, OpenApiParameter.HEADER, description="Sent twice, done once.")],
    )
    @action(detail=True, methods=["post"], url_path="try", parser_classes=(JSONParser, MultiPartParser))
    def attempt(self, request: Request, name: str) -> Response:
        """Try something in a fresh buildroot: packages and files (multipart) in, a script, files out.

        Answers with the task. Its `result` has the script's `status` and how many files `changes` has; its artifacts
        have what was copied out, and `difference.json`: the paths that were added, changed and removed.
        """
        chroot = self.get_object()
        require(may(request.user, "chroots.try"))
        return submitted(request, lambda: asked_for(chroot, request), self._shown_task)

    @extend_schema(request=None, responses={201: TaskSerializer})
    @action(detail=True, methods=["post"])
    def refresh(self, request: Request, name: str) -> Response:
        """Have every host that has it make it anew; answers with the task, which has one beneath it for each host."""
        chroot = self.get_object()
        require(may(request.user, "chroots.refresh"))
        return self._task(chroot.refresh(by=person(request.user)))

    @extend_schema(request=HostNameSerializer, responses={201: TaskSerializer})
    @action(detail=True, methods=["post"])
    def scrub(self, request: Request, name: str) -> Response:
        """Have a host remove its copy, with the layers on it; the next build there makes it again."""
        return self._on_host(request, upkeep.scrub, "chroots.refresh")

    @extend_schema(request=HostNameSerializer, responses={201: TaskSerializer})
    @action(detail=True, methods=["post"])
    def clean(self, request: Request, name: str) -> Response:
        """Have a host remove what people kept in it there."""
        return self._on_host(request, upkeep.clean, "chroots.edit")

    @extend_schema(responses=ConfigurationSerializer, filters=False)
    @action(detail=True, pagination_class=None, filterset_fields=())
    def configuration(self, request: Request, name: str) -> Response:
        """Its definition, and each value that comes of it with where it is from."""
        chroot = self.get_object()
        settings = [asdict(one) for one in definition.resolved(chroot.name, chroot.definition)]
        return Response({"definition": chroot.definition, "settings": settings})

    @extend_schema(responses=RefreshSerializer(many=True), filters=False)
    @action(detail=True, filterset_fields=())
    def refreshes(self, request: Request, name: str) -> Response:
        """Its refreshes, newest first."""
        pages = CursorPages()
        rows = pages.paginate_queryset(self.get_object().refreshes.for_lists(), request, view=self)
        return pages.get_paginated_response(RefreshSerializer(rows or [], many=True).data)

    @extend_schema(parameters=[WhichSerializer], responses=PackagesSerializer, filters=False)
    @action(detail=True, pagination_class=None, filterset_fields=())
    def packages(self, request: Request, name: str) -> Response:
        """The packages in it, with their versions."""
        chroot = self.get_object()
        asked = WhichSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        number = asked.validated_data.get("refresh")
        newest = chroot.refreshes.listed().first()
        refresh = self._listed(chroot, number) if number or newest is None else newest
        found = manifests.search(manifests.packages(refresh.manifest), asked.validated_data.get("q", ""))
        return Response({"refresh": refresh.pk, "packages": dict(found)})

    @extend_schema(parameters=[BetweenSerializer], responses=DifferenceSerializer, filters=False)
    @action(detail=True, pagination_class=None, filterset_fields=())
    def difference(self, request: Request, name: str) -> Response:
        """What changed between any two of its refreshes."""
        chroot = self.get_object()
        asked = BetweenSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        before, after = (self._listed(chroot, asked.validated_data[word]) for word in ("from", "to"))
        return Response(asdict(manifests.difference(before.manifest, after.manifest)))

    def _listed(self, chroot: Chroot, number: int | None) -> Refresh:
        return get_object_or_404(chroot.refreshes.listed(), pk=number)

    def _on_host(self, request: Request, verb: Callable[..., Task], right: str) -> Response:
        chroot = self.get_object()
        require(may(request.user, right))
        asked = HostNameSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        host: Host = asked.validated_data["host"]
        return self._task(verb(chroot, host, by=person(request.user)))

    def _task(self, task: Task) -> Response:
        return Response(self._shown_task(task), status=status.HTTP_201_CREATED)

    def _shown_task(self, task: Task) -> Any:
        return TaskSerializer(task, context=self.get_serializer_context()).data

    def _shown(self, chroot: Chroot) -> Any:
        return ChrootSerializer(chroot, context=self.get_serializer_context()).data
