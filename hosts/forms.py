"""Forms of hosts."""

from __future__ import annotations

from django import forms


class HostCommentForm(forms.Form):
    comment = forms.CharField(
        max_length=200, required=False, label="Why", help_text="Shown to everybody with the host."
    )
