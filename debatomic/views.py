"""The dashboard and the search box."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from builds.models import Build
from composes.models import Compose
from debatomic.gates import PageRequest, reading
from hosts.live.telling import with_waits
from hosts.models import HELD, Host, State, Task
from hosts.pages.host_views import busiest

SHOWN = 10  # rows of each part
MOST_RUNNING = 20


@require_safe
@reading(public=True)
def dashboard(request: PageRequest) -> HttpResponse:
    """What runs, what waits and why, what failed lately, and how the hosts are."""
    tasks = Task.objects.visible_to(request.user).for_rows().filter(is_parent=False)
    waiting = list(tasks.filter(state=State.FREE).select_related("channel").in_queue_order()[: SHOWN + 1])
    running = list(tasks.filter(state__in=HELD).order_by("started_at", "pk")[: MOST_RUNNING + 1])
    hosts = list(busiest(Host.objects.visible_to(request.user)).prefetch_related(None)[: SHOWN + 1])
    context = {
        "running": running[:MOST_RUNNING],
        "more_run": len(running) > MOST_RUNNING,
        "waiting": with_waits(waiting[:SHOWN]),
        "more_wait": len(waiting) > SHOWN,
        "failed": list(tasks.filter(state=State.FAILED)[:SHOWN]),
        "builds": list(Build.objects.visible_to(request.user).for_rows()[:SHOWN]),
        "composes": list(Compose.objects.visible_to(request.user).for_rows()[:5]),
        "hosts": hosts[:SHOWN],
        "more_hosts": len(hosts) > SHOWN,
    }
    return render(request, "_dashboard.html" if request.htmx else "dashboard.html", context)


@require_safe
@reading(public=True)
def search(request: PageRequest) -> HttpResponse:
    """Builds by source, composes by identity, tasks and builds by number; the only find is opened at once."""
    text = request.GET.get("q", "").strip()
    builds = Build.objects.visible_to(request.user).for_lists()
    composes = Compose.objects.visible_to(request.user).for_lists()
    found: dict[str, list[Any]] = {"builds": [], "composes": [], "tasks": []}
    if text.isascii() and text.isdigit() and len(text) < 19:
        number = int(text)
        found["tasks"] = list(Task.objects.visible_to(request.user).for_lists().filter(pk=number))
        found["builds"] = list(builds.filter(pk=number))
        found["composes"] = list(composes.filter(pk=number))
    elif text:
        found["builds"] = list(builds.filter(source__startswith=text.lower())[:20])
        found["composes"] = list(composes.filter(identity__startswith=text.lower())[:20])
    everything = [thing for things in found.values() for thing in things]
    if len(everything) == 1:
        return redirect(everything[0])
    return render(request, "search.html", {**found, "search_text": text, "nothing": not everything})
