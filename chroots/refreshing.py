"""Refreshes as people and schedules ask for them, one task for each host that has the chroot; what came of them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import transaction

from chroots import manifests
from debatomic.access.models import AuditEntry
from debatomic.tools.errors import InputError, ToolError
from hosts import hub
from hosts.models import LIVE, Channel, Host, Task

if TYPE_CHECKING:
    from chroots.models import Chroot, Refresh

INIT = "chroot-init"  # one host makes the base
REFRESH = "chroot-refresh"  # the parent of several of these
LIMITS = {"time_limit": 3600, "idle_limit": 900}  # seconds
PACKAGES = "packages.json"
SECOND = timedelta(seconds=1)


@transaction.atomic
def refresh(chroot: Chroot, *, by: Any) -> Task:
    """Have every host that has it and is there make it anew; where none has it, one host makes it.

    Raises InputError where it is disabled, ToolError where that is being done already.
    """
    if not chroot.enabled:
        raise InputError(f"{chroot} is disabled.", hint="Enable it first.")
    if waiting := chroot.refreshes.filter(task__method=INIT, task__state__in=LIVE).first():
        raise ToolError(f"{chroot} is being refreshed already, by task {waiting.task_id}.")
    hosts = with_copy(chroot)
    parent = None
    if len(hosts) > 1:
        title = f"refresh {chroot} on {len(hosts)} hosts"
        parent = hub.submit(REFRESH, title, request=chroot.request, channel=channel_of(None), by=by, is_parent=True)
    where: list[Host | None] = [*hosts] or [None]
    tasks = [_init(chroot, host, parent, by) for host in where]
    first = parent or tasks[0]
    AuditEntry.note(by, "chroot.refresh", chroot.name, task=first.pk)
    return first


def with_copy(chroot: Chroot) -> list[Host]:
    """The hosts that have a copy of it, take tasks and were heard of lately."""
    return list(Host.objects.alive().in_service().filter(chroot_copies__chroot=chroot).order_by("name"))


def channel_of(host: Host | None) -> Channel:
    """A channel the host serves, the default one if it can be."""
    served = host.channels.order_by("pk").first() if host else None
    return served or Channel.objects.get(name="default")


def _init(chroot: Chroot, host: Host | None, parent: Task | None, by: Any) -> Task:
    title = f"refresh {chroot} on {host}" if host else f"refresh {chroot}"
    task = hub.submit(
        INIT, title, request=chroot.request, architecture=chroot.architecture, channel=channel_of(host),
        only_on=host, parent=parent, limits=LIMITS, by=by,
    )  # fmt: skip
    chroot.refreshes.create(task=task)
    return task


def note(chroot: Chroot, task: Task, facts: dict[str, Any]) -> None:
    """Write down a base that a completed task made; nothing where it only used one."""
    if task.method == INIT:
        row, _ = chroot.refreshes.get_or_create(task=task)
    elif _made_by(chroot, task, facts):
        row = chroot.refreshes.create(task=task)
    else:
        return
    kept = task.artifacts.filter(name=PACKAGES).first() if task.method == INIT else None
    columns = {**facts, "manifest": kept.sha256 if kept else ""}
    before = _before(chroot, row, task)
    if before and columns["manifest"]:
        found = manifests.difference(before.manifest, columns["manifest"])
        columns |= {"added": len(found.added), "removed": len(found.removed), "upgraded": len(found.upgraded)}
    chroot.refreshes.filter(pk=row.pk).update(**columns)


def _made_by(chroot: Chroot, task: Task, facts: dict[str, Any]) -> bool:
    """Whether this build made its base: it is younger than the build, and no other task told of it."""
    if task.started_at is None or facts["made_at"] < task.started_at - SECOND:
        return False
    known = chroot.refreshes.filter(base_id=facts["base_id"], made_at=facts["made_at"], task__host=task.host_id)
    return not known.exists()


def _before(chroot: Chroot, row: Refresh, task: Task) -> Refresh | None:
    """The one before on the same host, if the packages it had are still known."""
    others = chroot.refreshes.listed().filter(task__host=task.host_id, pk__lt=row.pk).order_by("-pk")
    return next((one for one in others[:1] if manifests.is_kept(one.manifest)), None)
