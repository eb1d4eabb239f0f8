"""What else the API does with a tag: open and closed, from one to another, and its past."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from builds.models import Build
from builds.promotion import around
from builds.tagging import changing
from builds.tagging.tag_forms import LONGEST_REASON, TagForm
from builds.tagging.tag_models import Tag, TagEntry
from debatomic.access.checks import may, person, require
from debatomic.access.fields import NameField
from debatomic.access.rows import RowSerializer

NO_FIELD = "non_field_errors"


class TagReasonSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=LONGEST_REASON, required=False, allow_blank=True, default="")


class TagBuildSerializer(TagReasonSerializer):
    """Which build, and why."""

    build: Any = serializers.PrimaryKeyRelatedField(queryset=Build.objects.select_related("task"))


class TagMoveSerializer(TagBuildSerializer):
    """To which tag, too."""

    to: Any = NameField("tag", queryset=Tag.objects.all())


class TagSourceSerializer(serializers.Serializer[Any]):
    """Which source package."""

    source: Any = serializers.CharField(max_length=100)


class BlockSerializer(TagSourceSerializer, TagReasonSerializer):
    """Which source package, and why."""


class TagEditSerializer(serializers.Serializer[Any]):
    """What a tag is; `parents` are tags, the first asked first, each with patterns of source packages if not all pass.

    What is left out stays as it is.
    """

    name = serializers.SlugField(max_length=50, required=False)
    description = serializers.CharField(max_length=200, required=False, allow_blank=True)
    versions = serializers.IntegerField(min_value=0, max_value=1000, required=False)
    parents = serializers.ListField(child=serializers.CharField(max_length=600), required=False, max_length=50)


class TagEntrySerializer(RowSerializer[TagEntry]):
    """That a build was in a tag: since when, until when, by whom and why."""

    source: Any = serializers.CharField(source="build.source", read_only=True)
    version = serializers.CharField(source="build.version", read_only=True)
    began_by = serializers.CharField(source="began_by.username", default=None, read_only=True)
    ended_by = serializers.CharField(source="ended_by.username", default=None, read_only=True)

    class Meta:
        model = TagEntry
        fields = ("build", "source", "version", "began_at", "began_by", "reason", "ended_at", "ended_by", "end_reason")


class TagVerbsMixin(GenericViewSet[Tag]):
    """Beside what TagViewSet does."""

    @extend_schema(request=TagEditSerializer)
    def create(self, request: Request) -> Response:
        """Make a tag."""
        require(may(request.user, "tags.edit"))
        return self._saved(request, None, status=201)

    @extend_schema(request=TagEditSerializer)
    def partial_update(self, request: Request, name: str) -> Response:
        """Change what is given of it."""
        tag = self.get_object()
        require(may(request.user, "tags.edit"))
        return self._saved(request, tag)

    def _saved(self, request: Request, tag: Tag | None, *, status: int = 200) -> Response:
        asked = TagEditSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        form = TagForm(_as_form(asked.validated_data, tag), tag=tag)
        made = form.save(by=person(request.user)) if form.is_valid() else None
        if made is None:
            told = {str(field): [str(each) for each in said] for field, said in form.errors.items()}
            raise serializers.ValidationError({NO_FIELD if field == "__all__" else field: said
                                               for field, said in told.items()})  # fmt: skip
        row = Tag.objects.select_related("repository").get(pk=made.pk)
        return Response(self.get_serializer(row).data, status=status)

    @extend_schema(request=TagSourceSerializer)
    @action(detail=True, methods=["post"])
    def unblock(self, request: Request, name: str) -> Response:
        """Let a source package be in it again."""
        return self.acted(request, TagSourceSerializer, changing.unblock)

    @extend_schema(request=TagReasonSerializer)
    @action(detail=True, methods=["post"])
    def lock(self, request: Request, name: str) -> Response:
        """Let nothing enter or leave."""
        return self.acted(request, TagReasonSerializer, lambda tag, **told: changing.lock(tag, locked=True, **told))

    @extend_schema(request=TagReasonSerializer)
    @action(detail=True, methods=["post"])
    def unlock(self, request: Request, name: str) -> Response:
        """Let builds enter and leave again."""
        return self.acted(request, TagReasonSerializer, lambda tag, **told: changing.lock(tag, locked=False, **told))

    @extend_schema(request=TagMoveSerializer)
    @action(detail=True, methods=["post"])
    def move(self, request: Request, name: str) -> Response:
        """Have a build leave it for another tag, at once; into what a policy fills only with a reason."""
        return self.acted(request, TagMoveSerializer, _moved)

    @extend_schema(responses=TagEntrySerializer(many=True), filters=False, parameters=[
        OpenApiParameter("source", str, description="Of source packages whose names begin so."),
    ])  # fmt: skip
    @action(detail=True, filterset_class=None)
    def history(self, request: Request, name: str) -> Response:
        """Every entry there was, newest first."""
        visible = Build.objects.visible_to(request.user)
        entries = self.get_object().entries.filter(build__in=visible).select_related("build", "began_by", "ended_by")
        found = entries.filter(build__source__startswith=request.GET.get("source", "").lower()).order_by("-pk")
        return self.get_paginated_response(TagEntrySerializer(self.paginate_queryset(found), many=True).data)

    def acted(self, request: Request, asks: type[serializers.Serializer[Any]], act: Callable[..., None]) -> Response:
        """Do it to the tag with what was asked; the tag as it is then. An InputError is answered with 400."""
        tag = self.get_object()
        require(may(request.user, "tags.edit"))
        asked = asks(data=request.data)
        asked.is_valid(raise_exception=True)
        act(tag, by=person(request.user), **asked.validated_data)
        return Response(self.get_serializer(self.get_object()).data)


def added(tag: Tag, build: Build, *, by: Any, reason: str = "") -> None:
    """Tag a build by hand."""
    around.check(tag, build, by=by, reason=reason)
    changing.add(tag, build, by=by, reason=reason)


def _moved(tag: Tag, build: Build, *, to: Tag, by: Any, reason: str = "") -> None:
    around.check(to, build, by=by, reason=reason)
    changing.move(build, source=tag, to=to, by=by, reason=reason)


def _as_form(told: dict[str, Any], tag: Tag | None) -> dict[str, Any]:
    """What was told, over what is there, as the form of the page has it."""
    there: dict[str, Any] = {"versions": 1}
    if tag:
        lines = tag.parents.at().select_related("parent").order_by("priority")
        there = {"description": tag.description, "versions": tag.versions,
                 "parents": [f"{line.parent} {line.packages}" for line in lines]}  # fmt: skip
    wanted = there | told
    return wanted | {"parents": "\n".join(" ".join(line.split()) for line in wanted.get("parents", []))}
