"""Tags and repositories in the API."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django_filters.filters import CharFilter
from django_filters.rest_framework.filterset import FilterSet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from builds.models import Build
from builds.tagging import changing
from builds.tagging.content import content
from builds.tagging.moments import moment_in
from builds.tagging.repository_models import Repository, Snapshot
from builds.tagging.tag_models import Tag
from builds.tagging.tag_verbs_api import BlockSerializer, TagBuildSerializer, TagVerbsMixin, added
from debatomic.paging import slice_of


class TagSerializer(serializers.ModelSerializer[Tag]):
    """A named collection of builds; `parents` are asked in this order for what it has none of."""

    parents = serializers.SerializerMethodField()
    repository = serializers.CharField(source="repository.suite", default=None, read_only=True)
    blocked = serializers.SerializerMethodField()

    class Meta:
        model = Tag
        fields = ("name", "description", "locked", "versions", "days", "least", "keep", "discard_days", "parents",
                  "blocked", "repository")  # fmt: skip

    def get_parents(self, tag: Tag) -> list[str]:
        return [line.parent.name for line in tag.parents.at().select_related("parent").order_by("priority")]

    def get_blocked(self, tag: Tag) -> list[str]:
        return list(tag.blocked.at().order_by("source").values_list("source", flat=True))


class TaggedSerializer(serializers.Serializer[Any]):
    """A build in a tag, by the entry of the tag `via`."""

    build = serializers.IntegerField()
    source: Any = serializers.CharField()
    version = serializers.CharField()
    via = serializers.CharField()


class TagFilter(FilterSet):
    name = CharFilter(lookup_expr="startswith")


class RepositoryFilter(FilterSet):
    tag = CharFilter(field_name="tag__name")


class TagViewSet(TagVerbsMixin, ReadOnlyModelViewSet[Tag]):
    """Which builds belong together."""

    public = True
    queryset = Tag.objects.all()
    serializer_class = TagSerializer
    lookup_field = "name"
    filterset_class = TagFilter

    def get_queryset(self) -> QuerySet[Tag]:
        found: QuerySet[Tag] = Tag.objects.visible_to(self.request.user).select_related("repository")
        return found

    @extend_schema(responses=TaggedSerializer(many=True), filters=False, parameters=[
        OpenApiParameter("page", int, description="Of a hundred builds, from 1."),
        OpenApiParameter("at", str, description="As it was then: 2026-11-22 (its end) or 2026-11-22T06:00."),
        OpenApiParameter("source", str, description="Of source packages whose names begin so."),
    ])  # fmt: skip
    @action(detail=True, pagination_class=None, filterset_class=None)
    def builds(self, request: Request, name: str) -> Response:
        """What is in it, or was at a time, its own and inherited, by source package."""
        tag = self.get_object()
        at, wrong = moment_in(request.GET.get("at", ""))
        if wrong:
            raise serializers.ValidationError({"at": [wrong]})
        begins = request.GET.get("source", "").lower()
        found = [each for each in content(tag, at) if each.source.startswith(begins)]
        part = slice_of(sorted(found, key=lambda each: (each.source, -each.build)), request.GET)
        builds = Build.objects.visible_to(request.user).in_bulk([each.build for each in part.rows])
        tags = dict(Tag.objects.filter(pk__in={each.via for each in part.rows}).values_list("pk", "name"))
        return Response([
            {"build": each.build, "source": each.source, "version": builds[each.build].version, "via": tags[each.via]}
            for each in part.rows if each.build in builds
        ])  # fmt: skip

    @extend_schema(request=TagBuildSerializer)
    @action(detail=True, methods=["post"])
    def add(self, request: Request, name: str) -> Response:
        """Tag a build; in what a policy fills only with a reason."""
        return self.acted(request, TagBuildSerializer, added)

    @extend_schema(request=TagBuildSerializer)
    @action(detail=True, methods=["post"])
    def remove(self, request: Request, name: str) -> Response:
        """Untag a build."""
        return self.acted(request, TagBuildSerializer, changing.remove)

    @extend_schema(request=BlockSerializer)
    @action(detail=True, methods=["post"])
    def block(self, request: Request, name: str) -> Response:
        """Have a source package in it no more, nor by inheritance."""
        return self.acted(request, BlockSerializer, changing.block)


class SnapshotSerializer(serializers.ModelSerializer[Snapshot]):
    """The repository at one time; `facts`: packages, sources, bytes of the indexes, seconds by step."""

    facts = serializers.JSONField(read_only=True)

    class Meta:
        model = Snapshot
        fields = ("name", "task", "packages_in", "packages_out", "facts", "created_at", "published_at", "kept",
                  "leaves_at", "removed_at")  # fmt: skip


class RepositorySerializer(serializers.ModelSerializer[Repository]):
    """A tag as apt reads it."""

    tag = serializers.CharField(source="tag.name", read_only=True)
    path = serializers.CharField(read_only=True)
    current = SnapshotSerializer(read_only=True, allow_null=True)

    class Meta:
        model = Repository
        fields = ("suite", "tag", "path", "architectures", "origin", "label", "description", "automatic", "contents",
                  "pdiffs", "valid_days", "keep_days", "enabled", "current")  # fmt: skip


class RepositoryViewSet(ReadOnlyModelViewSet[Repository]):
    """What machines can install from."""

    public = True
    queryset = Repository.objects.all()
    serializer_class = RepositorySerializer
    lookup_field = "suite"
    filterset_class = RepositoryFilter

    def get_queryset(self) -> QuerySet[Repository]:
        found: QuerySet[Repository] = Repository.objects.visible_to(self.request.user)
        return found.select_related("tag", "current")

    @extend_schema(responses=SnapshotSerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None, filterset_class=None)
    def snapshots(self, request: Request, suite: str) -> Response:
        """The newest fifty."""
        return Response(SnapshotSerializer(self.get_object().snapshots.all()[:50], many=True).data)
