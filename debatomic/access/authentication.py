"""API keys: `Authorization: Bearer da_…`."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from knox.auth import TokenAuthentication


class ApiKeyAuthentication(TokenAuthentication):  # type: ignore[misc]
    """knox checks hash and expiry; we narrow the user's rights to the key's scopes and note the use."""

    def authenticate_credentials(self, token: bytes) -> tuple[Any, Any]:
        user, key = super().authenticate_credentials(token)
        user.key_scopes = frozenset(key.scopes) if key.scopes else None
        moment = timezone.now()
        if key.used_at is None or (moment - key.used_at).total_seconds() > 60:
            type(key).objects.filter(pk=key.pk).update(used_at=moment)
        return user, key
