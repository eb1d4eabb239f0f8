"""Two builds of a source package side by side, in the API."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from builds.api import BuildSerializer
from builds.comparing.choosing import chosen, of_package
from builds.comparing.difference import difference
from builds.quality.check_serializers import VerdictSerializer
from debatomic.tools.errors import InputError


class PairSerializer(serializers.Serializer[Any]):
    """Before and after; null: there was, or is, none."""

    name = serializers.CharField()
    architecture = serializers.CharField(allow_blank=True)


class SourceFilePairSerializer(PairSerializer):
    """SHA-256 of a source file."""

    old = serializers.CharField(allow_null=True)
    new = serializers.CharField(allow_null=True)


class SecondsPairSerializer(PairSerializer):
    """Seconds of a phase; of `whole`: from start to end."""

    old = serializers.FloatField(allow_null=True)
    new = serializers.FloatField(allow_null=True)


class VerdictPairSerializer(PairSerializer):
    """What a check said."""

    old = VerdictSerializer(allow_null=True)
    new = VerdictSerializer(allow_null=True)


class BinaryOfPairSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    version = serializers.CharField()
    size = serializers.IntegerField(source="artifact.size")
    sha256 = serializers.CharField(source="artifact.sha256")


class BinaryPairSerializer(PairSerializer):
    """`growth`: bytes that its file is larger."""

    what = serializers.ChoiceField(choices=("added", "removed", "changed", "identical"))
    old = BinaryOfPairSerializer(allow_null=True)
    new = BinaryOfPairSerializer(allow_null=True)
    growth = serializers.IntegerField(allow_null=True)


class RelationSerializer(serializers.Serializer[Any]):
    """A relation of a package that both builds have."""

    name = serializers.CharField()
    architecture = serializers.CharField()
    field = serializers.CharField(source="change.field")
    before = serializers.CharField(source="change.before", allow_blank=True)
    after = serializers.CharField(source="change.after", allow_blank=True)


class FileChangeSerializer(serializers.Serializer[Any]):
    """A path that came or went in a package that both builds have."""

    name = serializers.CharField()
    architecture = serializers.CharField()
    what = serializers.ChoiceField(choices=("added", "removed"), source="change.what")
    path = serializers.CharField(source="change.name")


class BuildrootChangeSerializer(serializers.Serializer[Any]):
    """A package of the buildroot, by the .buildinfo."""

    architecture = serializers.CharField()
    what = serializers.CharField(source="change.what")
    name = serializers.CharField(source="change.name")
    before = serializers.CharField(source="change.before", allow_blank=True)
    after = serializers.CharField(source="change.after", allow_blank=True)


class BuildDifferenceSerializer(serializers.Serializer[Any]):
    """`files` are the first 10,000, and `files_untold` says how many there are beyond; `unknown`: packages of both
    whose lists of files are not known (yet)."""

    old = BuildSerializer(source="old.build")
    new = BuildSerializer(source="new.build")
    sources = SourceFilePairSerializer(many=True)
    packages = BinaryPairSerializer(many=True)
    relations = RelationSerializer(many=True)
    files = FileChangeSerializer(many=True, source="files_told")
    files_untold = serializers.IntegerField()
    unknown = serializers.ListField(child=serializers.CharField())
    checks = VerdictPairSerializer(many=True)
    times = SecondsPairSerializer(many=True)
    buildroots = BuildrootChangeSerializer(many=True)


class DifferenceView(APIView):
    """What a build has otherwise than another of the same source package."""

    public = True

    @extend_schema(responses=BuildDifferenceSerializer, operation_id="packages_difference_retrieve", parameters=[
        OpenApiParameter("from", int, description="The older build; without: the one completed before `to`."),
        OpenApiParameter("to", int, description="The newer build; without: the newest completed one."),
    ])  # fmt: skip
    def get(self, request: Request, name: str) -> Response:
        """Source, packages with sizes, relations, files, checks, times and buildroots of two builds."""
        builds = of_package(name, request.user)
        if not builds.exists():
            raise Http404
        try:
            found = difference(*chosen(builds, request.GET))
        except InputError as error:
            raise serializers.ValidationError({"non_field_errors": [error.sentence]}) from error
        return Response(BuildDifferenceSerializer(found, context={"request": request}).data)
