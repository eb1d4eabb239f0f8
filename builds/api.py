"""Builds and targets in the API."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet
from django_filters.filters import CharFilter, ChoiceFilter, MultipleChoiceFilter
from django_filters.rest_framework.filterset import FilterSet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from builds.models import BinaryPackage, Build, Comparison, TagEntry, Target
from builds.quality.check_filters import CHECKED, checked
from builds.quality.check_serializers import VerdictSerializer
from builds.quality.target_api import ChecksOfTarget
from builds.submitting.rebuilds import asked
from builds.submitting.signatures import Checking
from builds.submitting.target_forms import demand
from chroots.engine.binnmu import LONGEST, MOST
from debatomic.access.checks import may, person, readable, require
from debatomic.access.fields import NameField
from debatomic.access.idempotency import HEADER, submitted
from debatomic.access.refusals import allow
from debatomic.access.rows import RowSerializer
from hosts.api.serializers import ArtifactSerializer, LinesField, RunByTask, WishesSerializer
from hosts.causes import CHOICES
from hosts.models import Artifact, State, Task
from hosts.queue.wishes import Wishes

OF_A_BUILD = (
    "id", "source", "version", "target", "origin", "scratch", "signature", "signed_by", "git_url", "git_commit",
    "binnmu", "binnmu_reason",
    "state", "reason", "kind", "cause", "progress", "task",
    "cancel_asked", "checks", "created_by", "created_at", "started_at", "finished_at", "page",
)  # fmt: skip


class TargetSerializer(RowSerializer[Target]):
    """Where builds are made, and the tag that takes them."""

    chroots: Any = serializers.SlugRelatedField(slug_field="name", many=True, read_only=True)
    tag: Any = serializers.SlugRelatedField(slug_field="name", read_only=True)
    channel: Any = serializers.SlugRelatedField(slug_field="name", read_only=True)

    class Meta:
        model = Target
        fields = ("name", "description", "chroots", "tag", "channel", "enabled", "once", "signatures",
                  "fingerprints")  # fmt: skip


class DemandSerializer(serializers.Serializer[Any]):
    """`signatures` of uploads; `keyring`: armored public keys; `fingerprints`: of those that may sign, one a line."""

    once = serializers.BooleanField(required=False)
    signatures = serializers.ChoiceField(choices=Checking.choices, required=False)
    keyring = serializers.CharField(required=False, allow_blank=True)
    fingerprints = serializers.CharField(required=False, allow_blank=True)


class TargetViewSet(ChecksOfTarget, ReadOnlyModelViewSet[Target]):
    """What builds can be made for."""

    public = True
    rights = {"partial_update": "targets.edit"}
    queryset = Target.objects.all()
    serializer_class = TargetSerializer
    filterset_fields = ("enabled",)
    lookup_field = "name"

    def get_queryset(self) -> QuerySet[Target]:
        targets = Target.objects.select_related("tag", "channel").prefetch_related("chroots")
        return readable(targets, self.request.user, "builds.view")

    @extend_schema(request=DemandSerializer, responses=TargetSerializer)
    def partial_update(self, request: Request, name: str) -> Response:
        """Change what it demands of what is submitted for it."""
        asked = DemandSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        target = demand(self.get_object(), asked.validated_data, by=person(request.user))
        return Response(self.get_serializer(target).data)


class SourceFileSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    sha256 = serializers.CharField()
    size = serializers.IntegerField()


@extend_schema_field(SourceFileSerializer(many=True))
class SourceFilesField(serializers.JSONField):
    """The files of the source package, as they were frozen at submit."""


class BinaryPackageSerializer(RowSerializer[BinaryPackage]):
    class Meta:
        model = BinaryPackage
        fields = ("name", "version", "architecture", "artifact")


class ComparedSerializer(serializers.Serializer[Any]):
    """One package beside the archive's of the same name, version and architecture."""

    name = serializers.CharField()
    verdict = serializers.ChoiceField(choices=("identical", "different", "absent"))
    note = serializers.CharField(allow_blank=True)
    sha256 = serializers.CharField()
    archive_sha256 = serializers.CharField(allow_blank=True)
    archive_url = serializers.CharField(allow_blank=True)
    reports = ArtifactSerializer(many=True)


class ComparisonSerializer(RowSerializer[Comparison]):
    """A build beside the archive; its state is its task's."""

    state = serializers.ChoiceField(choices=State.choices, source="task.state", read_only=True)
    reason = serializers.CharField(source="task.reason", read_only=True)
    packages = ComparedSerializer(many=True, read_only=True)

    class Meta:
        model = Comparison
        fields = ("task", "state", "reason", "packages", "created_at")


