"""API keys: made and revoked, each with an entry in the audit log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from django.db import transaction

from debatomic.access.models import ApiKey, AuditEntry, User
from debatomic.tools.errors import InputError

USUAL_DAYS: Final = 90
MOST_DAYS: Final = 730


@transaction.atomic
def make(user: User, *, name: str, scopes: Sequence[str] = (), lasting: timedelta) -> tuple[ApiKey, str]:
    """A new key and its secret, which is kept nowhere: only its hash is. Raises InputError for rights not held."""
    beyond = sorted(set(scopes) - user.rights)
    if beyond:
        raise InputError(
            f"You do not have {', '.join(beyond)} yourself.", hint="Choose among your own rights.", field="scopes"
        )
    key, secret = ApiKey.objects.create(user=user, name=name, scopes=sorted(set(scopes)), expiry=lasting)
    AuditEntry.note(user, "key.create", f"key {key.token_key}", name=name, scopes=key.scopes)
    return key, secret


@transaction.atomic
def revoke(key: ApiKey, *, by: Any) -> None:
    """End a key for good."""
    ApiKey.objects.filter(pk=key.pk).delete()
    AuditEntry.note(by, "key.revoke", f"key {key.token_key}", name=key.name, owner=key.user.username)
