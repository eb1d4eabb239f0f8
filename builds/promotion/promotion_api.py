"""Promotion in the API: policies and their revisions, the tester, the board, and promoting."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from builds.models import Build, PromotionPolicy, PromotionRevision
from builds.promotion import policies, promoting
from builds.promotion.board import SHOWS, board
from builds.promotion.promoting import went
from debatomic.access.checks import person
from debatomic.access.rows import RowSerializer


class PromotionPolicySerializer(RowSerializer[PromotionPolicy]):
    """A path of tags with rules for its steps."""

    path = serializers.ListField(child=serializers.CharField(), read_only=True)
    revision = serializers.SerializerMethodField(help_text="The number of the newest revision.")

    class Meta:
        model = PromotionPolicy
        fields = ("name", "title", "path", "enabled", "revision")

    def get_revision(self, policy: PromotionPolicy) -> int:
        return policy.latest.number


class PromotionRevisionSerializer(RowSerializer[PromotionRevision]):
    """What a policy said at one time."""

    created_by = serializers.CharField(source="created_by.username", read_only=True)

    class Meta:
        model = PromotionRevision
        fields = ("number", "message", "created_by", "created_at", "text")


class PolicyReviseSerializer(serializers.Serializer[Any]):
    """`base`: the newest revision you know."""

    text = serializers.CharField(trim_whitespace=False)
    message = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)
    base = serializers.IntegerField(min_value=1)


class PolicyCreateSerializer(serializers.Serializer[Any]):
    name = serializers.SlugField(max_length=50)
    text = serializers.CharField(trim_whitespace=False)
    message = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)


class PromotionSeenSerializer(serializers.Serializer[Any]):
    """A condition: what was wanted, and what there is."""

    name = serializers.CharField()
    wanted = serializers.CharField()
    found = serializers.CharField()
    met = serializers.BooleanField()


class PromotionVerdictSerializer(serializers.Serializer[Any]):
    """What one rule says: passed, failed, warned or skipped."""

    rule = serializers.CharField()
    verdict = serializers.CharField()
    sentence = serializers.CharField()
    level = serializers.CharField()
    values: Any = PromotionSeenSerializer(many=True)


class PromotionCandidateSerializer(serializers.Serializer[Any]):
    """A build and a step; `obstacles` cannot be overridden."""

    build = serializers.IntegerField(source="build.pk")
    package = serializers.CharField(source="build.source")
    version = serializers.CharField(source="build.version")
    came_from = serializers.CharField(source="source.name")
    to = serializers.CharField(source="to.name")
    can_move = serializers.BooleanField()
    obstacles = serializers.ListField(child=serializers.CharField())
    verdicts = PromotionVerdictSerializer(many=True)


class PromotedBuildsSerializer(serializers.Serializer[Any]):
    """What went, and what stays with the reasons."""

    promoted = PromotionCandidateSerializer(many=True)
    held = PromotionCandidateSerializer(many=True)


class PromotionBoardSerializer(serializers.Serializer[Any]):
    """`after`: ask again with it for the next page; empty at the end."""

    candidates = PromotionCandidateSerializer(many=True)
    after = serializers.CharField(allow_blank=True)


class PromoteBuildsSerializer(serializers.Serializer[Any]):
    """`source`: the tag they leave; `revision`: the policy's that you looked at."""

    source: Any = serializers.CharField(max_length=50)
    builds = serializers.ListField(child=serializers.IntegerField(min_value=1), min_length=1,
                                   max_length=promoting.MOST_AT_ONCE)  # fmt: skip
    revision = serializers.IntegerField(min_value=1)
    override = serializers.BooleanField(default=False)
    reason = serializers.CharField(max_length=promoting.MOST_REASON, required=False, default="", allow_blank=True)


class PromotionStepSerializer(serializers.Serializer[Any]):
    """`to`: the next tag of the path if left out."""

    source: Any = serializers.CharField(max_length=50)
    to = serializers.CharField(max_length=50, required=False, default="")
    build = serializers.IntegerField(min_value=1)


class BoardQuerySerializer(serializers.Serializer[Any]):
    source: Any = serializers.CharField(required=False, default="", help_text="Packages whose names begin so.")
    after = serializers.CharField(required=False, default="")
    show = serializers.ChoiceField([show for show in SHOWS if show], required=False, default="")


