"""What schedules can do with chroots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chroots.models import Chroot
from debatomic.tools.errors import InputError
from hosts.schedule.orders import Make, Order


def prepare(parameters: Mapping[str, str], by: Any) -> Make:
    chroot = Chroot.objects.filter(name=parameters["chroot"]).first()
    if chroot is None:
        raise InputError(f"There is no chroot named “{parameters['chroot']}”.", field="chroot")
    return lambda: chroot.refresh(by=by)


REFRESH = Order(
    name="chroot-refresh", title="Refresh of a chroot", right="chroots.refresh", prepare=prepare,
    needed={"chroot": "The chroot's name."}, optional={},
)  # fmt: skip
