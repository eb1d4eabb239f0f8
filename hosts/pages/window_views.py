"""The page of maintenance windows, and of the channels they and strategies belong to."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from debatomic.access.checks import may, require
from debatomic.gates import SignedInRequest, acting, reading
from debatomic.tools.errors import InputError
from hosts.models import Channel, Host, Window
from hosts.queue import windows
from hosts.queue.strategies import STRATEGIES

MOMENT = {"widget": forms.DateTimeInput(attrs={"type": "datetime-local"}),
          "input_formats": ["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"], "required": False}  # fmt: skip


class WindowForm(forms.Form):
    host = forms.ModelChoiceField(Host.objects.all(), to_field_name="name", required=False, empty_label="none")
    channel = forms.ModelChoiceField(Channel.objects.all(), to_field_name="name", required=False, empty_label="none",
                                     label="Or channel")  # fmt: skip
    reason = forms.CharField(max_length=200, help_text="Shown with every task that waits for it.")
    starts_at = forms.DateTimeField(label="From", **MOMENT)  # type: ignore[arg-type]
    ends_at = forms.DateTimeField(label="To", **MOMENT)  # type: ignore[arg-type]
    cron = forms.CharField(max_length=100, required=False, label="Or by a line of cron", help_text="0 3 * * SUN")
    minutes = forms.IntegerField(min_value=1, required=False, label="For minutes")
    time_zone = forms.CharField(max_length=60, initial="UTC", help_text="Of the line of cron.")

    def create(self, *, by: Any) -> bool:
        """Whether it was made; if not, the reason is at the field it is about."""
        given = dict(self.cleaned_data)
        try:
            windows.create(cron_line=given.pop("cron"), **given, by=by)
        except InputError as error:
            self.add_error(error.field if error.field in self.fields else None, error.sentence)
            return False
        return True


@require_http_methods(["GET", "HEAD", "POST"])
@reading("hosts.view")
def window_list(request: SignedInRequest) -> HttpResponse:
    """Channels with their strategies, windows with whether they are open, and a form for another window."""
    posted = request.method == "POST"
    require(not posted or may(request.user, "hosts.edit"))
    form = WindowForm(request.POST if posted else None)
    if posted and form.is_valid() and form.create(by=request.user):
        messages.success(request, "The window is made.")
        return redirect("window-list")
    moment = timezone.now()
    found = [(window, window.end_at(moment)) for window in Window.objects.select_related("host", "channel")]
    context = {"windows": found, "form": form, "strategies": list(STRATEGIES),
               "channels": list(Channel.objects.order_by("name"))}  # fmt: skip
    return render(request, "hosts/window_list.html", context, status=422 if posted else 200)


@require_POST
@acting("hosts.edit")
def window_delete(request: SignedInRequest, pk: int) -> HttpResponse:
    windows.delete(get_object_or_404(Window, pk=pk), by=request.user)
    messages.success(request, "The window is gone.")
    return redirect("window-list")


@require_POST
@acting("hosts.edit")
def channel_strategy(request: SignedInRequest, name: str) -> HttpResponse:
    """Which of several idle hosts of the channel should have a task."""
    channel = get_object_or_404(Channel, name=name)
    strategy = request.POST.get("strategy", "")
    if strategy in STRATEGIES:
        channel.choose_strategy(strategy, by=request.user)
        messages.success(request, f"Channel {channel} is served by {strategy}.")
    else:
        messages.error(request, f"There is no strategy “{strategy}”; there is {', '.join(STRATEGIES)}.")
    return redirect("window-list")
