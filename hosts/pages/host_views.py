"""Pages of hosts."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import F, FloatField, OuterRef, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from debatomic.access.checks import require
from debatomic.gates import PageRequest, SignedInRequest, acting, reading
from debatomic.paging import page_of, slice_of_rows
from debatomic.templatetags import pages
from debatomic.tools.errors import InputError, ToolError
from hosts import hub
from hosts.fleet import history, quarantine, scaling
from hosts.models import HELD, Attempt, Host, Registration, ScalingAct, Task
from hosts.pages.forms import HostForm, RegistrationForm, SwitchForm

DONE = {
    "enable": "takes tasks again", "drain": "takes no more tasks and ends what it runs",
    "maintenance": "is in maintenance: it takes no more tasks", "disable": "takes no more tasks; what runs goes on",
}  # fmt: skip


def busiest(hosts: QuerySet[Host]) -> QuerySet[Host]:
    """The same, those that hold most first."""
    return with_use(hosts).order_by(F("used").desc(), "name")


def with_use(hosts: QuerySet[Host]) -> QuerySet[Host]:
    """The hosts with `used`: the sum of the weights of what they hold."""
    held = Task.objects.filter(host=OuterRef("pk"), state__in=HELD).order_by().values("host")
    used = Subquery(held.annotate(sum=Sum("weight")).values("sum"), output_field=FloatField())
    return hosts.annotate(used=Coalesce(used, Value(0.0))).prefetch_related("channels")


@require_safe
@reading("hosts.view")
def host_list(request: PageRequest) -> HttpResponse:
    page = slice_of_rows(with_use(Host.objects.all()), request.GET)
    context: dict[str, Any] = {"hosts": page.rows, "page": page}
    if request.htmx:
        return render(request, "hosts/_hosts.html", context)
    return render(request, "hosts/host_list.html", context | _scaling())


def _scaling() -> dict[str, Any]:
    """The scaling policies with how things are for them, and what they did lately; or what is wrong with their file."""
    try:
        policies = [(policy, scaling.see(policy)) for policy in scaling.policies()]
    except InputError as error:
        return {"scaling_error": error.sentence}
    return {"policies": policies, "acts": list(ScalingAct.objects.all()[:10]) if policies else []}


def _host(request: PageRequest, name: str) -> Host:
    return get_object_or_404(with_use(Host.objects.visible_to(request.user).select_related("state_by")), name=name)


@require_safe
@reading()
def host_detail(request: PageRequest, name: str) -> HttpResponse:
    host = _host(request, name)
    tasks = Task.objects.visible_to(request.user).for_lists().filter(host=host)
    checkup = Task.objects.filter(method=hub.DOCTOR, only_on=host).order_by("-pk").first()
    context: dict[str, Any] = {
        "host": host,
        "checkup": checkup,
        **_checks(checkup),
        "running": list(tasks.filter(state__in=HELD)),
        "report": _report(host),
        "trials": quarantine.trials(host),
        "lately": _attempts(request, host)[:10],
    }
    if request.htmx:
        return render(request, "hosts/_host.html", context)
    span = history.span_of(request.GET.get("span", ""))
    context |= {"charts": history.of_host(host, span), "span": span, "spans": history.SPANS, "form": SwitchForm()}
    return render(request, "hosts/host.html", context)


def _attempts(request: PageRequest, host: Host) -> QuerySet[Attempt]:
    """What this host ran that the reader may know of, newest first."""
    visible = Task.objects.visible_to(request.user)
    return Attempt.objects.filter(host=host, task__in=visible).select_related("task").order_by("-pk")


@require_safe
@reading()
def host_ran(request: PageRequest, name: str) -> HttpResponse:
    """All it ever ran."""
    host = _host(request, name)
    page = page_of(_attempts(request, host), request.GET)
    return render(request, "hosts/host_ran.html", {"host": host, "page": page, "attempts": page.rows})


def _checks(checkup: Task | None) -> dict[str, list[dict[str, Any]]]:
    """What the host found when it looked at itself; of what lacks first what keeps builds from running."""
    found: list[dict[str, Any]] = checkup.result.get("checks", []) if checkup else []
    lacking = sorted((check for check in found if not check["ok"]), key=lambda check: not check["needed"])
    return {"lacking": lacking, "fine": [check for check in found if check["ok"]]}


def _report(host: Host) -> list[tuple[str, str]]:
    """What the host's last beat said of itself."""
    told = host.report
    room = {name: told.get(name) for name in ("memory", "disk") if told.get(name)}
    found = [(f"Free {name}", f"{pages.size(one['free'])} of {pages.size(one['total'])}") for name, one in room.items()]
    if load := told.get("load"):
        found.insert(0, ("Load", f"{' '.join(map(str, load))} on {told.get('processors', '?')} processors"))
    if (skew := told.get("skew")) is not None:
        found.append(("Clock", f"{abs(skew):g} s {'ahead of' if skew > 0 else 'behind'} the hub" if skew else "exact"))
    return found + [(name.capitalize(), str(value)) for name, value in told.get("versions", {}).items()]


