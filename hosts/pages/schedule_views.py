"""Pages of schedules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from debatomic.access.checks import may, require
from debatomic.gates import PageRequest, SignedInRequest, acting, reading
from debatomic.paging import slice_of_rows
from debatomic.tools.errors import InputError
from hosts.models import Schedule
from hosts.schedule import schedules
from hosts.schedule.orders import Order, orders


class ScheduleForm(forms.Form):
    """Name and times, and a field for each parameter of the order."""

    name = forms.SlugField(max_length=60, help_text="Short, without spaces, as nightly-jq.")
    cron = forms.CharField(
        max_length=100, required=False, label="Line of cron",
        help_text="Minute, hour, day of month, month, day of week: 30 4 * * MON-FRI is 4:30 on working days.",
    )  # fmt: skip
    at = forms.DateTimeField(
        required=False, label="Or once, at", widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"],
    )  # fmt: skip
    time_zone = forms.CharField(max_length=60, initial="UTC", help_text="Of the line of cron: Europe/Berlin, UTC.")

    def __init__(self, *args: Any, order: Order, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order = order
        for name, about in {**order.needed, **order.optional}.items():
            self.fields[f"p-{name}"] = forms.CharField(
                label=name.capitalize(), required=name in order.needed, help_text=about, max_length=200
            )  # fmt: skip

    def create(self, *, by: Any) -> Schedule | None:
        """The schedule; None when it is refused, with the reason at the field it is about."""
        given = self.cleaned_data
        parameters = {name[2:]: value for name, value in given.items() if name.startswith("p-")}
        times = {"cron_line": given["cron"], "at": given["at"], "time_zone": given["time_zone"]}
        try:
            return schedules.create(name=given["name"], order=self.order.name, parameters=parameters, by=by, **times)
        except InputError as error:
            self.add_error(error.field if error.field in self.fields else None, error.sentence)
            return None


@require_safe
@reading("tasks.view")
def schedule_list(request: PageRequest) -> HttpResponse:
    page = slice_of_rows(Schedule.objects.visible_to(request.user).select_related("created_by"), request.GET)
    context = {"schedules": page.rows, "page": page, "orders": _allowed(request.user)}
    return render(request, "hosts/schedule_list.html", context)


def _allowed(user: Any) -> list[Order]:
    return [order for order in orders() if may(user, order.right)]


@require_http_methods(["GET", "HEAD", "POST"])
@acting("builds.submit")
def schedule_new(request: SignedInRequest) -> HttpResponse:
    allowed = _allowed(request.user)
    order = next((each for each in allowed if each.name == request.GET.get("order")), allowed[0])
    posted = request.method == "POST"
    form = ScheduleForm(request.POST, order=order) if posted else ScheduleForm(order=order)
    if posted and form.is_valid() and (made := form.create(by=request.user)):
        messages.success(request, f"{made} is made.")
        return redirect(made)
    context = {"form": form, "order": order, "orders": allowed}
    return render(request, "hosts/schedule_new.html", context, status=422 if form.errors else 200)


@require_safe
@reading("tasks.view")
def schedule_detail(request: PageRequest, name: str) -> HttpResponse:
    schedule = _schedule(request, name)
    occurrences = list(schedule.occurrences.select_related("task")[:50])
    return render(request, "hosts/schedule.html", {"schedule": schedule, "occurrences": occurrences})


def _schedule(request: PageRequest, name: str) -> Schedule:
    return get_object_or_404(Schedule.objects.visible_to(request.user).select_related("created_by"), name=name)


def _verb(act: Callable[[SignedInRequest, Schedule], HttpResponse]) -> Any:
    """A view that does something to a schedule, for whoever may change it."""

    @require_POST
    @acting()
    def view(request: SignedInRequest, name: str) -> HttpResponse:
        schedule = _schedule(request, name)
        require(schedule.can_edit(request.user))
        return act(request, schedule)

    return view


@_verb
def schedule_enable(request: SignedInRequest, schedule: Schedule) -> HttpResponse:
    schedules.switch(schedule, enabled=True, by=request.user)
    return redirect(schedule)


@_verb
def schedule_disable(request: SignedInRequest, schedule: Schedule) -> HttpResponse:
    schedules.switch(schedule, enabled=False, by=request.user)
    return redirect(schedule)


@_verb
def schedule_run(request: SignedInRequest, schedule: Schedule) -> HttpResponse:
    made = schedules.run_now(schedule, by=request.user)
    if made.reason:
        messages.error(request, made.reason)
    return redirect(made.task or schedule)


@_verb
def schedule_delete(request: SignedInRequest, schedule: Schedule) -> HttpResponse:
    schedules.delete(schedule, by=request.user)
    messages.success(request, f"{schedule} is deleted; its tasks stay.")
    return redirect("schedule-list")
