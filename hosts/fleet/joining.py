"""How a new machine becomes a host: a one-time token is exchanged for its own, which stays in a file of its own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import httpx
from django.conf import settings

from debatomic.tools.errors import InfrastructureError, InputError
from debatomic.tools.files import whole
from hosts.builder import machine

TIMEOUT_SECONDS = 30


def join(token: str) -> str:
    """Register here with the hub: the host's name. Raises InputError for what the hub refuses, InfrastructureError."""
    if not settings.IS_REMOTE_BUILDER:
        hint = "Set DEBATOMIC_HUB; on the hub's own machine a builder needs no token."
        raise InputError("This machine does not know its hub.", hint=hint)
    path = Path(settings.HOST_TOKEN_FILE)
    _writable(path)
    told = _asked(token)
    with whole(path, mode=0o600) as file:
        file.write(told["token"].encode() + b"\n")
    return str(told["name"])


def _writable(path: Path) -> None:
    """Look before the token is used up. Raises InputError."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"The folder {path.parent} cannot be made: {error.strerror}.") from error
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"Nothing can be written in {path.parent}.", hint="Run this as the user of the builder.")


def _asked(token: str) -> dict[str, Any]:
    said = {"token": token, "name": settings.HOST_NAME, "architectures": [machine.architecture()],
            "capacity": settings.CAPACITY}  # fmt: skip
    address = f"{settings.HUB_ADDRESS}/api/v1/builder/register"
    try:
        answer = httpx.post(address, json=said, timeout=TIMEOUT_SECONDS)
        told: dict[str, Any] = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise InfrastructureError(f"The hub at {settings.HUB_ADDRESS} does not answer as a hub: {error}") from error
    if not answer.is_success:
        raise InputError(str(told.get("detail") or f"The hub answered {answer.status_code}."))
    return told
