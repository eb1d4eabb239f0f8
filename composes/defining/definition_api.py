"""Definitions and their revisions in the API."""

from __future__ import annotations

from typing import Any

from django.db.models import Prefetch, QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from composes.defining import definitions
from composes.defining.git_api import FollowingMixin
from composes.models import Definition, Revision
from debatomic.access.checks import person, readable
from debatomic.access.rows import RowSerializer


class DefinitionSerializer(RowSerializer[Definition]):
    """A definition with the variants of its newest revision."""

    revision = serializers.SerializerMethodField(help_text="The number of the newest revision.")
    variants = serializers.SerializerMethodField(help_text="By name: title and architectures.")

    class Meta:
        model = Definition
        fields = ("name", "title", "enabled", "revision", "variants")

    def _newest(self, definition: Definition) -> Revision | None:
        return next(iter(definition.revisions.all()), None)

    def get_revision(self, definition: Definition) -> int | None:
        newest = self._newest(definition)
        return newest.number if newest else None

    @extend_schema_field(OpenApiTypes.OBJECT)
    def get_variants(self, definition: Definition) -> dict[str, Any]:
        newest = self._newest(definition)
        return newest.variants if newest else {}


class RevisionSerializer(RowSerializer[Revision]):
    """The files of a definition at one time, as lists show it."""

    created_by = serializers.CharField(source="created_by.username", default=None, read_only=True)

    class Meta:
        model = Revision
        fields: tuple[str, ...] = (
            "number",
            "message",
            "commit",
            "author",
            "created_by",
            "created_at",
            "digest",
            "variants",
        )
        read_only_fields = fields


class RevisionDetailSerializer(RevisionSerializer):
    """A revision alone: with its files."""

    class Meta(RevisionSerializer.Meta):
        fields = (*RevisionSerializer.Meta.fields, "main", "files")
        read_only_fields = fields


class ReviseSerializer(serializers.Serializer[Any]):
    """All files of a definition; `main` is the one to run (the only one may be left out)."""

    files = serializers.DictField(child=serializers.CharField(trim_whitespace=False), allow_empty=False)
    main = serializers.CharField(max_length=150, required=False)
    message = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)
    base = serializers.IntegerField(min_value=0, default=0, help_text="The newest revision you know; 0: there is none.")

    def validate(self, asked: dict[str, Any]) -> dict[str, Any]:
        main = asked.setdefault("main", next(iter(asked["files"])) if len(asked["files"]) == 1 else "")
        if main not in asked["files"]:
            raise serializers.ValidationError({"main": "Name the one of the files that is to be run."})
        return asked


class DefinitionViewSet(FollowingMixin, ReadOnlyModelViewSet[Definition]):
    """What can be composed."""

    public = True
    rights = dict.fromkeys(("create", "revise", "follow", "unfollow", "sync", "attach"), "composes.define")
    queryset = Definition.objects.all()
    serializer_class = DefinitionSerializer
    filterset_fields = ("enabled",)
    lookup_field = "name"

    def get_queryset(self) -> QuerySet[Definition]:
        revisions = Revision.objects.newest().defer("files")
        definitions = Definition.objects.prefetch_related(Prefetch("revisions", queryset=revisions))
        return readable(definitions, self.request.user, "composes.view")

    @extend_schema(request=ReviseSerializer, responses={201: RevisionDetailSerializer})
    def create(self, request: Request) -> Response:
        """Make a definition; its name stands in its main file."""
        return self._revised(request, "")

    @extend_schema(request=ReviseSerializer, responses={201: RevisionDetailSerializer})
    @action(detail=True, methods=["post"])
    def revise(self, request: Request, name: str) -> Response:
        """Save a new revision; 400 with file and line for a mistake, and if somebody else was faster."""
        return self._revised(request, self.get_object().name)

    def _revised(self, request: Request, name: str) -> Response:
        asked = ReviseSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        revision = definitions.revise(name, by=person(request.user), **asked.validated_data)
        return Response(RevisionDetailSerializer(revision).data, status=201)

    @extend_schema(responses=RevisionSerializer(many=True), filters=False)
    @action(detail=True)
    def revisions(self, request: Request, name: str) -> Response:
        """Its revisions, newest first."""
        found: Any = self._all_revisions().defer("files")
        return self.get_paginated_response(RevisionSerializer(self.paginate_queryset(found), many=True).data)

    @extend_schema(responses=RevisionDetailSerializer)
    @action(detail=True, url_path=r"revisions/(?P<number>[0-9]{1,9})")
    def revision(self, request: Request, name: str, number: str) -> Response:
        """One revision with its files."""
        return Response(RevisionDetailSerializer(get_object_or_404(self._all_revisions(), number=int(number))).data)

    def _all_revisions(self) -> QuerySet[Revision]:
        found: QuerySet[Revision] = Revision.objects.filter(definition=self.get_object())
        return found.select_related("created_by")
