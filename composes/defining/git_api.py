"""Definitions that follow git, and their packages, in the API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from composes.defining import attachments, git_origins
from composes.models import Attachment, Definition, GitOrigin
from debatomic.access.checks import person
from debatomic.access.refusals import Conflict
from debatomic.access.rows import RowSerializer
from debatomic.tools.errors import InputError, ToolError
from hosts.api.serializers import TaskSerializer


class FollowSerializer(serializers.Serializer[Any]):
    """The branch that a definition follows; of a new definition the name is the one its treefile says."""

    name = serializers.CharField(max_length=50)
    url = serializers.CharField(max_length=500)
    branch = serializers.CharField(max_length=200, default="main")
    path = serializers.CharField(max_length=200, help_text="Of the main file in the repository.")


class OriginSerializer(RowSerializer[GitOrigin]):
    """What a definition follows, and what came of the last synchronisation."""

    name = serializers.CharField(source="definition.name", read_only=True)

    class Meta:
        model = GitOrigin
        fields = ("name", "url", "branch", "path", "commit", "synced_at", "fault")
        read_only_fields = fields


class AttachmentSerializer(RowSerializer[Attachment]):
    """A package that a treefile may name in `debs` as `debs/` and its name."""

    class Meta:
        model = Attachment
        fields = ("name", "sha256", "size", "created_at")
        read_only_fields = fields


class UploadedSerializer(serializers.Serializer[Any]):
    file = serializers.FileField()


class FollowingMixin(GenericViewSet[Definition]):
    """Verbs of the definitions' address."""

    @extend_schema(request=FollowSerializer, responses={201: OriginSerializer})
    @action(detail=False, methods=["post"])
    def follow(self, request: Request) -> Response:
        """Have a definition follow a branch of a git repository; synchronise it then."""
        asked = FollowSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        try:
            definition = git_origins.follow(**asked.validated_data, by=person(request.user))
        except InputError as error:
            raise serializers.ValidationError({error.field or "url": [error.sentence]}) from error
        return Response(OriginSerializer(git_origins.of(definition)).data, status=201)

    @extend_schema(responses=OriginSerializer, filters=False)
    @action(detail=True, pagination_class=None, filterset_fields=())
    def origin(self, request: Request, name: str) -> Response:
        """What it follows; 400 where that is nothing."""
        return Response(OriginSerializer(git_origins.of(self.get_object())).data)

    @extend_schema(request=None, responses={204: None})
    @action(detail=True, methods=["post"])
    def unfollow(self, request: Request, name: str) -> Response:
        """Let it be edited here again."""
        git_origins.unfollow(self.get_object(), by=person(request.user))
        return Response(status=204)

    @extend_schema(request=None, responses={201: TaskSerializer})
    @action(detail=True, methods=["post"])
    def sync(self, request: Request, name: str) -> Response:
        """Have a host fetch what it follows; answers with the task. 409 while one does so."""
        definition = self.get_object()
        git_origins.of(definition)
        try:
            task = git_origins.sync(definition, by=person(request.user))
        except ToolError as error:
            raise Conflict(error.sentence) from error
        return Response(TaskSerializer(task, context=self.get_serializer_context()).data, status=201)

    @extend_schema(request={"multipart/form-data": UploadedSerializer}, responses={201: AttachmentSerializer})
    @action(detail=True, methods=["post"], parser_classes=[MultiPartParser, JSONParser])
    def attach(self, request: Request, name: str) -> Response:
        """Give it a package (.deb)."""
        asked = UploadedSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        file = asked.validated_data["file"]
        try:
            made = attachments.add(self.get_object(), str(file.name), file, by=person(request.user))
        except InputError as error:
            raise serializers.ValidationError({"file": [error.sentence]}) from error
        return Response(AttachmentSerializer(made).data, status=201)
