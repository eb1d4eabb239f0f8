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
from builds.tagging.repository_models import Repository, Snapshot
from builds.tagging.tag_models import Tag
from debatomic.access.checks import may, person, require
from debatomic.paging import slice_of
from debatomic.tools.errors import InputError

LONGEST_REASON = 200


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


class ReasonSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=LONGEST_REASON, required=False, allow_blank=True, default="")


class TagBuildSerializer(ReasonSerializer):
    """Which build, and why."""

    build: Any = serializers.PrimaryKeyRelatedField(queryset=Build.objects.select_related("task"))


class BlockSerializer(ReasonSerializer):
    """Which source package, and why."""

    source: Any = serializers.CharField(max_length=100)


class TagFilter(FilterSet):
    name = CharFilter(lookup_expr="startswith")


class RepositoryFilter(FilterSet):
    tag = CharFilter(field_name="tag__name")


class TagViewSet(ReadOnlyModelViewSet[Tag]):
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
    ])  # fmt: skip
    @action(detail=True, pagination_class=None, filterset_class=None)
    def builds(self, request: Request, name: str) -> Response:
        """What is in it, its own and inherited, by source package."""
        found = sorted(content(self.get_object()), key=lambda each: (each.source, -each.build))
        part = slice_of(found, request.GET)
        builds = Build.objects.in_bulk([each.build for each in part.rows])
        tags = dict(Tag.objects.filter(pk__in={each.via for each in part.rows}).values_list("pk", "name"))
        return Response([
            {"build": each.build, "source": each.source, "version": builds[each.build].version, "via": tags[each.via]}
            for each in part.rows if each.build in builds
        ])  # fmt: skip

    @extend_schema(request=TagBuildSerializer, responses=TagSerializer)
    @action(detail=True, methods=["post"])
    def add(self, request: Request, name: str) -> Response:
        """Tag a build."""
        return self._acted(request, TagBuildSerializer, changing.add)

    @extend_schema(request=TagBuildSerializer, responses=TagSerializer)
    @action(detail=True, methods=["post"])
    def remove(self, request: Request, name: str) -> Response:
        """Untag a build."""
        return self._acted(request, TagBuildSerializer, changing.remove)

    @extend_schema(request=BlockSerializer, responses=TagSerializer)
    @action(detail=True, methods=["post"])
    def block(self, request: Request, name: str) -> Response:
        """Have a source package in it no more, nor by inheritance."""
        return self._acted(request, BlockSerializer, changing.block)

    def _acted(self, request: Request, asks: type[ReasonSerializer], act: Any) -> Response:
        tag = self.get_object()
        require(may(request.user, "tags.edit"))
        asked = asks(data=request.data)
        asked.is_valid(raise_exception=True)
        try:
            act(tag, by=person(request.user), **asked.validated_data)
        except InputError as error:
            raise serializers.ValidationError({error.field or "non_field_errors": [error.sentence]}) from error
        return Response(TagSerializer(self.get_object()).data)


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
                  "valid_days", "keep_days", "enabled", "current")  # fmt: skip


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
