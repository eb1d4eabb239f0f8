"""What people have done to the copies of chroots on hosts: scrub (it can be made again) and clean (it cannot)."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from chroots.models import Chroot
from chroots.refreshing import channel_of
from debatomic.access.models import AuditEntry
from debatomic.tools.errors import InputError
from hosts import hub
from hosts.models import Host, Task

SCRUB = "chroot-scrub"
CLEAN = "chroot-clean"
LIMITS = {"time_limit": 1800}  # seconds


def scrub(chroot: Chroot, host: Host, *, by: Any) -> Task:
    """Have the host remove its base of this chroot, with the layers on it; the next build makes it again."""
    return _submit(SCRUB, "scrub", chroot, host, by)


def clean(chroot: Chroot, host: Host, *, by: Any) -> Task:
    """Have the host remove what people kept in this chroot (`shell --keep` and the like)."""
    return _submit(CLEAN, "clean", chroot, host, by)


def scrub_everywhere(chroot: Chroot, *, by: Any) -> int:
    """Have every host that has it, as it is defined now, remove its copy; the number of these hosts."""
    hosts = list(Host.objects.in_service().filter(chroot_copies__chroot=chroot).order_by("name"))
    for host in hosts:
        scrub(chroot, host, by=by)
    return len(hosts)


@transaction.atomic
def _submit(method: str, word: str, chroot: Chroot, host: Host, by: Any) -> Task:
    copy = chroot.copies.filter(host=host).first()
    if copy is None:
        raise InputError(f"{host} has no copy of {chroot}.", field="host")
    request = {**chroot.request, "base_id": copy.base_id}
    task = hub.submit(
        method, f"{word} {chroot} on {host}", request=request, channel=channel_of(host), only_on=host,
        weight=0.1, limits=LIMITS, by=by,
    )  # fmt: skip
    AuditEntry.note(by, f"chroot.{word}", chroot.name, host=host.name, task=task.pk)
    return task
