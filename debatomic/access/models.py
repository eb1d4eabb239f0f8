"""People, the roles they have, their API keys, and what was done."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils import timezone
from knox.models import AbstractAuthToken

from debatomic.access import roles
from debatomic.access.address import current as current_address


class User(AbstractUser):
    """A person. What they may do comes from their roles (and the key they use), never from Django's permissions."""

    key_scopes: frozenset[str] | None = None  # set while a request uses an API key: only these rights
    key_name: str = ""  # the key a request uses

    @cached_property
    def roles(self) -> tuple[str, ...]:
        return tuple(sorted(self.bindings.values_list("role", flat=True)))

    @cached_property
    def rights(self) -> frozenset[str]:
        held = [roles.ADMINISTRATOR, *self.roles] if self.is_superuser else list(self.roles)
        return frozenset().union(*(roles.rights_of(role) for role in held))

    def may(self, right: str) -> bool:
        """Whether this person has this right now. An unknown right is a mistake of ours and raises KeyError."""
        roles.TABLE[right]
        return self.is_active and right in self.rights and (self.key_scopes is None or right in self.key_scopes)


class RoleBinding(models.Model):
    """This person has this role."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="bindings")
    role = models.CharField(max_length=20, choices=list(roles.TITLES.items()))
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "role"], name="role_once_per_user")]

    def __str__(self) -> str:
        return f"{self.user}: {self.role}"


class ApiKey(AbstractAuthToken):
    """A key for scripts: knox keeps its hash; `scopes` are rights it is limited to (empty: all of its owner's)."""

    name = models.CharField(max_length=100)
    scopes = models.JSONField(default=list)
    used_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-created"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_expired(self) -> bool:
        return self.expiry is not None and self.expiry <= timezone.now()


class Submission(models.Model):
    """What a request with an `Idempotency-Key` was answered, so that the same request asked again makes nothing new."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="submissions")
    key = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)  # SHA-256 of what was asked
    status = models.PositiveIntegerField(null=True)  # null: it is being worked on, or its process died
    answer = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "key"], name="submission_once")]

    def __str__(self) -> str:
        return self.key


class AuditEntry(models.Model):
    """Who did what to which thing; append-only."""

    at = models.DateTimeField(default=timezone.now, db_index=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="acts")
    act = models.CharField(max_length=60)  # build.submit, task.cancel, key.create
    thing = models.CharField(max_length=200, blank=True)
    address = models.CharField(max_length=45, blank=True)  # where the request came from
    details = models.JSONField(default=dict)

    class Meta:
        ordering: ClassVar = ["-pk"]
        indexes: ClassVar = [
            models.Index(fields=["act"], name="audit_act", opclasses=["varchar_pattern_ops"]),
            models.Index(fields=["thing"], name="audit_thing", opclasses=["varchar_pattern_ops"]),
        ]

    def __str__(self) -> str:
        return f"{self.user} {self.act} {self.thing}"

    @property
    def facts(self) -> list[tuple[str, str]]:
        """The details for people: each name, and its value as text."""
        return [(name, _text(value)) for name, value in self.details.items()]

    @classmethod
    def note(cls, user: Any, act: str, thing: object = "", *, address: str = "", **details: Any) -> None:
        """Write down one act. `user` may be anonymous."""
        who = user if getattr(user, "is_authenticated", False) else None
        if key := getattr(user, "key_name", ""):
            details = {"key": key, **details}
        where = address or current_address()
        cls.objects.create(user=who, act=act, thing=str(thing)[:200], address=where, details=details)


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)
