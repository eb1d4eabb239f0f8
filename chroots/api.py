"""Chroots in the API."""

from __future__ import annotations

from typing import Any

from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from chroots.models import Chroot, ChrootCopy
from debatomic.access.checks import may, person, require
from hosts.serializers import LinesField, TaskSerializer, page_of


class ChrootCopySerializer(serializers.ModelSerializer[ChrootCopy]):
    """The base as it lies on one host; `size` in bytes."""

    host: Any = serializers.SlugRelatedField(slug_field="name", read_only=True)

    class Meta:
        model = ChrootCopy
        fields = ("host", "base_id", "packages", "size", "made_at", "task")


class ChrootSerializer(serializers.ModelSerializer[Chroot]):
    components = LinesField(read_only=True)
    copies = ChrootCopySerializer(many=True, read_only=True)
    page = serializers.SerializerMethodField()

    class Meta:
        model = Chroot
        fields = ("name", "suite", "architecture", "components", "mirror", "enabled", "created_at", "copies", "page")
        read_only_fields = fields

    @extend_schema_field(serializers.URLField)
    def get_page(self, chroot: Chroot) -> str:
        return page_of(chroot, self.context)


class ChrootViewSet(ReadOnlyModelViewSet[Chroot]):
    """Base systems to build in."""

    public = True
    queryset = Chroot.objects.all()
    serializer_class = ChrootSerializer
    filterset_fields = ("suite", "architecture", "enabled")
    lookup_field = "name"

    def get_queryset(self) -> QuerySet[Chroot]:
        copies = Prefetch("copies", queryset=ChrootCopy.objects.select_related("host"))
        return Chroot.objects.visible_to(self.request.user).prefetch_related(copies)

    @extend_schema(request=None, responses={201: TaskSerializer})
    @action(detail=True, methods=["post"])
    def refresh(self, request: Request, name: str) -> Response:
        """Make its base anew from the archive; answers with the task that does it."""
        chroot = self.get_object()
        require(may(request.user, "chroots.refresh"))
        task = chroot.refresh(by=person(request.user))
        context = self.get_serializer_context()
        return Response(TaskSerializer(task, context=context).data, status=status.HTTP_201_CREATED)
