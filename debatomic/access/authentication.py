"""How the API knows who asks: `Authorization: Bearer da_…`, a session, or once a password to make a key."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import authenticate
from django.utils import timezone
from knox.auth import TokenAuthentication
from rest_framework.authentication import BasicAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

USE_NOTED_EVERY_SECONDS = 60


class ApiKeyAuthentication(TokenAuthentication):
    """knox compares the hash; we refuse an expired key with a sentence and narrow the user's rights to its scopes."""

    def authenticate_credentials(self, token: bytes) -> tuple[Any, Any]:
        try:
            user, key = super().authenticate_credentials(token)  # type: ignore[no-untyped-call]
        except (AuthenticationFailed, UnicodeDecodeError):
            raise AuthenticationFailed(
                "This API key is not valid: it is mistyped, revoked or its owner is disabled."
            ) from None
        if key.is_expired:
            raise AuthenticationFailed(f"The API key “{key.name}” has expired. Make a new one on your API keys page.")
        user.key_scopes = frozenset(key.scopes) if key.scopes else None
        user.key_name = key.name
        moment = timezone.now()
        if key.used_at is None or (moment - key.used_at).total_seconds() > USE_NOTED_EVERY_SECONDS:
            type(key).objects.filter(pk=key.pk).update(used_at=moment)
        return user, key

    def _cleanup_token(self, auth_token: Any) -> bool:
        """Keep expired keys: their owner sees on the page why a script stopped."""
        return False


class PasswordAuthentication(BasicAuthentication):
    """A name and password, checked as at sign-in: too many wrong ones lock the name for a while."""

    def authenticate_credentials(self, userid: str, password: str, request: Request | None = None) -> tuple[Any, None]:
        plain = getattr(request, "_request", request)  # the lockout marks the request that the middleware sees
        user = authenticate(request=plain, username=userid, password=password)
        if user is None:
            raise AuthenticationFailed("The name or the password is wrong.")
        return user, None