class BuildSerializer(RunByTask, RowSerializer[Build]):
    """A build as lists show it; its state is its task's."""

    target: Any = serializers.SlugRelatedField(slug_field="name", read_only=True)
    state = serializers.ChoiceField(choices=State.choices, source="task.state", read_only=True)
    checks = VerdictSerializer(source="verdicts", many=True, read_only=True)

    class Meta:
        model = Build
        fields: tuple[str, ...] = OF_A_BUILD
        read_only_fields = fields


class BuildDetailSerializer(BuildSerializer):
    """A build alone: with its source's files, what it made and where it is tagged."""

    files = SourceFilesField(read_only=True)
    decisive = LinesField(source="task.decisive", read_only=True)
    binaries = BinaryPackageSerializer(many=True, read_only=True)
    tags = serializers.SerializerMethodField()
    comparison = ComparisonSerializer(read_only=True, allow_null=True)

    class Meta(BuildSerializer.Meta):
        fields = (*OF_A_BUILD, "files", "decisive", "binaries", "tags", "comparison")
        read_only_fields = fields

    def get_tags(self, build: Build) -> list[str]:
        return [entry.tag.name for entry in build.tag_entries.all() if entry.ended_at is None]


class BuildWishesSerializer(WishesSerializer):
    """`after`: builds that must be completed before, so that builds can be chained."""

    after: Any = serializers.PrimaryKeyRelatedField(queryset=Build.objects.all(), many=True, required=False)


class SubmitSerializer(BuildWishesSerializer):
    """Build a source package of the archive: the newest version unless one is named."""

    source: Any = serializers.CharField(max_length=100)
    version = serializers.CharField(max_length=100, required=False, allow_blank=True)
    target = NameField("target", queryset=Target.objects.filter(enabled=True))
    scratch = serializers.BooleanField(default=False, help_text="Try it: the result is never tagged.")
    architectures = serializers.ListField(
        child=serializers.CharField(max_length=20), required=False, help_text="Only these of the target's."
    )
    binnmu_reason = serializers.CharField(
        max_length=LONGEST, required=False, allow_blank=True, trim_whitespace=False,
        help_text="Makes it a binary rebuild (binNMU), version X+bN; its changelog says this.",
    )  # fmt: skip
    binnmu = serializers.IntegerField(min_value=1, max_value=MOST, required=False, help_text="The N of X+bN.")


class UploadSerializer(serializers.Serializer[Any]):
    """Build an uploaded source package: its .dsc and every file that names."""

    files = serializers.ListField(child=serializers.FileField(), allow_empty=False)
    target = NameField("target", queryset=Target.objects.filter(enabled=True))
    scratch = serializers.BooleanField(default=False)
    architectures = serializers.ListField(child=serializers.CharField(max_length=20), required=False)


class BuildFilter(FilterSet):
    state = MultipleChoiceFilter(field_name="task__state", choices=State.choices, distinct=False)
    cause = MultipleChoiceFilter(field_name="task__cause", choices=CHOICES, distinct=False)
    target = CharFilter(field_name="target__name")
    created_by = CharFilter(field_name="created_by__username")
    tag = CharFilter(method="in_tag", help_text="In this tag now.")
    chroot = CharFilter(method="in_chroot", help_text="Built in this chroot.")
    verdict = ChoiceFilter(choices=CHECKED, method=checked, help_text="One of its checks says so.")

    class Meta:
        model = Build
        fields = ("source", "version", "origin", "scratch")

    def in_tag(self, builds: QuerySet[Build], _: str, name: str) -> QuerySet[Build]:
        return builds.filter(Exists(TagEntry.objects.at().filter(build=OuterRef("pk"), tag__name=name)))

    def in_chroot(self, builds: QuerySet[Build], _: str, name: str) -> QuerySet[Build]:
        return builds.filter(Exists(Task.objects.filter(parent=OuterRef("task"), chroot_use__chroot__name=name)))


