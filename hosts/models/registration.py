"""One-time tokens with which a new machine becomes a host."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from debatomic.access.models import AuditEntry
from hosts.models.host import Channel, Host, token_hash

LASTING = timedelta(days=1)


class RegistrationQuerySet(models.QuerySet["Registration"]):
    def by_token(self, token: str) -> Registration | None:
        return self.filter(token_hash=token_hash(token)).first() if token else None

    def open(self) -> RegistrationQuerySet:
        """Those that can still be used."""
        return self.filter(used_at=None, expires_at__gt=timezone.now())

    def issue(self, *, by: Any, lasting: timedelta = LASTING, channels: Any = (), **columns: Any) -> tuple[Any, str]:
        """A registration and its token, of which only the hash is kept. `columns` are what the host will have."""
        token = "dr_" + secrets.token_urlsafe(32)
        user = by if getattr(by, "is_authenticated", False) else None
        ends = timezone.now() + lasting
        made = self.create(token_hash=token_hash(token), expires_at=ends, created_by=user, **columns)
        made.channels.set(channels)
        AuditEntry.note(by, "host.invite", made.name or "any name", expires=made.expires_at.isoformat())
        return made, token


class Registration(models.Model):
    """A machine may register once with this. What is empty here, the machine says of itself."""

    token_hash = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=200, blank=True)
    architectures = models.JSONField(default=list)
    channels = models.ManyToManyField(Channel, blank=True, related_name="+")
    capacity = models.FloatField(null=True)
    labels = models.JSONField(default=list)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    host = models.ForeignKey(Host, on_delete=models.SET_NULL, null=True, related_name="registrations")

    objects: ClassVar = RegistrationQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-pk"]

    def __str__(self) -> str:
        return f"registration {self.pk}"

    def revoke(self, *, by: Any) -> None:
        """End it; a host that used it stays."""
        AuditEntry.note(by, "host.revoke-invitation", self.name or "any name", registration=self.pk)
        self.delete()

    @property
    def is_expired(self) -> bool:
        return self.expires_at <= timezone.now()

    @property
    def state(self) -> str:
        """open, used or expired."""
        return "used" if self.used_at else "expired" if self.is_expired else "open"
