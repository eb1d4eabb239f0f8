"""What leaves, in the API: marked builds and snapshots, how to keep them, and what the rules of a tag would end."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from builds.keeping import leaving, rules
from builds.models import Build
from builds.tagging.repository_models import Repository, Snapshot
from builds.tagging.tag_models import Tag, TagEntry
from debatomic.access.checks import may, person, require
from debatomic.paging import slice_of
from debatomic.tools.errors import InputError

MOST = 32_767


class LeavingSerializer(serializers.ModelSerializer[Build]):
    """A build that goes at `leaves_at`, or that somebody keeps."""

    target: Any = serializers.SlugRelatedField(slug_field="name", read_only=True)

    class Meta:
        model = Build
        fields = ("id", "source", "version", "target", "created_at", "leaves_at", "kept")


class LeavingSnapshotSerializer(serializers.ModelSerializer[Snapshot]):
    """A snapshot that goes at `leaves_at`, or that somebody keeps."""

    repository = serializers.CharField(source="repository.suite", read_only=True)

    class Meta:
        model = Snapshot
        fields = ("id", "repository", "name", "created_at", "leaves_at", "kept")


class KeepSerializer(serializers.Serializer[Any]):
    """Whether retention leaves it alone from now on."""

    keep = serializers.BooleanField(default=True)


class TriedSerializer(serializers.Serializer[Any]):
    """Rules to try out instead of the tag's own; 0: no such rule."""

    versions = serializers.IntegerField(min_value=0, max_value=MOST, required=False)
    days = serializers.IntegerField(min_value=0, max_value=MOST, required=False)
    least = serializers.IntegerField(min_value=0, max_value=MOST, required=False)


class EndingSerializer(serializers.Serializer[Any]):
    """A build that would leave the tag, and why."""

    build = serializers.IntegerField()
    source: Any = serializers.CharField()
    version = serializers.CharField()
    reason = serializers.CharField()


class LeavingViewSet(GenericViewSet[Build]):
    """What retention removes next: nothing that a tag, a snapshot, a compose or a live task refers to."""

    public = True
    queryset = Build.objects.all()
    serializer_class = LeavingSerializer
    lookup_value_regex = r"\d+"

    def get_queryset(self) -> QuerySet[Build]:
        found: QuerySet[Build] = Build.objects.visible_to(self.request.user).select_related("target")
        return found.filter(leaves_at__isnull=False) if self.action == "list" else found

    def list(self, request: Request) -> Response:
        """Builds that are marked."""
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(LeavingSerializer(page, many=True).data)

    @extend_schema(request=KeepSerializer, responses=LeavingSerializer)
    @action(detail=True, methods=["post"])
    def keep(self, request: Request, pk: str) -> Response:
        """Have it stay whatever the rules say, or not any more."""
        build = self.get_object()
        keep = _asked(request)
        _done(leaving.keep_build, build, request, keep)
        return Response(LeavingSerializer(self.get_object()).data)

    @extend_schema(responses=LeavingSnapshotSerializer(many=True), filters=False)
    @action(detail=False, pagination_class=None)
    def snapshots(self, request: Request) -> Response:
        """Snapshots of repositories that are marked, a hundred at most, the oldest first."""
        mine = Snapshot.objects.filter(repository__in=Repository.objects.visible_to(request.user))
        rows = mine.filter(leaves_at__isnull=False).select_related("repository").order_by("leaves_at", "pk")[:100]
        return Response(LeavingSnapshotSerializer(rows, many=True).data)

    @extend_schema(request=KeepSerializer, responses=LeavingSnapshotSerializer, parameters=[
        OpenApiParameter("snapshot", int, OpenApiParameter.PATH, description="Its id."),
    ])  # fmt: skip
    @action(detail=False, methods=["post"], url_path=r"snapshots/(?P<snapshot>\d+)/keep", url_name="snapshot-keep")
    def keep_snapshot(self, request: Request, snapshot: str) -> Response:
        """Have a snapshot stay whatever its age, or not any more."""
        mine = Snapshot.objects.filter(repository__in=Repository.objects.visible_to(request.user))
        found = get_object_or_404(mine.select_related("repository"), pk=int(snapshot))
        _done(leaving.keep_snapshot, found, request, _asked(request))
        found.refresh_from_db()
        return Response(LeavingSnapshotSerializer(found).data)

    @extend_schema(responses=EndingSerializer(many=True), filters=False, parameters=[
        TriedSerializer, OpenApiParameter("name", str, OpenApiParameter.PATH, description="The tag."),
        OpenApiParameter("page", int, description="Of a hundred builds, from 1."),
    ])  # fmt: skip
    @action(detail=False, pagination_class=None, url_path=r"tags/(?P<name>[-\w]+)")
    def tag(self, request: Request, name: str) -> Response:
        """What the rules of this tag, or those given, would end now; nothing is changed."""
        tag = get_object_or_404(Tag.objects.visible_to(request.user), name=name)
        tried = TriedSerializer(data=request.query_params)
        tried.is_valid(raise_exception=True)
        found = rules.plan(tag, rules.rules_of(tag, tried.validated_data))
        part = slice_of(sorted(found), request.GET)
        entries = TagEntry.objects.select_related("build").in_bulk(part.rows)
        return Response([
            {"build": entries[pk].build_id, "source": entries[pk].build.source, "version": entries[pk].build.version,
             "reason": found[pk]} for pk in part.rows if pk in entries
        ])  # fmt: skip


def _asked(request: Request) -> bool:
    require(may(request.user, "tags.edit"))
    asked = KeepSerializer(data=request.data)
    asked.is_valid(raise_exception=True)
    return bool(asked.validated_data["keep"])


def _done(act: Any, thing: Any, request: Request, keep: bool) -> None:
    try:
        act(thing, by=person(request.user), keep=keep)
    except InputError as error:
        raise serializers.ValidationError({"non_field_errors": [error.sentence]}) from error
