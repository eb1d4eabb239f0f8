"""What any process on the hub's machine may do at any time, at every tick; each part alone may stumble."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.db import InterfaceError, OperationalError

from hosts import hub, registry
from hosts.fleet import quarantine, samples, scaling, statistics
from hosts.kept import cleaning, events, retention
from hosts.live import logs
from hosts.schedule import schedules

logger = logging.getLogger(__name__)


def tick() -> None:
    """Free tasks, run schedules, seal logs, clean, do what apps have due, count, sample, judge and thin."""
    for part in (*FIRST, *registry.rounds(), *LATER):
        try:
            part()
        except (OperationalError, InterfaceError) as error:
            logger.error("The database does not answer; the next tick comes soon: %s", error)
            return
        except Exception:  # the next tick comes soon
            logger.exception("%s.%s stumbled", part.__module__, part.__qualname__)


def reap() -> None:
    """Free tasks whose host is silent, and say so."""
    if freed := hub.reap():
        logger.warning("%d tasks were not renewed by their hosts and are free again", freed)


FIRST: tuple[Callable[[], object], ...] = (reap, schedules.run_due, logs.seal_ended, cleaning.clean_next)
LATER: tuple[Callable[[], object], ...] = (
    statistics.count, samples.note_queue, samples.thin, quarantine.look, scaling.scale, retention.tend,
    events.forget,
)  # fmt: skip
