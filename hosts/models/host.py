"""Hosts, the channels they serve, and whether they take tasks now."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from debatomic.access.checks import may
from debatomic.access.models import AuditEntry
from debatomic.addresses import address_of
from debatomic.tools.errors import InputError
from hosts.models.event import Event
from hosts.queue.strategies import DEFAULT, STRATEGIES

SILENT_AFTER = timedelta(seconds=30)


class HostState(models.TextChoices):
    """What people decided; problems and quarantine come on top of `enabled`."""

    ENABLED = "enabled", "enabled"
    DRAINING = "draining", "draining"
    MAINTENANCE = "maintenance", "in maintenance"
    DISABLED = "disabled", "disabled"


VERBS = {"enable": HostState.ENABLED, "drain": HostState.DRAINING, "maintenance": HostState.MAINTENANCE,
         "disable": HostState.DISABLED}  # fmt: skip


class Channel(models.Model):
    """A named group of hosts; a task runs on a host of its channel."""

    name = models.SlugField(unique=True)
    description = models.CharField(max_length=200, blank=True)
    strategy = models.CharField(max_length=30, default=DEFAULT, choices=[(name, name) for name in STRATEGIES])

    def __str__(self) -> str:
        return self.name

    def choose_strategy(self, strategy: str, *, by: Any) -> None:
        """Have another strategy (hosts.queue.strategies) say which idle host gets a task."""
        self.strategy = strategy
        with transaction.atomic():
            self.save(update_fields=["strategy"])
            AuditEntry.note(by, "channel.strategy", self, strategy=strategy)


class HostQuerySet(models.QuerySet["Host"]):
    def by_token(self, token: str) -> Host | None:
        """The host that has this token, or None."""
        return self.filter(token_hash=token_hash(token)).first() if token else None

    def visible_to(self, user: Any) -> HostQuerySet:
        """What this person may know of; signed-out visitors know no host."""
        return self if may(user, "hosts.view") else self.none()

    def alive(self) -> HostQuerySet:
        return self.filter(seen_at__gte=timezone.now() - SILENT_AFTER)

    def in_service(self) -> HostQuerySet:
        """Those that take tasks, as `Host.in_service` says it of one."""
        return self.filter(state=HostState.ENABLED, problems=[], quarantined_at=None)


def token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


class Host(models.Model):
    """A machine that claims tasks. `capacity` is the sum of task weights it runs at once."""

    name = models.CharField(max_length=200, unique=True)
    architectures = models.JSONField(default=list)  # ["amd64", "i386"]; `all` and no architecture run anywhere
    channels = models.ManyToManyField(Channel, related_name="hosts", blank=True)
    capacity = models.FloatField(default=2.0)
    labels = models.JSONField(default=list)  # ["ssd", "rack=4"]
    is_hub = models.BooleanField(default=False)  # shares the hub's folder: may publish

    state = models.CharField(max_length=12, choices=HostState.choices, default=HostState.ENABLED)
    comment = models.CharField(max_length=200, blank=True)  # why it is in this state
    state_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    state_at = models.DateTimeField(null=True)
    problems = models.JSONField(default=list)  # of its health checks: [{"name", "found", "mend"}]
    quarantined_at = models.DateTimeField(null=True)
    quarantine = models.TextField(blank=True)  # why: one sentence
    warning = models.TextField(blank=True)  # why it would be in quarantine, were there another host for its work
    trusted_at = models.DateTimeField(null=True)  # failures before this do not count against it

    token_hash = models.CharField(max_length=64, blank=True, db_index=True)
    seen_at = models.DateTimeField(null=True, blank=True)
    sampled_at = models.DateTimeField(null=True)
    report = models.JSONField(default=dict)  # what its last beat said: load, memory, disk, versions
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar = HostQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [models.CheckConstraint(condition=models.Q(capacity__gt=0), name="host_capacity")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return address_of("host", self.name)

    @property
    def is_alive(self) -> bool:
        return self.seen_at is not None and self.seen_at >= timezone.now() - SILENT_AFTER

    @property
    def in_service(self) -> bool:
        """Whether it takes tasks, if it is there."""
        return self.state == HostState.ENABLED and not self.problems and self.quarantined_at is None

    @property
    def out_of_service(self) -> str:
        """Why it takes no tasks, as the end of a sentence that begins with its name; empty if it does."""
        if self.state == HostState.DISABLED:
            return f"is switched off{self._because}"
        if self.state == HostState.DRAINING:
            return f"is being drained{self._because}"
        if self.state == HostState.MAINTENANCE:
            return f"is in maintenance{self._because}"
        if self.quarantined_at:
            return f"is in quarantine: {self.quarantine}"
        said = "; ".join(f"{one['name']}: {one['found']}" for one in self.problems)
        return f"is out of service: {said}." if said else ""

    @property
    def _because(self) -> str:
        return f": {self.comment.rstrip('.')}." if self.comment else "."

    def can_edit(self, user: Any) -> bool:
        return may(user, "hosts.edit")

    def announce(self, what: str) -> None:
        """Write the event that pages follow."""
        Event.objects.create(kind="host", key=self.name, what=what, topics=["hosts", f"host:{self.name}"])

    @transaction.atomic
    def switch(self, verb: str, *, reason: str = "", by: Any) -> None:
        """Enable, drain, disable it or begin maintenance; what it runs goes on. Raises InputError (reason)."""
        state, reason = VERBS[verb], reason.strip()
        if state == HostState.MAINTENANCE and not reason:
            raise InputError("Say what the maintenance is for.", field="reason")
        self.state, self.comment, self.state_at = state, reason, timezone.now()
        self.state_by = by if getattr(by, "is_authenticated", False) else None
        self.save(update_fields=["state", "comment", "state_at", "state_by"])
        AuditEntry.note(by, f"host.{verb}", self, reason=reason)
        self.announce(state)

    @transaction.atomic
    def put_in_quarantine(self, reason: str) -> bool:
        """Have it take no tasks until somebody lifts that; False if it is in quarantine already."""
        columns = {"quarantined_at": timezone.now(), "quarantine": reason, "warning": ""}
        if not Host.objects.filter(pk=self.pk, quarantined_at=None).update(**columns):
            return False
        AuditEntry.note(None, "host.quarantine", self, reason=reason)
        self.announce("quarantine")
        return True

    @transaction.atomic
    def warn(self, warning: str) -> None:
        """Say that something is wrong with it, or (empty) no more; it goes on taking tasks."""
        if not Host.objects.filter(pk=self.pk).exclude(warning=warning).update(warning=warning):
            return
        if bool(warning) != bool(self.warning):
            AuditEntry.note(None, "host.warn" if warning else "host.unwarn", self, reason=warning)
        self.warning = warning
        self.announce("warning")

    @transaction.atomic
    def lift_quarantine(self, *, by: Any) -> bool:
        """Trust it again: what failed until now does not count any more. False if nothing is held against it."""
        columns = {"quarantined_at": None, "quarantine": "", "warning": "", "trusted_at": timezone.now()}
        if not Host.objects.filter(pk=self.pk).exclude(quarantined_at=None, warning="").update(**columns):
            return False
        self.refresh_from_db()
        AuditEntry.note(by, "host.lift-quarantine", self)
        self.announce("lifted")
        return True

    def new_token(self) -> str:
        """Make the host's token; the old one ends. Only its hash is kept, so it is shown once."""
        token = "dh_" + secrets.token_urlsafe(32)
        self.token_hash = token_hash(token)
        self.save(update_fields=["token_hash"])
        return token
