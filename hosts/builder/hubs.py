"""Which way to the hub this host has."""

from __future__ import annotations

from django.conf import settings

from hosts.builder.connection import Hub
from hosts.builder.local import LocalHub
from hosts.builder.remote import RemoteHub


def connect() -> Hub:
    """The hub: by HTTP where DEBATOMIC_HUB names it, else in the database."""
    return RemoteHub() if settings.IS_REMOTE_BUILDER else LocalHub()
