"""Refreshes by schedule: asked for in every round of the hub, done when their time has come."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from chroots.models import Chroot
from debatomic.tools.errors import ToolError

logger = logging.getLogger(__name__)
AT_ONCE = 20  # chroots in one round; the next one comes in seconds


def first_time(hours: int, moment: datetime) -> datetime | None:
    """When a schedule that begins now is due; None for no schedule."""
    return moment + timedelta(hours=hours) if hours else None


def next_time(due: datetime, hours: int, moment: datetime) -> datetime | None:
    """The first time after `moment` of a schedule that was due at `due`: it keeps its hour, whatever was missed."""
    if not hours:
        return None
    span = timedelta(hours=hours)
    return due + span * ((moment - due) // span + 1)


def refresh_due() -> None:
    """Refresh the chroots whose time has come. Any number of processes may ask at once: each is refreshed once."""
    moment = timezone.now()
    for chroot in Chroot.objects.due(moment).order_by("refresh_at")[:AT_ONCE]:
        _refresh(chroot, moment)


@transaction.atomic
def _refresh(chroot: Chroot, moment: datetime) -> None:
    assert chroot.refresh_at is not None
    after = next_time(chroot.refresh_at, chroot.refresh_hours, moment)
    if Chroot.objects.filter(pk=chroot.pk, refresh_at=chroot.refresh_at).update(refresh_at=after):
        try:
            chroot.refresh(by=None)
        except ToolError as error:
            logger.info("Nothing to do for the schedule of %s: %s", chroot, error.sentence)
