"""Times by a line of cron, in a time zone: plain functions around cronsim, which keeps summer time as Debian's cron."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from debatomic.tools.errors import InputError

known_zones = cache(available_timezones)  # it reads some hundred files
FIELDS = 5  # minute, hour, day of month, month, day of week


def zone(name: str) -> ZoneInfo:
    """The time zone of this name. Raises InputError, field time_zone."""
    if name not in known_zones():
        raise InputError(f"There is no time zone “{name}”; Europe/Berlin and UTC are two.", field="time_zone")
    return ZoneInfo(name)


def following(line: str, zone_name: str, after: datetime) -> datetime:
    """The first time after this moment, in UTC. Raises InputError, field cron, time_zone."""
    found = next(_times(line, zone_name, after), None)
    if found is None:
        raise InputError(f"“{line}” never comes: no such day is in any month.", field="cron")
    return found.astimezone(UTC)


def preceding(line: str, zone_name: str, before: datetime) -> datetime | None:
    """The last time up to this moment, in UTC; None if there was none."""
    found = next(_times(line, zone_name, before, backwards=True), None)
    return found.astimezone(UTC) if found else None


def _times(line: str, zone_name: str, start: datetime, *, backwards: bool = False) -> CronSim:
    if len(line.split()) != FIELDS:
        raise InputError(f"“{line}” has {len(line.split())} fields, not {FIELDS}: minute, hour, day of month, month "
                         "and day of week, as in 30 4 * * MON-FRI.", field="cron")  # fmt: skip
    try:
        return CronSim(line, start.astimezone(zone(zone_name)), reverse=backwards)
    except CronSimError as error:
        reason = str(error).replace("Bad ", "its ") + " cannot be that"
        raise InputError(f"“{line}” is not a line of cron: {reason}.", field="cron") from error
