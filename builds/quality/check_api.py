"""Checks in the API."""

from __future__ import annotations

from django.db.models import QuerySet
from django_filters.filters import CharFilter, ChoiceFilter, NumberFilter
from django_filters.rest_framework.filterset import FilterSet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from builds.quality import gates
from builds.quality.check_models import LEVELS, VERDICTS, CheckResult
from builds.quality.check_serializers import CheckOverrideSerializer, CheckSerializer
from debatomic.access.checks import person
from debatomic.access.refusals import allow


class CheckFilter(FilterSet):
    build = NumberFilter(field_name="build_id")
    check = CharFilter(field_name="check_name")
    verdict = ChoiceFilter(choices=VERDICTS)
    level = ChoiceFilter(choices=LEVELS)
    source = CharFilter(field_name="build__source")
    target = CharFilter(field_name="build__target__name")

    class Meta:
        model = CheckResult
        fields = ("architecture",)


class CheckViewSet(ReadOnlyModelViewSet[CheckResult]):
    """What was checked after builds, and what came of it."""

    public = True
    queryset = CheckResult.objects.all()
    serializer_class = CheckSerializer
    filterset_class = CheckFilter
    lookup_value_regex = r"\d+"

    def get_queryset(self) -> QuerySet[CheckResult]:
        found: QuerySet[CheckResult] = CheckResult.objects.visible_to(self.request.user).for_rows()
        return found.prefetch_related("task__artifacts")

    @extend_schema(request=None, responses=CheckSerializer)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Check again."""
        result = self.get_object()
        user = person(request.user)
        allow(result.can_retry(user), possible=not result.is_live, sentence="It has not ended.")
        gates.retry(result, by=user)
        return self.retrieve(request, pk=pk)

    @extend_schema(request=CheckOverrideSerializer, responses=CheckSerializer)
    @action(detail=True, methods=["post"])
    def override(self, request: Request, pk: str) -> Response:
        """Let the build into its tag although this check blocks it."""
        result = self.get_object()
        user = person(request.user)
        allow(result.can_override(user), possible=result.can_be_overridden, sentence="It blocks nothing.")
        asked = CheckOverrideSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        gates.override(result, by=user, reason=asked.validated_data["reason"])
        return self.retrieve(request, pk=pk)
