"""Maintenance windows: made by people, and heeded by claims and by the sentence that says why a task waits."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from debatomic.access.models import AuditEntry
from debatomic.tools.errors import InputError
from hosts.models import Channel, Host, Window
from hosts.schedule import cron

MOST_MINUTES = 7 * 24 * 60


class Closed:
    """What is in maintenance now: by the id of the host or channel, why nothing starts there."""

    def __init__(self) -> None:
        moment = timezone.now()
        found = Window.objects.open_at(moment)
        self.hosts = {window.host_id: window.sentence(moment) for window in found if window.host_id}
        self.channels = {window.channel_id: window.sentence(moment) for window in found if window.channel_id}


def create(  # noqa: PLR0913 - the parts of a window, each by its name
    *, reason: str, host: Host | None = None, channel: Channel | None = None, starts_at: datetime | None = None,
    ends_at: datetime | None = None, cron_line: str = "", time_zone: str = "UTC", minutes: int | None = None, by: Any,
) -> Window:  # fmt: skip
    """Make a window of a host or a channel. Raises InputError with the field that is wrong."""
    if (host is None) == (channel is None):
        raise InputError("Name either a host or a channel.", field="host")
    if cron_line:
        cron.following(cron_line, time_zone, timezone.now())
        if minutes is None or not 0 < minutes <= MOST_MINUTES:
            raise InputError(f"Say for how many minutes, from 1 to {MOST_MINUTES}.", field="minutes")
    elif starts_at is None or ends_at is None or ends_at <= starts_at:
        raise InputError("Give a begin and a later end, or a line of cron.", field="ends_at")
    with transaction.atomic():
        made = Window.objects.create(
            host=host, channel=channel, reason=reason, starts_at=starts_at, ends_at=ends_at, cron=cron_line,
            time_zone=time_zone, minutes=minutes if cron_line else None,
        )  # fmt: skip
        AuditEntry.note(by, "window.create", made.of, when=made.when, reason=reason)
    return made


def delete(window: Window, *, by: Any) -> None:
    with transaction.atomic():
        AuditEntry.note(by, "window.delete", window.of, when=window.when, reason=window.reason)
        window.delete()
