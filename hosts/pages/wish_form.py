"""The form of what may be chosen for the tasks of something that is submitted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms

from hosts.models import Channel, Task
from hosts.queue.wishes import Wishes

GIB = 1 << 30
UNITS = {"hours": ("time_limit", 3600), "memory": ("memory", GIB), "disk": ("disk", GIB),
         "processors": ("processors", 1)}  # fmt: skip


class WishForm(forms.Form):
    """All of it optional; what is empty stays as usual."""

    priority = forms.IntegerField(
        min_value=0, max_value=1000, required=False, help_text="Lower runs first; 20 is usual."
    )  # fmt: skip
    channel = forms.ModelChoiceField(
        Channel.objects.order_by("name"), to_field_name="name", required=False, empty_label="the target's"
    )
    hours = forms.FloatField(min_value=0.01, required=False, label="Hours at most")
    memory = forms.FloatField(min_value=0.01, required=False, label="Memory, GiB")
    disk = forms.FloatField(min_value=0.01, required=False, label="Disk, GiB")
    processors = forms.FloatField(min_value=0.01, required=False, help_text="Kept busy at most; 0.5 is half of one.")

    @property
    def wishes(self) -> Wishes:
        """What was chosen; the form is valid."""
        return self.wishes_after(())

    def wishes_after(self, after: Sequence[Task]) -> Wishes:
        """The same, to wait for these tasks."""
        given: dict[str, Any] = self.cleaned_data
        limits = {name: given[field] * unit for field, (name, unit) in UNITS.items() if given[field]}
        whole = {name: value if name == "processors" else int(value) for name, value in limits.items()}
        return Wishes(priority=given["priority"], channel=given["channel"], limits=whole, after=tuple(after))
