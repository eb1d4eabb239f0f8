"""How machines become hosts, and how what a host serves is changed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from debatomic.access.models import AuditEntry
from debatomic.tools.errors import InputError
from hosts.models import Channel, Host, Registration

DEFAULT_CHANNEL = "default"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
ARCHITECTURE = re.compile(r"[a-z0-9][a-z0-9-]{1,19}")
LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=-]{0,59}")
MOST_CAPACITY = 10_000.0


def checked_name(name: str) -> str:
    """The name of a host. Raises InputError (name)."""
    if not NAME.fullmatch(name):
        hint = "Letters, digits, dots and hyphens, beginning with a letter or digit; at most 200."
        raise InputError(f"{name[:80]!r} is no name of a host.", hint=hint, field="name")
    return name


def checked_architectures(names: Iterable[str]) -> list[str]:
    """Debian's names, each once. Raises InputError (architectures)."""
    found = list(dict.fromkeys(names))
    for name in found:
        if not isinstance(name, str) or not ARCHITECTURE.fullmatch(name) or name == "all":
            hint = "Debian's names are meant, such as amd64; `all` runs everywhere."
            raise InputError(f"{str(name)[:80]!r} is no architecture.", hint=hint, field="architectures")
    return found


def checked_labels(labels: Iterable[str]) -> list[str]:
    """Words such as ssd or rack=4, each once. Raises InputError (labels)."""
    found = list(dict.fromkeys(labels))
    for label in found:
        if not isinstance(label, str) or not LABEL.fullmatch(label):
            raise InputError(f"{str(label)[:80]!r} is no label.", hint="Write words such as ssd or rack=4.",
                             field="labels")  # fmt: skip
    return found


def checked_capacity(capacity: object) -> float:
    """The sum of task weights a host runs at once. Raises InputError (capacity)."""
    number = isinstance(capacity, int | float) and not isinstance(capacity, bool)
    if not number or not 0 < float(capacity) <= MOST_CAPACITY:  # type: ignore[arg-type]
        raise InputError(f"The capacity must be more than 0 and at most {MOST_CAPACITY:g}.", field="capacity")
    return float(capacity)  # type: ignore[arg-type]


@transaction.atomic
def edit(host: Host, *, by: Any, channels: Sequence[Channel] | None = None, **columns: Any) -> None:
    """Change what a host serves: architectures, capacity, labels, channels. Raises InputError with the field."""
    checks = {"architectures": checked_architectures, "labels": checked_labels, "capacity": checked_capacity}
    for name, value in columns.items():
        setattr(host, name, checks[name](value))
    if "architectures" in columns and not host.architectures:
        raise InputError("Name at least one architecture.", field="architectures")
    host.save(update_fields=list(columns))
    if channels is not None:
        host.channels.set(channels)
    told = {**columns, **({"channels": [one.name for one in channels]} if channels is not None else {})}
    AuditEntry.note(by, "host.edit", host, **told)
    host.announce("edited")


def register(token: str, said: Mapping[str, Any]) -> tuple[Host, str]:
    """Exchange a one-time token for a host and its own token. Raises InputError: unknown, used, expired, name taken.

    `said` is what the machine says of itself: name, architectures, capacity. What the registration names, wins.
    """
    invitation = Registration.objects.by_token(token)
    if invitation is None:
        raise InputError("This registration token is not known.", hint="Ask an administrator of the hub for one.")
    try:
        with transaction.atomic():
            _use(invitation)
            return _host_of(invitation, said)
    except IntegrityError as error:
        raise InputError("Another machine registered under this name just now.", field="name") from error


def _use(invitation: Registration) -> None:
    """Take it, once. Raises InputError where it is used or expired."""
    open_one = Registration.objects.open().filter(pk=invitation.pk)
    if open_one.update(used_at=timezone.now()):
        return
    invitation.refresh_from_db()
    hint = "A token is good for one machine: ask an administrator of the hub for a new one."
    if invitation.used_at:
        by = f" by {invitation.host}" if invitation.host else ""
        raise InputError(
            f"This registration token was used on {_day(invitation.used_at)}{by}.", hint=hint, field="token"
        )
    raise InputError(f"This registration token expired on {_day(invitation.expires_at)}.", hint=hint, field="token")


def _day(moment: Any) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M %Z}"


def _host_of(invitation: Registration, said: Mapping[str, Any]) -> tuple[Host, str]:
    name = checked_name(invitation.name or str(said.get("name", "")))
    there = Host.objects.filter(name=name).first()
    if there and there.is_hub:
        raise InputError(f"{name} is the hub's own machine: its builder needs no token.", field="name")
    if there and not invitation.name:
        hint = "Set DEBATOMIC_HOST_NAME to another name, or ask for a token that is made for this one."
        raise InputError(f"A host {name} is there already.", hint=hint, field="name")
    host = there or Host(name=name)
    host.architectures = checked_architectures(invitation.architectures or said.get("architectures") or [])
    host.capacity = checked_capacity(invitation.capacity or said.get("capacity") or 2.0)
    host.labels = invitation.labels or host.labels
    host.save()
    channels = list(invitation.channels.all()) or [Channel.objects.get_or_create(name=DEFAULT_CHANNEL)[0]]
    host.channels.set(channels)
    Registration.objects.filter(pk=invitation.pk).update(host=host)
    AuditEntry.note(invitation.created_by, "host.register", host, registration=invitation.pk)
    host.announce("registered")
    return host, host.new_token()
