"""Whether a host is fit for work: what its report says, judged on the hub; it is out of service until that is mended.

Disk and clock are judged here, from every report. The rest is what the host's own examination found
(hosts.builder.examining). A problem goes only when its number is well within the limit again, so that no host comes and
goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from debatomic.access.models import AuditEntry
from hosts.models import Host

CLOCK_SECONDS = 15.0  # a report on its way for longer is given up, so this is no delay
CLOCK_SECONDS_AGAIN = 5.0
DISK_AGAIN = 1.25  # times the limit
MOST_PROBLEMS = 20

Problem = dict[str, str]


def number(said: Mapping[str, Any], *path: str) -> float | None:
    """A number in a report, None where it has none: what hosts say is not trusted to have a shape."""
    value: Any = said
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def skew(said: Mapping[str, Any], moment: datetime) -> float | None:
    """Seconds by which the host's clock is ahead of the hub's, with the time its report took taken off."""
    clock = number(said, "clock")
    return None if clock is None else round(clock - moment.timestamp(), 1)


def clock(said: Mapping[str, Any], moment: datetime) -> dict[str, float]:
    """The `skew` that pages show beside what the host said; nothing where it told no time."""
    ahead = skew(said, moment)
    return {} if ahead is None else {"skew": ahead}


def problems(said: Mapping[str, Any], moment: datetime, before: list[Problem]) -> list[Problem]:
    """What is wrong with the host that says this; `before` is what was wrong with it until now."""
    known = {one["name"] for one in before}
    own = said.get("problems")
    found = [_disk(said, again="disk" in known), _clock(said, moment, again="clock" in known)]
    found += [_plain(one) for one in own if isinstance(one, Mapping)] if isinstance(own, list) else []
    return [one for one in found if one][:MOST_PROBLEMS]


def _disk(said: Mapping[str, Any], *, again: bool) -> Problem | None:
    free, wanted = number(said, "disk", "free"), settings.DISK_LOW_BYTES * (DISK_AGAIN if again else 1)
    if free is None or free >= wanted:
        return None
    found = f"{free / (1 << 30):.1f} GiB are free, {wanted / (1 << 30):.1f} GiB are needed"
    return {"name": "disk", "found": found, "mend": "Free space there: python -m chroots.engine scrub --all"}


def _clock(said: Mapping[str, Any], moment: datetime, *, again: bool) -> Problem | None:
    ahead = skew(said, moment)
    if ahead is None or abs(ahead) <= (CLOCK_SECONDS_AGAIN if again else CLOCK_SECONDS):
        return None
    found = f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the hub's"
    return {"name": "clock", "found": found, "mend": "Set its time by NTP: apt install systemd-timesyncd"}


def _plain(said: Mapping[str, Any]) -> Problem:
    return {name: str(said.get(name, "")).replace("\0", "")[:500] for name in ("name", "found", "mend")}


def judge(host: Host, said: Mapping[str, Any], moment: datetime) -> None:
    """Take a host out of service whose report shows a problem, or put it back."""
    found = problems(said, moment, host.problems)
    if [one["name"] for one in found] == [one["name"] for one in host.problems]:
        return  # the same, though its numbers may have moved
    with transaction.atomic():
        if not Host.objects.filter(pk=host.pk).exclude(problems=found).update(problems=found):
            return
        if not found or not host.problems:
            said_so = "; ".join(f"{one['name']}: {one['found']}" for one in found or host.problems)
            AuditEntry.note(None, "host.out-of-service" if found else "host.in-service", host, problems=said_so)
        host.problems = found
        host.announce("problems" if found else "healthy")
