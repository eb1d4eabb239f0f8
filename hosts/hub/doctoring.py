"""Doctor: a host looks at itself, and says what it can do, what not, and the line that mends it."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from debatomic.access.models import AuditEntry
from debatomic.tools.errors import InputError
from hosts.hub.submission import submit
from hosts.models import Host, Task

DOCTOR = "doctor"  # what it runs is registered by chroots, whose engine knows what builds need
LIMITS = {"time_limit": 300}  # seconds


@transaction.atomic
def doctor(host: Host, *, by: Any) -> Task:
    """Have the host look at itself. Raises InputError where it takes no tasks."""
    channel = host.channels.order_by("pk").first()
    if not host.in_service or channel is None:
        why = host.out_of_service.rstrip(".") or "serves no channel"
        raise InputError(f"{host} {why}, so it takes no tasks.", hint="Run `bin/debatomic-chroot doctor` there.")
    title = f"doctor of {host}"
    task = submit(DOCTOR, title, request={}, channel=channel, only_on=host, weight=0.1, limits=LIMITS, by=by)
    AuditEntry.note(by, "host.doctor", host, task=task.pk)
    return task