class BuildViewSet(ReadOnlyModelViewSet[Build]):
    """Source packages in, binary packages out."""

    public = True
    queryset = Build.objects.all()
    serializer_class = BuildSerializer
    filterset_class = BuildFilter
    parser_classes = (JSONParser, MultiPartParser)
    lookup_value_regex = r"\d+"

    def get_queryset(self) -> QuerySet[Build]:
        builds = Build.objects.visible_to(self.request.user)
        return builds.for_rows() if self.action == "list" else builds.for_lists().prefetch_related(
            "binaries", "tag_entries__tag")  # fmt: skip

    def get_serializer_class(self) -> type[BuildSerializer]:
        return BuildSerializer if self.action == "list" else BuildDetailSerializer

    @extend_schema(
        request={"application/json": SubmitSerializer, "multipart/form-data": UploadSerializer},
        responses={201: BuildDetailSerializer},
        parameters=[OpenApiParameter(HEADER, str, OpenApiParameter.HEADER, description="Sent twice, it builds once.")],
    )
    def create(self, request: Request) -> Response:
        """Submit a build, of a source package in the archive (JSON) or of uploaded files (multipart)."""
        require(may(request.user, "builds.submit") or may(request.user, "builds.scratch"))
        _refuse_too_large(request)
        uploaded = (request.content_type or "").startswith("multipart/")
        asked = (UploadSerializer if uploaded else SubmitSerializer)(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        require(may(request.user, "builds.scratch" if wanted["scratch"] else "builds.submit"))
        return submitted(request, lambda: _submit(wanted, by=person(request.user)), self._show)

    @extend_schema(request=None, responses=BuildDetailSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Stop it on every architecture."""
        build = self.get_object()
        allow(build.can_cancel(person(request.user)), possible=build.is_live, sentence="It has ended already.")
        build.cancel(by=person(request.user))
        return self.retrieve(request, pk=pk)

    @extend_schema(request=None, responses=BuildDetailSerializer)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Run what failed of it again."""
        build = self.get_object()
        ended_badly = build.state in (State.FAILED, State.CANCELED)
        allow(
            build.can_retry(person(request.user)),
            possible=ended_badly,
            sentence="It has neither failed nor been canceled.",
        )
        build.retry(by=person(request.user))
        return self.retrieve(request, pk=pk)

    @extend_schema(request=None, responses=BuildDetailSerializer)
    @action(detail=True, methods=["post"])
    def compare(self, request: Request, pk: str) -> Response:
        """Have its packages compared with the archive's; `comparison` says what came of it."""
        build = self.get_object()
        user = person(request.user)
        allow(build.can_compare(user), possible=build.can_be_compared,
              sentence="It is not completed, or is being compared already.")  # fmt: skip
        build.compare(by=user)
        return self.retrieve(request, pk=pk)

    @extend_schema(responses=ArtifactSerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None, filterset_class=None)
    def artifacts(self, request: Request, pk: str) -> Response:
        """What it made: packages, changes, buildinfo and logs."""
        kept = self.get_object().artifacts & Artifact.objects.visible_to(request.user)
        return Response(ArtifactSerializer(kept, many=True, context=self.get_serializer_context()).data)

    @extend_schema(request=BuildWishesSerializer, responses={201: BuildDetailSerializer})
    @action(detail=True, methods=["post"])
    def resubmit(self, request: Request, pk: str) -> Response:
        """Build the same files as another build, with what is given changed."""
        build = self.get_object()
        allow(build.can_resubmit(person(request.user)), possible=not build.is_live, sentence="It has not ended.")
        asked = BuildWishesSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        wishes = _wishes(dict(asked.validated_data))
        return submitted(request, lambda: build.resubmit(by=person(request.user), wishes=wishes), self._show)

    def _show(self, build: Build) -> Any:
        return BuildDetailSerializer(build, context=self.get_serializer_context()).data


def _wishes(wanted: dict[str, Any]) -> Wishes:
    return WishesSerializer.wishes(wanted, [build.task for build in wanted.pop("after", ())])


def _submit(wanted: dict[str, Any], *, by: Any) -> Build:
    where = {"target": wanted["target"], "scratch": wanted["scratch"], "wishes": _wishes(dict(wanted)), "by": by,
             "architectures": wanted.get("architectures", ())}  # fmt: skip
    if "files" not in wanted:
        rebuild = asked(wanted.get("binnmu_reason", ""), wanted.get("binnmu"))
        return Build.objects.submit(source=wanted["source"], version=wanted.get("version", ""), **where,
                                    rebuild=rebuild)  # fmt: skip
    return Build.objects.submit_upload(files=[(file.name, file) for file in wanted["files"]], **where)


def _refuse_too_large(request: Request) -> None:
    """Before the body is read."""
    if int(request.headers.get("Content-Length") or 0) > settings.UPLOAD_LIMIT_BYTES:
        most = settings.UPLOAD_LIMIT_BYTES // 1024**2
        raise ValidationError({"files": [f"The files are larger than the {most} MiB this hub takes at once."]})