class PromotionPolicyViewSet(ReadOnlyModelViewSet[PromotionPolicy]):
    """How builds go from tag to tag."""

    public = True
    rights = {**dict.fromkeys(("create", "revise", "enable", "disable"), "tags.policies"), "promote": "tags.promote"}
    queryset = PromotionPolicy.objects.all()
    serializer_class = PromotionPolicySerializer
    filterset_class: Any = None  # actions say so of themselves
    filterset_fields = ("enabled",)
    lookup_field = "name"

    def get_queryset(self) -> QuerySet[PromotionPolicy]:
        found: QuerySet[PromotionPolicy] = PromotionPolicy.objects.visible_to(self.request.user)
        return found

    @extend_schema(request=PolicyCreateSerializer, responses={201: PromotionRevisionSerializer})
    def create(self, request: Request) -> Response:
        """Make a policy; 400 with the line of a mistake in its text."""
        asked = PolicyCreateSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        revision = policies.create(by=person(request.user), **asked.validated_data)
        return Response(PromotionRevisionSerializer(revision).data, status=201)

    @extend_schema(request=PolicyReviseSerializer, responses={201: PromotionRevisionSerializer})
    @action(detail=True, methods=["post"])
    def revise(self, request: Request, name: str) -> Response:
        """Save a new revision; 400 with the line of a mistake, and if somebody else was faster."""
        asked = PolicyReviseSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        revision = policies.revise(self.get_object(), by=person(request.user), **asked.validated_data)
        return Response(PromotionRevisionSerializer(revision).data, status=201)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def enable(self, request: Request, name: str) -> Response:
        """Let it promote."""
        policies.switch(self.get_object(), enabled=True, by=person(request.user))
        return self.retrieve(request, name=name)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def disable(self, request: Request, name: str) -> Response:
        """Let it promote no more."""
        policies.switch(self.get_object(), enabled=False, by=person(request.user))
        return self.retrieve(request, name=name)

    @extend_schema(responses=PromotionRevisionSerializer(many=True), filters=False)
    @action(detail=True, filterset_class=None)
    def revisions(self, request: Request, name: str) -> Response:
        """Its revisions with their texts, newest first."""
        rows = PromotionRevision.objects.filter(policy=self.get_object())
        found: Any = rows.select_related("created_by").order_by("-pk")
        return self.get_paginated_response(PromotionRevisionSerializer(self.paginate_queryset(found), many=True).data)

    @extend_schema(parameters=[PromotionStepSerializer], responses=PromotionCandidateSerializer, filters=False)
    @action(detail=True, pagination_class=None, filterset_class=None)
    def test(self, request: Request, name: str) -> Response:
        """What each rule would say if you promoted a build, and what it looked at."""
        policy = self.get_object()
        asked = PromotionStepSerializer(data=request.GET)
        asked.is_valid(raise_exception=True)
        told = asked.validated_data
        build = get_object_or_404(self._builds(), pk=told["build"])
        here, there = promoting.step(content := policy.latest.content, told["source"], told["to"])
        (found,) = promoting.preview(content, [build], source=here, to=there, by=request.user)
        return Response(PromotionCandidateSerializer(found).data)

    @extend_schema(parameters=[BoardQuerySerializer], responses=PromotionBoardSerializer, filters=False)
    @action(detail=True, pagination_class=None, filterset_class=None)
    def candidates(self, request: Request, name: str) -> Response:
        """The board: of each source package, by name, what could go on and what holds it back."""
        policy = self.get_object()
        asked = BoardQuerySerializer(data=request.GET)
        asked.is_valid(raise_exception=True)
        told = asked.validated_data
        page = board(policy.latest.content, by=request.user, begins=told["source"], after=told["after"],
                     show=told["show"])  # fmt: skip
        found = [each for row in page.rows for each in row.candidates]
        return Response(PromotionBoardSerializer({"candidates": found, "after": page.after}).data)

    @extend_schema(request=PromoteBuildsSerializer, responses=PromotedBuildsSerializer)
    @action(detail=True, methods=["post"])
    def promote(self, request: Request, name: str) -> Response:
        """Have builds go a step, as far as the policy lets them; `override` needs a right and a reason."""
        policy = self.get_object()
        asked = PromoteBuildsSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        told = dict(asked.validated_data)
        builds = self._of(told.pop("builds"))
        found = promoting.promote(policy, builds, by=person(request.user), **told)
        gone = [each for each in found if went(each, override=told["override"])]
        answer = {"promoted": gone, "held": [each for each in found if each not in gone]}
        return Response(PromotedBuildsSerializer(answer).data)

    def _builds(self) -> QuerySet[Build]:
        found: QuerySet[Build] = Build.objects.visible_to(self.request.user)
        return found.select_related("task", "created_by", "target")

    def _of(self, numbers: list[int]) -> list[Build]:
        """These builds. Raises ValidationError naming the first that there is not."""
        there = self._builds().in_bulk(numbers)
        if missing := [number for number in numbers if number not in there]:
            raise serializers.ValidationError({"builds": [f"There is no build {missing[0]}."]})
        return [there[number] for number in numbers]
