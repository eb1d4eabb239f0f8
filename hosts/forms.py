"""Forms of hosts and tasks."""

from __future__ import annotations

from django import forms


class HostCommentForm(forms.Form):
    comment = forms.CharField(
        max_length=200, required=False, label="Why", help_text="Shown to everybody with the host."
    )


class PriorityForm(forms.Form):
    priority = forms.IntegerField(min_value=0, max_value=1000, help_text="Lower runs first; 20 is usual.")
