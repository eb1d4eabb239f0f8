"""Hosts and the channels they serve."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Any, ClassVar

from django.db import models, transaction
from django.urls import reverse
from django.utils import timezone

from debatomic.access.checks import may
from debatomic.access.models import AuditEntry
from hosts.strategies import DEFAULT, STRATEGIES

SILENT_AFTER = timedelta(seconds=30)


class Channel(models.Model):
    """A named group of hosts; a task runs on a host of its channel."""

    name = models.SlugField(unique=True)
    description = models.CharField(max_length=200, blank=True)
    strategy = models.CharField(max_length=30, default=DEFAULT, choices=[(name, name) for name in STRATEGIES])

    def __str__(self) -> str:
        return self.name

    def choose_strategy(self, strategy: str, *, by: Any) -> None:
        """Have another strategy (hosts.strategies) say which idle host gets a task."""
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


def token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


class Host(models.Model):
    """A machine that claims tasks. `capacity` is the sum of task weights it runs at once."""

    name = models.CharField(max_length=200, unique=True)
    architectures = models.JSONField(default=list)  # ["amd64", "i386"]; `all` and no architecture run anywhere
    channels = models.ManyToManyField(Channel, related_name="hosts", blank=True)
    capacity = models.FloatField(default=2.0)
    enabled = models.BooleanField(default=True)
    is_hub = models.BooleanField(default=False)  # shares the hub's folder: may publish
    comment = models.CharField(max_length=200, blank=True)
    token_hash = models.CharField(max_length=64, blank=True, db_index=True)
    seen_at = models.DateTimeField(null=True, blank=True)
    report = models.JSONField(default=dict)  # what its last beat said: load, memory, disk, versions
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar = HostQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [models.CheckConstraint(condition=models.Q(capacity__gt=0), name="host_capacity")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("host", args=[self.name])

    @property
    def is_alive(self) -> bool:
        return self.seen_at is not None and self.seen_at >= timezone.now() - SILENT_AFTER

    def can_edit(self, user: Any) -> bool:
        return may(user, "hosts.edit")

    def switch(self, *, enabled: bool, comment: str = "", by: Any) -> None:
        """Let the host claim tasks, or no more of them; what it runs goes on. `comment` says why."""
        self.enabled, self.comment = enabled, comment
        with transaction.atomic():
            self.save(update_fields=["enabled", "comment"])
            AuditEntry.note(by, "host.enable" if enabled else "host.disable", self, comment=comment)

    def new_token(self) -> str:
        """Make the host's token; the old one ends. Only its hash is kept, so it is shown once."""
        token = "dh_" + secrets.token_urlsafe(32)
        self.token_hash = token_hash(token)
        self.save(update_fields=["token_hash"])
        return token
