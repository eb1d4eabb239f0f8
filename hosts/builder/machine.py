"""What a host tells of itself."""

from __future__ import annotations

import functools
import os
import platform
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import django
import psutil
from django.conf import settings
from django.db import transaction

from debatomic.tools.run import run
from hosts.builder import workplace
from hosts.models import Channel, Host

DEFAULT_CHANNEL = "default"


@functools.cache
def architecture() -> str:
    """Debian's name of this machine's architecture."""
    return run(["dpkg", "--print-architecture"], capture=True).stdout.strip()


@functools.cache
def system() -> str:
    with Path("/etc/os-release").open() as file:
        fields = dict(line.strip().split("=", 1) for line in file if "=" in line)
    return fields.get("PRETTY_NAME", "Linux").strip('"')


def report(problems: Sequence[Mapping[str, str]] = ()) -> Mapping[str, Any]:
    """Load, memory, disk (bytes), versions, clock (seconds of the epoch), running attempts, and what is wrong here."""
    memory = psutil.virtual_memory()
    Path(settings.STATE).mkdir(parents=True, exist_ok=True)
    disk = psutil.disk_usage(str(settings.STATE))
    return {
        "architecture": architecture(), "processors": os.cpu_count(), "slots": int(settings.CAPACITY),
        "load": [round(value, 2) for value in os.getloadavg()],
        "memory": {"total": memory.total, "free": memory.available}, "disk": {"total": disk.total, "free": disk.free},
        "versions": {"system": system(), "kernel": platform.release(), "python": platform.python_version(),
                     "django": django.__version__},
        "running": sum(note.is_alive for note in workplace.notes()),
        "clock": time.time(), "problems": list(problems),
    }  # fmt: skip


@transaction.atomic
def register_here() -> Host:
    """The row of the hub's own machine, as its settings say it is where nobody edited it."""
    here = {"architectures": [architecture()], "capacity": settings.CAPACITY}
    host, _ = Host.objects.update_or_create(
        name=settings.HOST_NAME, defaults={"is_hub": True}, create_defaults={**here, "is_hub": True}
    )
    if host.report and host.report.get("slots") != int(settings.CAPACITY):  # changed there since; else the page's holds
        host.capacity = settings.CAPACITY
        host.save(update_fields=["capacity"])
    if not host.architectures:  # a scaling policy made the row
        host.architectures = here["architectures"]
        host.save(update_fields=["architectures"])
    if not host.channels.exists():
        host.channels.add(Channel.objects.get_or_create(name=DEFAULT_CHANNEL)[0])
    return host
