"""What the API says of hosts and their work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from debatomic.access.checks import may
from debatomic.access.fields import NameField
from debatomic.access.rows import RowSerializer
from debatomic.addresses import address_of
from hosts.live import logs
from hosts.models import Artifact, Attempt, Channel, Log, Task
from hosts.queue import why
from hosts.queue.choosing import refusals
from hosts.queue.wishes import Wishes

OF_A_TASK = (
    "id", "method", "title", "state", "reason", "kind", "cause", "decisive", "progress", "parent", "is_parent",
    "architecture", "channel", "host", "only_on", "priority", "weight", "public", "attempt", "attempts_allowed",
    "cancel_asked", "created_by", "created_at", "claimed_at", "started_at", "finished_at", "logs", "page",
)  # fmt: skip


class ProgressSerializer(serializers.Serializer[Any]):
    """How far a task is: in phase `number` of `total`, of which `fraction` (0 to 1) is done."""

    phase = serializers.CharField(required=False)
    number = serializers.IntegerField(required=False)
    total = serializers.IntegerField(required=False)
    fraction = serializers.FloatField(required=False)
    detail = serializers.CharField(required=False)


@extend_schema_field(ProgressSerializer)
class ProgressField(serializers.JSONField):
    """The last progress report as it is kept; `{}` before the first."""


class RunByTask(serializers.Serializer[Any]):
    """What a build and a compose tell of the task that drives them."""

    reason = serializers.CharField(source="task.reason", read_only=True)
    kind = serializers.CharField(source="task.kind", read_only=True)
    cause = serializers.CharField(source="task.cause", read_only=True)
    progress = ProgressField(source="task.progress", read_only=True)
    cancel_asked = serializers.BooleanField(source="task.cancel_asked", read_only=True)
    created_by: Any = serializers.SlugRelatedField(slug_field="username", read_only=True)
    started_at = serializers.DateTimeField(source="task.started_at", read_only=True, allow_null=True)
    finished_at = serializers.DateTimeField(source="task.finished_at", read_only=True, allow_null=True)
    page = serializers.SerializerMethodField()


@extend_schema_field(serializers.ListField(child=serializers.CharField()))
class LinesField(serializers.JSONField):
    """Lines of a log."""


class LogSerializer(RowSerializer[Log]):
    """A log of one attempt; `size` (bytes) grows until `sealed`."""

    size = serializers.SerializerMethodField()
    sealed = serializers.SerializerMethodField()
    url = serializers.SerializerMethodField()

    class Meta:
        model = Log
        fields = ("attempt", "name", "size", "sealed", "url")

    def get_size(self, log: Log) -> int:
        return log.size if log.sealed_at else logs.size(log.task_id, log.attempt, log.name)

    def get_sealed(self, log: Log) -> bool:
        return log.sealed_at is not None

    @extend_schema_field(serializers.URLField)
    def get_url(self, log: Log) -> str:
        return self.site + address_of("api:task-log", log.task_id, log.attempt, log.name)


class TaskSerializer(RowSerializer[Task]):
    """A task as lists show it."""

    channel: Any = serializers.SlugRelatedField(slug_field="name", read_only=True)
    host: Any = serializers.SlugRelatedField(slug_field="name", read_only=True)
    only_on: Any = serializers.SlugRelatedField(
        slug_field="name", read_only=True, help_text="No other host may run it."
    )
    created_by: Any = serializers.SlugRelatedField(slug_field="username", read_only=True)
    cancel_asked = serializers.BooleanField(read_only=True)
    progress = ProgressField(read_only=True)
    decisive = LinesField(read_only=True, help_text="The lines of the log that say why it failed.")
    logs = LogSerializer(source="all_logs", many=True, read_only=True)
    page = serializers.SerializerMethodField()

    class Meta:
        model = Task
        fields: tuple[str, ...] = OF_A_TASK
        read_only_fields = fields


class AttemptSerializer(RowSerializer[Attempt]):
    host: Any = serializers.SlugRelatedField(slug_field="name", read_only=True)

    class Meta:
        model = Attempt
        fields = ("number", "host", "started_at", "finished_at", "outcome", "reason")


class TaskDetailSerializer(TaskSerializer):
    """A task alone: with what was asked, what it gave, its attempts, and why it waits."""

    attempts = AttemptSerializer(source="attempt_history", many=True, read_only=True)
    why_waiting = serializers.SerializerMethodField(help_text="Why no host runs it yet; empty when one does.")
    hosts_say = serializers.SerializerMethodField(help_text="Why each host does not take it; empty: it does.")

    class Meta(TaskSerializer.Meta):
        fields = (*OF_A_TASK, "request", "limits", "retries", "result", "dependencies", "attempts", "why_waiting",
                  "hosts_say")  # fmt: skip
        read_only_fields = fields

    def get_why_waiting(self, task: Task) -> str:
        return why.why_waiting(task) if task.is_live else ""

    @extend_schema_field({"type": "object", "additionalProperties": {"type": "string"}})
    def get_hosts_say(self, task: Task) -> dict[str, str]:
        """For whoever may know of hosts, while it waits for one."""
        request = self.context.get("request")
        return dict(refusals(task)) if request and may(request.user, "hosts.view") and task.state == "free" else {}


class PrioritySerializer(serializers.Serializer[Any]):
    """Lower runs first; 20 is usual."""

    priority = serializers.IntegerField(min_value=0, max_value=1000)


@extend_schema_field({"type": "object", "additionalProperties": {"type": "number"}})
class LimitsField(serializers.JSONField):
    """Limits by name: time_limit and idle_limit (seconds), memory and disk (bytes), processors."""


@extend_schema_field({"type": "object", "additionalProperties": {"type": "object"}})
class RetriesField(serializers.JSONField):
    """By kind of failure, how often it is tried in all and after how many seconds."""


class WishesSerializer(serializers.Serializer[Any]):
    """What may be chosen for the tasks of something that is submitted."""

    priority = serializers.IntegerField(min_value=0, max_value=1000, required=False, allow_null=True,
                                        help_text="Lower runs first; 20 is usual.")  # fmt: skip
    weight = serializers.FloatField(required=False, allow_null=True, help_text="Of a host's capacity, while it runs.")
    limits = LimitsField(required=False, help_text='{"time_limit": 3600, "memory": 4294967296, "processors": 2}')
    retries = RetriesField(required=False, help_text='{"dep-wait": {"attempts": 5, "pause": 600}}')
    channel: Any = NameField("channel", queryset=Channel.objects.all(), required=False, allow_null=True)

    @staticmethod
    def wishes(given: dict[str, Any], after: Sequence[Task] = ()) -> Wishes:
        """What these fields ask for, taken out of the validated data."""
        names = ("priority", "weight", "limits", "retries", "channel")
        chosen = {name: given.pop(name) for name in names if name in given}
        return Wishes(**chosen, after=tuple(after))


class PickSerializer(serializers.Serializer[Any]):
    """Which tasks: by their ids, or by the fields that lists of tasks are filtered with."""

    ids = serializers.ListField(child=serializers.IntegerField(min_value=1), required=False, max_length=500)
    filter = serializers.DictField(child=serializers.CharField(), required=False, allow_empty=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("ids" in attrs) == ("filter" in attrs):
            raise serializers.ValidationError({"ids": ["Give either ids or a filter."]})
        return attrs


class BatchSerializer(serializers.Serializer[Any]):
    """What was done, by task; why not with others; `more`: ask again for the rest."""

    done = serializers.ListField(child=serializers.IntegerField())
    refused = serializers.DictField(child=serializers.CharField())
    more = serializers.BooleanField()


class DependenciesSerializer(serializers.Serializer[Any]):
    dependencies: Any = serializers.PrimaryKeyRelatedField(queryset=Task.objects.all(), many=True, allow_empty=False)


class ChannelSerializer(RowSerializer[Channel]):
    class Meta:
        model = Channel
        fields = ("name", "description", "strategy")
        read_only_fields = ("name", "description")


class ArtifactSerializer(RowSerializer[Artifact]):
    """A kept file; `size` in bytes, `download` its address."""

    download = serializers.SerializerMethodField()

    class Meta:
        model = Artifact
        fields = ("id", "task", "name", "kind", "media_type", "sha256", "size", "created_at", "download")
        read_only_fields = fields

    @extend_schema_field(serializers.URLField)
    def get_download(self, artifact: Artifact) -> str:
        return self.site + address_of("api:artifact-download", artifact.pk)
