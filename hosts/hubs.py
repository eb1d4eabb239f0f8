"""Which way to the hub this host has."""

from __future__ import annotations

from django.conf import settings

from hosts.connection import Hub
from hosts.local import LocalHub
from hosts.remote import RemoteHub


def connect() -> Hub:
    """The hub: by HTTP where DEBATOMIC_HUB names it, else in the database."""
    return RemoteHub() if settings.IS_REMOTE_BUILDER else LocalHub()
