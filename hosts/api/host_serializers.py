"""What the API says of hosts."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from debatomic.access.rows import RowSerializer
from hosts.api.serializers import LinesField
from hosts.fleet import history, registering
from hosts.models import Channel, Host, Registration, ScalingAct


class ProblemSerializer(serializers.Serializer[Any]):
    """What a health check found, and what mends it."""

    name = serializers.CharField()
    found = serializers.CharField()
    mend = serializers.CharField()


@extend_schema_field(ProblemSerializer(many=True))
class ProblemsField(serializers.JSONField):
    """Problems as they are kept."""


class HostSerializer(RowSerializer[Host]):
    """A machine: `used` is the sum of the weights of what it runs, of `capacity`.

    `state` is what people decided (`comment` says why); `in_service` whether it takes tasks now, `out_of_service` why
    not: its state, its quarantine or `problems` of its health checks, which end by themselves.
    """

    channels: Any = serializers.SlugRelatedField(slug_field="name", many=True, read_only=True)
    architectures = LinesField(read_only=True)
    labels = LinesField(read_only=True)
    problems = ProblemsField(read_only=True)
    state_by: Any = serializers.SlugRelatedField(slug_field="username", read_only=True)
    in_service = serializers.BooleanField(read_only=True)
    out_of_service = serializers.SerializerMethodField()
    is_alive = serializers.BooleanField(read_only=True)
    used = serializers.FloatField(read_only=True)
    page = serializers.SerializerMethodField()

    class Meta:
        model = Host
        fields = (
            "name", "architectures", "channels", "labels", "capacity", "used", "is_hub", "is_alive", "in_service",
            "out_of_service", "state", "comment", "state_by", "state_at", "problems", "quarantine", "quarantined_at",
            "warning", "seen_at", "report", "page",
        )  # fmt: skip
        read_only_fields = fields

    def get_out_of_service(self, host: Host) -> str:
        return f"{host} {host.out_of_service}" if host.out_of_service else ""


class ReasonSerializer(serializers.Serializer[Any]):
    """Why; maintenance needs it."""

    reason = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class HostChangeSerializer(serializers.Serializer[Any]):
    """What a host serves; what is not given stays."""

    architectures = serializers.ListField(child=serializers.CharField(max_length=20), required=False)
    channels: Any = serializers.SlugRelatedField(
        slug_field="name", many=True, queryset=Channel.objects.all(), required=False
    )
    labels = serializers.ListField(child=serializers.CharField(max_length=60), required=False)
    capacity = serializers.FloatField(required=False, min_value=0.01, max_value=registering.MOST_CAPACITY)


class RegistrationSerializer(RowSerializer[Registration]):
    """A one-time token, without the token: `state` is open, used (by `host`) or expired."""

    channels: Any = serializers.SlugRelatedField(slug_field="name", many=True, read_only=True)
    architectures = LinesField(read_only=True)
    labels = LinesField(read_only=True)
    host: Any = serializers.SlugRelatedField(slug_field="name", read_only=True)
    created_by: Any = serializers.SlugRelatedField(slug_field="username", read_only=True)
    state = serializers.CharField(read_only=True)

    class Meta:
        model = Registration
        fields = (
            "id", "name", "architectures", "channels", "labels", "capacity", "state", "host", "created_by",
            "created_at", "expires_at", "used_at",
        )  # fmt: skip
        read_only_fields = fields


class NewRegistrationSerializer(HostChangeSerializer):
    """A registration to make: what is empty, the machine says of itself. The answer has the `token`."""

    name = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")
    hours = serializers.IntegerField(min_value=1, max_value=168, default=24)
    token = serializers.CharField(read_only=True)


class ScalingActSerializer(RowSerializer[ScalingAct]):
    """One step: `direction` is up (added), down (drained) or gone (removed); `failure` says why the hook did not."""

    class Meta:
        model = ScalingAct
        fields = ("id", "policy", "direction", "host", "hosts", "wanted", "reason", "at", "ended_at", "failure")
        read_only_fields = fields


class SpanSerializer(serializers.Serializer[Any]):
    span = serializers.ChoiceField(choices=[one.name for one in history.SPANS], default=history.SPANS[0].name)


class SampleSerializer(serializers.Serializer[Any]):
    """Memory and disk in use are shares of 1."""

    at = serializers.DateTimeField()
    load = serializers.FloatField()
    memory = serializers.FloatField()
    disk = serializers.FloatField()
    running = serializers.FloatField()


class TrialSerializer(serializers.Serializer[Any]):
    """A failure, and how the same work fared; `blame` is host, package or unknown."""

    task = serializers.IntegerField()
    title = serializers.CharField()
    reason = serializers.CharField()
    here_good = serializers.IntegerField()
    here_bad = serializers.IntegerField()
    elsewhere_good = serializers.IntegerField()
    elsewhere_bad = serializers.IntegerField()
    blame = serializers.CharField()
