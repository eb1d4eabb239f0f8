"""Maintenance windows in the API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from debatomic.access.checks import person
from debatomic.access.fields import NameField
from debatomic.access.rows import RowSerializer
from hosts.models import Channel, Host, Window
from hosts.queue import windows


class WindowSerializer(RowSerializer[Window]):
    """Nothing starts on the host or in the channel: from `starts_at` to `ends_at`, or `minutes` by a line of cron."""

    host: Any = NameField("host", queryset=Host.objects.all(), required=False, allow_null=True)
    channel: Any = NameField("channel", queryset=Channel.objects.all(), required=False, allow_null=True)
    cron = serializers.CharField(required=False, allow_blank=True, default="")
    time_zone = serializers.CharField(required=False, default="UTC")
    is_open = serializers.SerializerMethodField()

    class Meta:
        model = Window
        fields = ("id", "host", "channel", "reason", "starts_at", "ends_at", "cron", "time_zone", "minutes", "is_open")

    @extend_schema_field(serializers.BooleanField)
    def get_is_open(self, window: Window) -> bool:
        return window.is_open


class WindowViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.DestroyModelMixin, GenericViewSet[Window]):
    """When nothing starts."""

    rights = {"create": "hosts.edit", "destroy": "hosts.edit", "*": "hosts.view"}
    queryset = Window.objects.select_related("host", "channel")
    serializer_class = WindowSerializer
    lookup_value_regex = r"\d+"

    def create(self, request: Request) -> Response:
        """Have nothing start on a host or in a channel for a time."""
        asked = self.get_serializer(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = dict(asked.validated_data)
        made = windows.create(cron_line=wanted.pop("cron"), **wanted, by=person(request.user))
        return Response(self.get_serializer(made).data, status=status.HTTP_201_CREATED)

    def perform_destroy(self, instance: Window) -> None:
        windows.delete(instance, by=person(self.request.user))
