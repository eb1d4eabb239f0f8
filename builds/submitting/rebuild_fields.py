"""What a person says of a binary rebuild, in a form."""

from __future__ import annotations

from django import forms

from chroots.engine.binnmu import LONGEST, MOST


class RebuildFields(forms.Form):
    """`builds.submitting.rebuilds.asked` makes a rebuild of them, or none of nothing."""

    binnmu_reason = forms.CharField(
        required=False, max_length=LONGEST, label="Reason of a binary rebuild",
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Makes it a binNMU, version X+bN: packages of the architecture alone, whose changelog says this.",
    )  # fmt: skip
    binnmu = forms.IntegerField(
        required=False, min_value=1, max_value=MOST, label="Number of the rebuild",
        help_text="The N of X+bN. Empty: the next that no rebuild of this version has had.",
    )  # fmt: skip
