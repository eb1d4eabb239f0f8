"""Source packages in the API."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from builds.api import BuildSerializer
from builds.provenance.matrix import Row
from builds.provenance.package_models import SourcePackage
from builds.provenance.packages import About, about, listed, with_builds
from debatomic.access.pagination import CursorPages


class ByName(CursorPages):
    """In the order of names."""

    ordering = "name"


class PackageSerializer(serializers.Serializer[Any]):
    """A source package with its newest build."""

    name = serializers.CharField()
    newest = BuildSerializer()


class CellSerializer(serializers.Serializer[Any]):
    """The newest task of a version for a target and architecture."""

    target = serializers.CharField()
    architecture = serializers.CharField()
    build = serializers.IntegerField()
    task = serializers.IntegerField()
    state = serializers.CharField()
    cause = serializers.CharField(allow_blank=True)
    scratch = serializers.BooleanField()


class VersionSerializer(serializers.Serializer[Any]):
    version = serializers.CharField()
    built = CellSerializer(many=True)


class TaggedVersionSerializer(serializers.Serializer[Any]):
    tag = serializers.CharField()
    build = serializers.IntegerField()
    version = serializers.CharField()


class PackageDetailSerializer(serializers.Serializer[Any]):
    """All versions of a source package by target and architecture; `more`: there are older builds than those."""

    name = serializers.CharField()
    versions = VersionSerializer(many=True)
    tags = TaggedVersionSerializer(many=True)
    failures = BuildSerializer(many=True)
    more = serializers.BooleanField()


class PackageViewSet(GenericViewSet[SourcePackage]):
    """What was built here, by source package."""

    public = True
    queryset = SourcePackage.objects.all()
    pagination_class = ByName
    serializer_class = PackageSerializer
    lookup_field = "name"
    lookup_value_regex = r"[a-z0-9][a-z0-9+.-]*"
    filterset_class = None

    def get_queryset(self) -> QuerySet[SourcePackage]:
        asked = self.request.GET
        return listed(self.request.user, name=asked.get("name", ""), target=asked.get("target", ""),
                      failed=asked.get("failed", "") == "true")  # fmt: skip

    @extend_schema(parameters=[
        OpenApiParameter("name", str, description="How it begins."),
        OpenApiParameter("target", str, description="Built for this target; `newest` is the newest of those builds."),
        OpenApiParameter("failed", bool, description="true: only packages whose newest build failed."),
    ])  # fmt: skip
    def list(self, request: Request) -> Response:
        """In the order of their names."""
        rows = with_builds(self.paginate_queryset(self.get_queryset()) or [])
        context = self.get_serializer_context()
        told = [{"name": package.name, "newest": BuildSerializer(build, context=context).data}
                for package, build in rows]  # fmt: skip
        return self.get_paginated_response(told)

    @extend_schema(responses=PackageDetailSerializer)
    def retrieve(self, request: Request, name: str) -> Response:
        """Versions, states, tags and the last failures."""
        found = about(name, request.user)
        if found is None:
            raise Http404
        return Response(_told(found, self.get_serializer_context()))


def _told(package: About, context: Any) -> dict[str, Any]:
    columns = package.matrix.columns
    return {
        "name": package.name, "versions": [_version(row, columns) for row in package.matrix.rows],
        "tags": [{"tag": entry.tag.name, "build": entry.build_id, "version": entry.build.version}
                 for entry in package.tagged],
        "failures": BuildSerializer(package.failures, many=True, context=context).data, "more": package.more,
    }  # fmt: skip


def _version(row: Row, columns: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    built = [{"target": target, "architecture": architecture, **vars(cell)}
             for (target, architecture), cell in zip(columns, row.cells, strict=True) if cell]  # fmt: skip
    return {"version": row.version, "built": built}
