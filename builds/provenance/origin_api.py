"""Binary packages and their attestations in the API."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.db.models import QuerySet
from django_filters.filters import CharFilter, NumberFilter
from django_filters.rest_framework.filterset import FilterSet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from builds.api import SourceFileSerializer
from builds.models import BinaryPackage, Build
from builds.provenance.attestation_models import Attestation
from builds.provenance.origin import Origin, origin
from hosts.api.serializers import ArtifactSerializer


class BinarySerializer(serializers.ModelSerializer[BinaryPackage]):
    """A package that was built here."""

    source: Any = serializers.CharField(source="build.source", read_only=True)
    sha256 = serializers.CharField(source="artifact.sha256", read_only=True)

    class Meta:
        model = BinaryPackage
        fields: tuple[str, ...] = ("id", "name", "version", "architecture", "source", "build", "artifact", "sha256")


class InstalledSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    version = serializers.CharField()
    architecture = serializers.CharField(allow_blank=True)


class BuildrootSerializer(serializers.Serializer[Any]):
    """`installed`: packages with versions, by the .buildinfo."""

    chroot = serializers.CharField(allow_blank=True)
    base = serializers.JSONField()
    layer = serializers.CharField(allow_blank=True)
    installed = InstalledSerializer(many=True)


class WentSerializer(serializers.Serializer[Any]):
    """`until` is none where it is there now."""

    name = serializers.CharField()
    since = serializers.CharField()
    until = serializers.CharField(allow_null=True)


class UseSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField()
    id = serializers.IntegerField()
    name = serializers.CharField()
    state = serializers.CharField()
    page = serializers.CharField()


class AttestationSerializer(serializers.ModelSerializer[Attestation]):
    """A signed statement: an in-toto statement with SLSA provenance in a DSSE envelope; `keys` are fingerprints."""

    architecture = serializers.CharField(source="task.architecture", read_only=True)
    envelope = ArtifactSerializer(read_only=True, allow_null=True)
    keys = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = Attestation
        fields = ("task", "architecture", "envelope", "keys")


class ProvenanceSerializer(BinarySerializer):
    """Where a package comes from, and where it went."""

    version_of_source = serializers.CharField(source="build.source_version")
    submitted_by = serializers.CharField()
    source_files = SourceFileSerializer(many=True)
    task = serializers.IntegerField(allow_null=True)
    host = serializers.CharField(allow_blank=True)
    buildroot = BuildrootSerializer()
    buildinfo = serializers.IntegerField(allow_null=True, help_text="The artifact.")
    attestation = AttestationSerializer(allow_null=True)
    tags = WentSerializer(many=True)
    repositories = WentSerializer(many=True)
    uses = UseSerializer(many=True)
    made_alike = serializers.ListField(child=serializers.IntegerField())

    class Meta(BinarySerializer.Meta):
        fields = (*BinarySerializer.Meta.fields, "version_of_source", "submitted_by", "source_files", "task", "host",
                  "buildroot", "buildinfo", "attestation", "tags", "repositories", "uses", "made_alike")  # fmt: skip


class BinaryFilter(FilterSet):
    sha256 = CharFilter(field_name="artifact__sha256", help_text="Of the .deb.")

    class Meta:
        model = BinaryPackage
        fields = ("name", "version", "architecture", "build")


class BinaryViewSet(ReadOnlyModelViewSet[BinaryPackage]):
    """Packages that were built here; one alone tells its provenance."""

    public = True
    queryset = BinaryPackage.objects.all()
    serializer_class = BinarySerializer
    filterset_class = BinaryFilter
    lookup_value_regex = r"\d+"

    def get_queryset(self) -> QuerySet[BinaryPackage]:
        visible = BinaryPackage.objects.filter(build__in=Build.objects.visible_to(self.request.user))
        return visible.select_related("artifact", "build__target", "build__created_by")

    @extend_schema(responses=ProvenanceSerializer)
    def retrieve(self, request: Request, pk: str) -> Response:
        """Source, buildroot, host, who asked, attestation, and the tags, repositories and composes that have it."""
        package = self.get_object()
        context = self.get_serializer_context()
        return Response({**BinarySerializer(package).data, **_told(origin(package, request.user), context)})


def _told(found: Origin, context: Any) -> dict[str, Any]:
    build, task = found.package.build, found.task
    signed = found.attestation
    return {
        "version_of_source": build.source_version, "submitted_by": str(build.created_by), "source_files": build.files,
        "task": task and task.pk, "host": str(task.host) if task and task.host else "",
        "buildroot": {"chroot": found.chroot, "base": found.base, "layer": found.layer,
                      "installed": [asdict(each) for each in found.installed]},
        "buildinfo": found.buildinfo and found.buildinfo.pk,
        "attestation": AttestationSerializer(signed, context=context).data if signed else None,
        "tags": [{"name": each.tag.name, "since": each.began_at, "until": each.ended_at} for each in found.entries],
        "repositories": [{"name": each.repository.suite, "since": each.first.name,
                          "until": each.end.name if each.end else None} for each in found.holdings],
        "uses": [asdict(each) for each in found.uses], "made_alike": [each.pk for each in found.rebuilt],
    }  # fmt: skip


class AttestationFilter(FilterSet):
    build = NumberFilter(field_name="task__parent__build")

    class Meta:
        model = Attestation
        fields: tuple[str, ...] = ()


class AttestationViewSet(ReadOnlyModelViewSet[Attestation]):
    """Signed statements of completed builds, one for each architecture; `envelope` is the artifact to download."""

    public = True
    queryset = Attestation.objects.all()
    serializer_class = AttestationSerializer
    filterset_class = AttestationFilter
    lookup_value_regex = r"\d+"

    def get_queryset(self) -> QuerySet[Attestation]:
        builds = Build.objects.visible_to(self.request.user)
        return Attestation.objects.filter(task__parent__build__in=builds).select_related("task", "envelope")
