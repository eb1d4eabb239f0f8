"""How the API's description names its ways to sign in; drf-spectacular finds these by being imported."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

KEY = {"type": "http", "scheme": "bearer", "description": "An API key: `Authorization: Bearer da_…`"}
PASSWORD = {"type": "http", "scheme": "basic", "description": "Name and password: only to make a key"}


class ApiKeyScheme(OpenApiAuthenticationExtension):
    target_class = "debatomic.access.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return KEY


class PasswordScheme(OpenApiAuthenticationExtension):
    target_class = "debatomic.access.authentication.PasswordAuthentication"
    name = "password"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return PASSWORD


__all__ = ["ApiKeyScheme", "PasswordScheme"]
