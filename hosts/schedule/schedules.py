"""Schedules: made and changed by people, run by whichever tick comes first.

A time that came becomes a row (Occurrence) by one conditional update, and that row becomes a task under its lock: of
any number of ticks at once exactly one makes it, and one that dies on the way leaves it to the next.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from debatomic.access.checks import may
from debatomic.access.models import AuditEntry, User
from debatomic.tools.errors import InputError, Kind, ToolError
from hosts.models import Occurrence, Schedule
from hosts.schedule import cron, orders

logger = logging.getLogger(__name__)

PATIENCE = timedelta(hours=1)  # with a network that does not answer
BATCH = 50  # occurrences one tick submits


def create(
    *, name: str, order: str, parameters: Any, cron_line: str = "", time_zone: str = "UTC", at: datetime | None = None,
    by: User,
) -> Schedule:  # fmt: skip
    """Make a schedule: by a line of cron, or once at a time. Raises InputError with the field that is wrong."""
    wanted = orders.checked(order, parameters)
    if not may(by, orders.order(order).right):
        raise InputError(f"Your role does not allow to submit a {order}.", field="order")
    columns = {"name": name, "order": order, "parameters": wanted, "cron": cron_line, "time_zone": time_zone}
    try:
        with transaction.atomic():
            made = Schedule.objects.create(**columns, next_at=_first(cron_line, time_zone, at), created_by=by)
            AuditEntry.note(by, "schedule.create", made, order=order, cron=cron_line)
    except IntegrityError:
        raise InputError(f"There is a schedule named “{name}” already.", field="name") from None
    return made


def _first(line: str, time_zone: str, at: datetime | None) -> datetime:
    cron.zone(time_zone)
    if bool(line) == bool(at):
        raise InputError("Give either a line of cron or a time.", field="cron")
    if at and at <= timezone.now():
        raise InputError("That time is past.", field="at")
    return at or cron.following(line, time_zone, timezone.now())


def edit(
    schedule: Schedule, *, by: User, order: str = "", parameters: Any = None, cron_line: str | None = None,
    time_zone: str = "", at: datetime | None = None,
) -> None:  # fmt: skip
    """Change what is given; the next time follows from it. Raises InputError with the field that is wrong.

    Whoever changes it must be allowed to submit such an order, too: it goes on in the name of who made it.
    """
    order = order or schedule.order
    changed = order != schedule.order or parameters is not None
    wanted = orders.checked(order, schedule.parameters if parameters is None else parameters)
    if changed and not may(by, orders.order(order).right):
        raise InputError(f"Your role does not allow to submit a {order}.", field="order")
    line, zone = _line(schedule, cron_line, at), time_zone or schedule.time_zone
    columns = {"order": order, "parameters": wanted, "cron": line, "time_zone": zone, "next_at": schedule.next_at}
    if at or line or cron_line is not None:
        columns["next_at"] = _first(line, zone, at)
    cron.zone(zone)
    with transaction.atomic():
        Schedule.objects.filter(pk=schedule.pk).update(**columns)
        AuditEntry.note(by, "schedule.edit", schedule, order=order, cron=line)
    schedule.refresh_from_db()


def _line(schedule: Schedule, given: str | None, at: datetime | None) -> str:
    """The line of cron from now on: what is given; else a time takes its place."""
    if given is not None:
        return given
    return "" if at else schedule.cron


def preview(line: str, time_zone: str, number: int = 5) -> list[datetime]:
    """The next times of a line of cron, in its time zone. Raises InputError, field cron, time_zone."""
    zone, moment, times = cron.zone(time_zone), timezone.now(), []
    for _ in range(number):
        moment = cron.following(line, time_zone, moment)
        times.append(moment.astimezone(zone))
    return times


def switch(schedule: Schedule, *, enabled: bool, by: User) -> None:
    """Let it run, from now on, or no more. What it missed meanwhile is not made up for."""
    with transaction.atomic():
        next_at = schedule.next_at
        if enabled and schedule.cron:
            next_at = cron.following(schedule.cron, schedule.time_zone, timezone.now())
        Schedule.objects.filter(pk=schedule.pk).update(enabled=enabled, next_at=next_at)
        AuditEntry.note(by, "schedule.enable" if enabled else "schedule.disable", schedule)
    schedule.refresh_from_db()


def run_now(schedule: Schedule, *, by: User) -> Occurrence:
    """Submit it once more, besides its times."""
    with transaction.atomic():
        made = Occurrence.objects.create(schedule=schedule, due_at=timezone.now())
        AuditEntry.note(by, "schedule.run", schedule)
    _submit(made)
    made.refresh_from_db()
    return made


def delete(schedule: Schedule, *, by: User) -> None:
    """Remove it with the list of its occurrences; their tasks stay."""
    with transaction.atomic():
        AuditEntry.note(by, "schedule.delete", schedule)
        schedule.delete()


def run_due() -> int:
    """Submit what is due, whoever else does so at the same time; the number of tasks made."""
    moment = timezone.now()
    for schedule in Schedule.objects.filter(enabled=True, next_at__lte=moment).order_by("next_at"):
        _note_due(schedule, moment)
    waiting = Occurrence.objects.filter(ended_at=None).select_related("schedule__created_by").order_by("pk")[:BATCH]
    return sum(_submit(occurrence) for occurrence in waiting)


@transaction.atomic
def _note_due(schedule: Schedule, moment: datetime) -> None:
    """Write the time that came and the next one, unless another tick did. Of many missed times the first counts."""
    following = cron.following(schedule.cron, schedule.time_zone, moment) if schedule.cron else None
    unchanged = Schedule.objects.filter(pk=schedule.pk, next_at=schedule.next_at, enabled=True)
    if schedule.next_at and unchanged.update(next_at=following):
        Occurrence.objects.get_or_create(schedule=schedule, due_at=schedule.next_at)


def _submit(occurrence: Occurrence) -> bool:
    """Make the occurrence's task; whether this call made it."""
    schedule = occurrence.schedule
    try:
        order = orders.order(schedule.order)
        if not may(schedule.created_by, order.right):
            raise InputError(f"{schedule.created_by} may not submit a {order.name} any more.")
        make = order.prepare(schedule.parameters, schedule.created_by)
        with transaction.atomic():
            mine = Occurrence.objects.select_for_update().filter(pk=occurrence.pk, ended_at=None).first()
            if mine is None:
                return False
            task = make()
            Occurrence.objects.filter(pk=mine.pk).update(task=task, ended_at=timezone.now())
    except ToolError as error:
        _refused(occurrence, error)
        return False
    except Exception as error:  # one order that is broken keeps no other from its time
        logger.exception("%s", occurrence)
        _refused(occurrence, ToolError(f"Internal error: {type(error).__name__}.", kind=Kind.INTERNAL))
        return False
    return True


def _refused(occurrence: Occurrence, error: ToolError) -> None:
    if error.kind == Kind.INFRASTRUCTURE and timezone.now() - occurrence.due_at < PATIENCE:
        logger.warning("%s is tried again: %s", occurrence, error.sentence)
        return
    ended = {"reason": error.sentence, "ended_at": timezone.now()}
    Occurrence.objects.filter(pk=occurrence.pk, ended_at=None).update(**ended)
