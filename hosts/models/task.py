"""The one thing that is scheduled."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Count, Min, OuterRef, Q, Subquery, Sum
from django.utils import timezone
from django.utils.functional import cached_property

from debatomic.access.checks import may, owns
from debatomic.addresses import address_of
from hosts import registry
from hosts.models.event import Event
from hosts.queue.order import Line
from hosts.states import FINAL, HELD, LIVE, State

if TYPE_CHECKING:
    from debatomic.access.models import User
    from hosts.models.artifact import Log

DEFAULT_PRIORITY = 20
LONG = ("request", "limits", "retries", "result", "decisive")  # columns that lists do not show
LONG_OF_HOST = ("architectures", "labels", "problems", "quarantine", "report", "comment", "token_hash", "is_hub",
                "capacity", "state", "state_by", "state_at", "quarantined_at", "trusted_at", "seen_at", "sampled_at",
                "created_at")  # fmt: skip
LONG_OF_PERSON = ("password", "email", "first_name", "last_name", "last_login", "date_joined", "is_staff",
                  "is_superuser", "is_active")  # fmt: skip


class OncePerGroup(Subquery):
    """A subquery that looks at the columns of the grouping only: asked once for each group, not for each row."""

    def get_group_by_cols(self) -> list[Any]:
        return []


class TaskQuerySet(models.QuerySet["Task"]):
    def visible_to(self, user: Any) -> TaskQuerySet:
        """What this person (or a signed-out visitor) may know of."""
        if user.is_authenticated:
            return self if user.may("tasks.view") else self.none()
        return self.filter(public=True) if settings.PUBLIC_READING else self.none()

    def live(self) -> TaskQuerySet:
        return self.filter(state__in=LIVE)

    def held(self) -> TaskQuerySet:
        return self.filter(state__in=HELD)

    def waiting(self) -> TaskQuerySet:
        return self.filter(state=State.FREE, is_parent=False)

    def for_lists(self) -> TaskQuerySet:
        return self.select_related("host", "channel", "created_by", "parent")

    def for_rows(self) -> TaskQuerySet:
        """For lists with a short row each: without what only the page of one task shows."""
        return self.select_related("host").defer(*LONG, *(f"host__{name}" for name in LONG_OF_HOST))

    def unblocked(self) -> TaskQuerySet:
        """Those whose dependencies are completed: hosts.hub keeps `ready_at` so that a claim need not look."""
        return self.filter(ready_at__isnull=False)

    def lines(self) -> list[Line]:
        """These waiting tasks by submitter and priority: two queries."""
        of_it = Task.objects.filter(share=OuterRef("share"), priority=OuterRef("priority"), claimed_at__isnull=False)
        served_at = OncePerGroup(of_it.order_by("-claimed_at").values("claimed_at")[:1])
        found = self.order_by().values("priority", "share").annotate(
            first=Min("pk"), number=Count("pk"), since=Min("ready_at"), served_at=served_at
        )  # fmt: skip
        rows = list(found)
        used = Task.objects.used() if len(rows) > 1 else {}
        return [Line(**row, used=used.get(row["share"], 0.0)) for row in rows]

    def used(self) -> dict[int, float]:
        """The weight of what hosts hold, by submitter."""
        return dict(self.held().filter(is_parent=False).order_by().values_list("share").annotate(Sum("weight")))

    def in_queue_order(self) -> TaskQuerySet:
        return self.order_by("priority", "pk")


class Task(models.Model):
    """Work for a host, or a parent that its children drive. Every state change goes through hosts.hub."""

    method = models.CharField(max_length=40)  # names a hosts.registry.Method: "build-arch", "compose-arch"
    title = models.CharField(max_length=200)  # for people: "figlet 2.2.5-3 for trixie, amd64"
    parent = models.ForeignKey("self", on_delete=models.CASCADE, null=True, blank=True, related_name="children")
    is_parent = models.BooleanField(default=False)
    failable = models.BooleanField(default=False, db_default=False)  # its parent does without it
    dependencies = models.ManyToManyField("self", symmetrical=False, blank=True, related_name="dependants")
    architecture = models.CharField(max_length=20, blank=True)  # empty: any host
    channel = models.ForeignKey("hosts.Channel", on_delete=models.PROTECT)
    weight = models.FloatField(default=1.0)
    priority = models.IntegerField(default=DEFAULT_PRIORITY)  # lower runs first
    public = models.BooleanField(default=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="tasks")
    share = models.BigIntegerField(default=0)  # whose turn it takes: the submitter's id, 0 for the hub's own

    request = models.JSONField(default=dict)  # frozen at submit
    limits = models.JSONField(default=dict)  # hosts.queue.limits: time_limit, idle_limit, memory, disk, processors
    retries = models.JSONField(default=dict)  # hosts.queue.retries: what the submitter wants other than usual
    result = models.JSONField(default=dict)  # small

    state = models.CharField(max_length=10, choices=State.choices, default=State.FREE)
    host = models.ForeignKey("hosts.Host", on_delete=models.PROTECT, null=True, blank=True, related_name="tasks")
    only_on = models.ForeignKey("hosts.Host", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    claim = models.UUIDField(null=True, unique=True)  # the fencing token of the attempt that may write
    lease_ends_at = models.DateTimeField(null=True)
    attempt = models.PositiveIntegerField(default=0)
    attempts_allowed = models.PositiveIntegerField(default=3)  # of infrastructure faults; other failures are final
    ready_at = models.DateTimeField(null=True, default=timezone.now)  # null: what it depends on is not completed
    not_before_at = models.DateTimeField(null=True)
    cancel_asked_at = models.DateTimeField(null=True)

    reason = models.TextField(blank=True)  # why it failed or was canceled: one sentence
    kind = models.CharField(max_length=20, blank=True)  # debatomic.tools.errors.Kind of a failure
    cause = models.CharField(max_length=20, blank=True)  # of a failure, finer than its kind: one of hosts.causes
    decisive = models.JSONField(default=list)  # the log lines that say why
    progress = models.JSONField(default=dict)  # debatomic.tools.progress report

    created_at = models.DateTimeField(auto_now_add=True)
    claimed_at = models.DateTimeField(null=True)  # when a host last took it
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects: ClassVar = TaskQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-pk"]
        indexes: ClassVar = [
            models.Index(fields=["priority", "share", "id"], name="task_queue",
                         condition=Q(state="free", is_parent=False, ready_at__isnull=False)),
            models.Index(fields=["architecture", "channel"], name="task_wanted",
                         condition=Q(state="free", is_parent=False, ready_at__isnull=False)),
            models.Index(fields=["share", "priority", "-claimed_at"], name="task_served",
                         condition=Q(claimed_at__isnull=False)),
            models.Index(fields=["lease_ends_at"], name="task_lease", condition=Q(state__in=["assigned", "running"])),
            models.Index(fields=["state", "-id"], name="task_state"),
            models.Index(fields=["host", "state"], name="task_host"),
            models.Index(fields=["created_by", "-id"], name="task_creator"),
            models.Index(fields=["method", "-id"], name="task_method"),
            models.Index(fields=["cause", "-id"], name="task_cause"),
            models.Index(fields=["finished_at"], name="task_root_ended", condition=Q(parent=None)),
            models.Index(fields=["method", "id"], name="task_condition",
                         condition=Q(state="free", is_parent=True, ready_at__isnull=False)),
        ]  # fmt: skip
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(weight__gt=0), name="task_weight"),
            models.CheckConstraint(
                condition=~Q(state__in=["assigned", "running"], is_parent=False)
                | Q(host__isnull=False, claim__isnull=False, lease_ends_at__isnull=False),
                name="task_held_by_a_host",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return address_of("task", self.pk)

    @property
    def is_live(self) -> bool:
        return self.state in LIVE

    @property
    def is_final(self) -> bool:
        return self.state in FINAL

    @property
    def cancel_asked(self) -> bool:
        return self.is_live and self.cancel_asked_at is not None

    def can_cancel(self, user: User) -> bool:
        mine = owns(user, self) and (may(user, "builds.submit") or may(user, "composes.submit"))
        return self.is_live and (mine or may(user, "tasks.cancel"))

    def can_retry(self, user: User) -> bool:
        return self.state in (State.FAILED, State.CANCELED) and self._may_ask_again(user)

    def can_resubmit(self, user: User) -> bool:
        return self.is_final and self._may_ask_again(user)

    def _may_ask_again(self, user: User) -> bool:
        """Whoever asked for it, while they may ask for such work at all."""
        return may(user, "tasks.retry") or (owns(user, self) and may(user, registry.right(self.method)))

    def topics(self) -> list[str]:
        """The names under which pages listen for this task's changes."""
        own = ["tasks", f"task:{self.pk}", f"method:{self.method}"]
        return [*own, f"task:{self.parent_id}"] if self.parent_id else own

    @cached_property
    def all_logs(self) -> list[Log]:
        """Its logs by attempt; long lists fetch those of all their tasks at once."""
        return list(self.logs.all())

    def announce(self, what: str) -> None:
        """Write the event that pages follow; call it in the transaction that made the change."""
        self.event(what).save(force_insert=True)

    def event(self, what: str) -> Event:
        """What pages follow, not written yet."""
        return Event(kind="task", key=str(self.pk), what=what, topics=self.topics())

    def depend_on(self, tasks: Iterable[Task]) -> None:
        self.dependencies.add(*tasks)


class Attempt(models.Model):
    """History: one try of a task on a host, and how it ended."""

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="attempt_history")
    number = models.PositiveIntegerField()
    claim = models.UUIDField(null=True, unique=True)  # by which its host spoke: never given twice
    host = models.ForeignKey("hosts.Host", on_delete=models.PROTECT, related_name="attempts")
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=20, blank=True)  # completed, failed, canceled, lost
    reason = models.TextField(blank=True)
    package = models.CharField(max_length=200, blank=True)  # what it was about, by its method (registry.About)
    target = models.CharField(max_length=100, blank=True)
    counted = models.BooleanField(default=False)  # in the statistics

    class Meta:
        ordering: ClassVar = ["task", "number"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["task", "number"], name="attempt_once")]
        indexes: ClassVar = [
            models.Index(fields=["host", "-id"], name="attempt_host"),
            models.Index(fields=["package", "finished_at"], name="attempt_package", condition=~Q(package="")),
            models.Index(fields=["finished_at"], name="attempt_uncounted", condition=Q(counted=False)),
            models.Index(fields=["finished_at"], name="attempt_failed", condition=Q(outcome="failed")),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number} of task {self.task_id}"
