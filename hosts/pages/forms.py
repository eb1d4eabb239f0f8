"""Forms of hosts and tasks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms

from debatomic.access.forms import Ticks
from debatomic.tools.errors import InputError
from hosts.fleet import registering
from hosts.models import Channel, Host, Registration

LASTING = [(1, "1 hour"), (24, "1 day"), (168, "7 days")]


class WordsField(forms.CharField):
    """Words with blanks or commas between; its clean value is a list."""

    def prepare_value(self, value: Any) -> Any:
        return " ".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> list[str]:
        return str(super().clean(value)).replace(",", " ").split()


class SwitchForm(forms.Form):
    """Why a host is enabled, drained, disabled or in maintenance."""

    reason = forms.CharField(
        max_length=200, required=False, label="Why", help_text="Shown to everybody with the host; maintenance needs it."
    )


class HostForm(forms.Form):
    """What a host serves."""

    architectures = WordsField(max_length=200, help_text="Debian's names, such as: amd64 i386")
    capacity = forms.FloatField(help_text="The sum of task weights it runs at once; a build weighs 1, a compose 2.")
    channels = forms.ModelMultipleChoiceField(
        Channel.objects.order_by("name"), required=False, to_field_name="name", widget=Ticks,
        help_text="It runs tasks of these channels.",
    )  # fmt: skip
    new_channel = forms.SlugField(required=False, label="Also in a new channel", help_text="Made with this name.")
    labels = WordsField(max_length=300, required=False, help_text="Words of your own, such as: ssd rack=4")

    def __init__(self, *args: Any, host: Host | None = None, **kwargs: Any) -> None:
        self.host = host
        if host:
            kwargs["initial"] = {
                "architectures": host.architectures, "capacity": host.capacity, "labels": host.labels,
                "channels": [one.name for one in host.channels.all()],
            }  # fmt: skip
        super().__init__(*args, **kwargs)

    def channels_chosen(self) -> list[Channel]:
        chosen = list(self.cleaned_data["channels"])
        if name := self.cleaned_data["new_channel"]:
            chosen.append(Channel.objects.get_or_create(name=name)[0])
        return chosen

    def refuse(self, error: InputError) -> None:
        """Say what was refused at the field it is about."""
        self.add_error(error.field if error.field in self.fields else None, error.sentence)

    def save(self, *, by: Any) -> bool:
        """Change the host; False when that is refused."""
        assert self.host is not None
        columns = {name: self.cleaned_data[name] for name in ("architectures", "capacity", "labels")}
        try:
            registering.edit(self.host, by=by, channels=self.channels_chosen(), **columns)
        except InputError as error:
            self.refuse(error)
            return False
        return True


class RegistrationForm(HostForm):
    """A one-time token for a new machine; what is empty, the machine says of itself."""

    field_order = ("name", "hours")
    name = forms.CharField(
        max_length=200, required=False,
        help_text="Empty: the machine's own. A host of this name that is there gets a new token; its old one ends.",
    )  # fmt: skip
    hours = forms.TypedChoiceField(label="Valid for", choices=LASTING, coerce=int, initial=24)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["architectures"].required = self.fields["capacity"].required = False
        self.fields["architectures"].help_text = "Empty: the machine's own."
        self.fields["capacity"].help_text = "Empty: its DEBATOMIC_CAPACITY."

    def issue(self, *, by: Any) -> str:
        """The token; empty when it is refused."""
        asked = self.cleaned_data
        try:
            columns = checked_registration(asked)
        except InputError as error:
            self.refuse(error)
            return ""
        lasting = timedelta(hours=asked["hours"])
        return str(Registration.objects.issue(by=by, lasting=lasting, channels=self.channels_chosen(), **columns)[1])


def checked_registration(asked: Any) -> dict[str, Any]:
    """The columns of a registration that page or API asks for. Raises InputError with the field."""
    capacity, name = asked.get("capacity"), asked.get("name", "")
    return {
        "name": registering.checked_name(name) if name else "",
        "architectures": registering.checked_architectures(asked.get("architectures") or []),
        "labels": registering.checked_labels(asked.get("labels") or []),
        "capacity": None if capacity is None else registering.checked_capacity(capacity),
    }


class PriorityForm(forms.Form):
    priority = forms.IntegerField(min_value=0, max_value=1000, help_text="Lower runs first; 20 is usual.")
