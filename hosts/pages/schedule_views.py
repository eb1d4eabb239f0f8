"""Pages of schedules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from debatomic.access.checks import may, require
from debatomic.gates import PageRequest, SignedInRequest, acting, reading
from debatomic.paging import slice_of_rows
from debatomic.tools.errors import InputError
from hosts.models import Schedule
from hosts.schedule import schedules
from hosts.schedule.orders import Order, orders
from hosts.schedule.orders import order as orders_by_name


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
        try:
            return schedules.create(name=self.cleaned_data["name"], order=self.order.name, by=by, **self._asked())
        except InputError as error:
            self._refuse(error)
            return None

    def _asked(self) -> dict[str, Any]:
        given = self.cleaned_data
        parameters = {name[2:]: value for name, value in given.items() if name.startswith("p-")}
        times = {"cron_line": given["cron"], "at": given["at"], "time_zone": given["time_zone"]}
        return {"parameters": parameters, **times}

    def _refuse(self, error: InputError) -> None:
        self.add_error(error.field if error.field in self.fields else None, error.sentence)


class ScheduleEditForm(ScheduleForm):
    """What a schedule submits, and when; its name and order stay."""

    def __init__(self, *args: Any, schedule: Schedule, **kwargs: Any) -> None:
        parameters = {f"p-{name}": value for name, value in schedule.parameters.items()}
        times = {"cron": schedule.cron, "time_zone": schedule.time_zone}
        if not schedule.cron and schedule.next_at:
            times["at"] = timezone.localtime(schedule.next_at).strftime("%Y-%m-%dT%H:%M")
        super().__init__(*args, order=orders_by_name(schedule.order), initial={**parameters, **times}, **kwargs)
        del self.fields["name"]
        self.schedule = schedule

    def save(self, *, by: Any) -> bool:
        """Change the schedule; False when it is refused, with the reason at the field it is about."""
        try:
            schedules.edit(self.schedule, by=by, **self._asked())
        except InputError as error:
            self._refuse(error)
            return False
        return True


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


@require_http_methods(["GET", "HEAD", "POST"])
@acting()
def schedule_edit(request: SignedInRequest, name: str) -> HttpResponse:
    schedule = _schedule(request, name)
    require(schedule.can_edit(request.user))
    form = ScheduleEditForm(request.POST if request.method == "POST" else None, schedule=schedule)
    if form.is_valid() and form.save(by=request.user):
        messages.success(request, f"{schedule} is changed.")
        return redirect(schedule)
    context = {"form": form, "schedule": schedule, "order": form.order}
    return render(request, "hosts/schedule_new.html", context, status=422 if form.errors else 200)


@require_safe
@reading("tasks.view")
def schedule_times(request: PageRequest) -> HttpResponse:
    """The next times of a line of cron that is being written, or what is wrong with it."""
    line, zone = request.GET.get("cron", "").strip(), request.GET.get("time_zone", "").strip() or "UTC"
    context: dict[str, Any] = {}
    try:
        context["times"] = _next_times(line, zone) if line else []
    except InputError as error:
        context["mistake"] = error.sentence
    return render(request, "hosts/_schedule_times.html", context)


@require_safe
@reading("tasks.view")
def schedule_detail(request: PageRequest, name: str) -> HttpResponse:
    schedule = _schedule(request, name)
    occurrences = list(schedule.occurrences.select_related("task")[:50])
    rests = not schedule.enabled or not schedule.cron
    times = [] if rests else _next_times(schedule.cron, schedule.time_zone)
    context = {"schedule": schedule, "occurrences": occurrences, "times": times}
    return render(request, "hosts/schedule.html", context)


def _schedule(request: PageRequest, name: str) -> Schedule:
    return get_object_or_404(Schedule.objects.visible_to(request.user).select_related("created_by"), name=name)


def _next_times(line: str, zone: str) -> list[str]:
    """For people, in that time zone."""
    return [f"{time:%a %Y-%m-%d %H:%M %Z}" for time in schedules.preview(line, zone)]


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
