"""What the hub does beside reaping, at every tick of any process on its machine; each part alone may stumble."""

from __future__ import annotations

import logging
from collections.abc import Callable

from hosts.fleet import quarantine, samples, scaling, statistics
from hosts.kept import events, retention

logger = logging.getLogger(__name__)


def tend() -> None:
    """Count, sample, judge and thin."""
    for part in PARTS:
        try:
            part()
        except Exception:  # the next one comes soon
            logger.exception("%s.%s stumbled", part.__module__, part.__name__)


PARTS: tuple[Callable[[], object], ...] = (
    statistics.count, samples.note_queue, samples.thin, quarantine.look, scaling.scale, retention.tend,
    events.forget,
)  # fmt: skip
