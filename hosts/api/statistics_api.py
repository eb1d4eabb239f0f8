"""Statistics and retention in the API."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from hosts.fleet import statistics
from hosts.kept import retention
from hosts.models import PeriodCount


class AskedSerializer(serializers.Serializer[Any]):
    by = serializers.ChoiceField(choices=PeriodCount.Dimension.choices, default=PeriodCount.Dimension.ALL)
    days = serializers.IntegerField(min_value=1, max_value=3660, default=30)
    most = serializers.IntegerField(min_value=1, max_value=10_000, default=200, help_text="Rows, for names.")


class FiguresSerializer(serializers.Serializer[Any]):
    """Attempts of one name or day (UTC); waits and durations are seconds, success a share of 1."""

    name = serializers.CharField()
    attempts = serializers.IntegerField()
    completed = serializers.IntegerField()
    failed = serializers.IntegerField()
    lost = serializers.IntegerField()
    canceled = serializers.IntegerField()
    success = serializers.FloatField(allow_null=True)
    mean_wait = serializers.FloatField()
    longest_wait = serializers.FloatField()
    mean_run = serializers.FloatField()
    longest_run = serializers.FloatField()


class StatisticsSerializer(serializers.Serializer[Any]):
    by = serializers.CharField()
    days = serializers.IntegerField()
    rows = FiguresSerializer(many=True)


class AgesSerializer(serializers.Serializer[Any]):
    """Days to try out instead of the settings'; 0: never."""

    logs = serializers.IntegerField(min_value=0, max_value=retention.MOST_DAYS, required=False)
    artifacts = serializers.IntegerField(min_value=0, max_value=retention.MOST_DAYS, required=False)
    tasks = serializers.IntegerField(min_value=0, max_value=retention.MOST_DAYS, required=False)


class PlanSerializer(serializers.Serializer[Any]):
    """What of one kind would go; `size` in bytes."""

    kind = serializers.CharField()
    days = serializers.IntegerField()
    number = serializers.IntegerField()
    size = serializers.IntegerField()
    oldest = serializers.DateTimeField(allow_null=True)
    examples = serializers.ListField(child=serializers.CharField())


class RetentionViewSet(ViewSet):
    """What retention would remove; asking removes nothing."""

    rights: ClassVar = {"*": "retention.view"}

    @extend_schema(parameters=[AgesSerializer], responses=PlanSerializer(many=True))
    def list(self, request: Request) -> Response:
        """By the ages of the settings, or by those given."""
        asked = AgesSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        plans = retention.plans(retention.changed(asked.validated_data))
        return Response(PlanSerializer(plans, many=True).data)


class StatisticsViewSet(ViewSet):
    """How attempts ended, waited and ran, by day, package, target, architecture, host or method."""

    rights: ClassVar = {"*": "tasks.view"}

    @extend_schema(parameters=[AskedSerializer], responses=StatisticsSerializer)
    def list(self, request: Request) -> Response:
        """Days newest first; names with most attempts first."""
        asked = AskedSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        by, days = asked.validated_data["by"], asked.validated_data["days"]
        rows = statistics.figures(by, days, asked.validated_data["most"])
        return Response({"by": by, "days": days, "rows": [row.told for row in rows]})