@require_POST
@acting()
def host_switch(request: SignedInRequest, name: str, verb: str) -> HttpResponse:
    """Enable, drain, disable it, or begin maintenance."""
    host = _host(request, name)
    require(host.can_edit(request.user))
    form = SwitchForm(request.POST)
    try:
        host.switch(verb, reason=form.cleaned_data["reason"] if form.is_valid() else "", by=request.user)
        messages.success(request, f"{host} {DONE[verb]}.")
    except InputError as error:
        messages.error(request, error.sentence)
    return redirect(host)


@require_POST
@acting()
def host_doctor(request: SignedInRequest, name: str) -> HttpResponse:
    """Have the host look at itself."""
    host = _host(request, name)
    require(host.can_edit(request.user))
    try:
        hub.doctor(host, by=request.user)
        messages.success(request, f"{host} looks at itself; what it finds is shown below.")
    except ToolError as error:
        messages.error(request, error.sentence)
    return redirect(host)


@require_POST
@acting()
def host_lift(request: SignedInRequest, name: str) -> HttpResponse:
    """End its quarantine."""
    host = _host(request, name)
    require(host.can_edit(request.user))
    if host.lift_quarantine(by=request.user):
        messages.success(request, f"{host} is trusted again; what failed there until now does not count any more.")
    else:
        messages.warning(request, f"{host} is not in quarantine.")
    return redirect(host)


@require_http_methods(["GET", "HEAD", "POST"])
@acting()
def host_edit(request: SignedInRequest, name: str) -> HttpResponse:
    host = _host(request, name)
    require(host.can_edit(request.user))
    form = HostForm(request.POST if request.method == "POST" else None, host=host)
    if request.method == "POST" and form.is_valid() and form.save(by=request.user):
        messages.success(request, f"{host} is changed.")
        return redirect(host)
    return render(request, "hosts/host_edit.html", {"form": form, "host": host}, status=422 if form.errors else 200)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@acting("hosts.edit")
def registrations(request: SignedInRequest) -> HttpResponse:
    """One-time tokens; a new one is shown in the answer to its form, and nowhere again."""
    form = RegistrationForm(request.POST if request.method == "POST" else None)
    secret = form.issue(by=request.user) if request.method == "POST" and form.is_valid() else ""
    context = {
        "form": RegistrationForm() if secret else form,
        "secret": secret,
        "registrations": list(Registration.objects.select_related("host", "created_by")[:50]),
        "hub": f"{request.scheme}://{request.get_host()}",
    }
    return render(request, "hosts/registrations.html", context, status=422 if form.errors else 200)


@require_POST
@acting("hosts.edit")
def registration_revoke(request: SignedInRequest, pk: int) -> HttpResponse:
    invitation = get_object_or_404(Registration, pk=pk)
    invitation.revoke(by=request.user)
    messages.success(request, "The registration token is revoked.")
    return redirect("host-registrations")
