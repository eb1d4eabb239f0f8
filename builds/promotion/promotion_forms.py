"""The forms of promotion."""

from __future__ import annotations

from typing import Any

from django import forms

from builds.models import Tag
from builds.promotion import policies
from builds.promotion.promoting import MOST_REASON
from builds.promotion.promotion_models import PromotionPolicy, PromotionRevision
from debatomic.access.models import User
from debatomic.tools.errors import InputError


class PolicyForm(forms.Form):
    """`base` is the number of the revision that was edited: nobody's work is overwritten unseen."""

    name = forms.SlugField(max_length=50, label="Name")
    text = forms.CharField(label="Policy", strip=False,
                           widget=forms.Textarea(attrs={"rows": 26, "spellcheck": "false"}))  # fmt: skip
    base = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    message = forms.CharField(max_length=200, required=False, help_text="What you changed, and why: one line.")

    def __init__(self, data: Any = None, *, policy: PromotionPolicy | None = None) -> None:
        latest = policy.latest if policy else None
        super().__init__(data, initial={"text": latest.text if latest else policies.NEW,
                                        "base": latest.number if latest else 0})  # fmt: skip
        self.policy = policy
        if policy:
            del self.fields["name"]

    def clean_text(self) -> str:
        """Lines end as Unix ends them, the last one, too."""
        text: str = self.cleaned_data["text"].replace("\r\n", "\n")
        return text if text.endswith("\n") else text + "\n"

    def save(self, *, by: User) -> PromotionRevision | None:
        """The new revision, or the newest if nothing changed; None when it is refused, with the reason in the form."""
        told = self.cleaned_data
        try:
            if self.policy is None:
                return policies.create(told["name"], told["text"], message=told["message"], by=by)
            return policies.revise(self.policy, told["text"], base=told["base"], message=told["message"], by=by)
        except InputError as error:
            self.add_error(error.field if error.field in self.fields else None, error.sentence)
            return None


class TestForm(forms.Form):
    """Which build, from where, where to; the next tag of the path where that is left empty."""

    policy = forms.ModelChoiceField(PromotionPolicy.objects.all(), to_field_name="name", label="Policy")
    build = forms.IntegerField(min_value=1, label="Number of the build")
    source = forms.ModelChoiceField(Tag.objects.all(), to_field_name="name", label="From tag")
    to = forms.ModelChoiceField(Tag.objects.all(), to_field_name="name", label="To tag", required=False,
                                empty_label="the next one")  # fmt: skip


class MoveForm(forms.Form):
    """`revision` is the one whose verdicts were shown."""

    revision = forms.IntegerField(widget=forms.HiddenInput, min_value=1)
    override = forms.BooleanField(required=False, label="Override the rules that hold something back")
    reason = forms.CharField(
        max_length=MOST_REASON, required=False, label="Reason",
        help_text="Needed to override; it stands in the tag's history and in the audit log.",
    )  # fmt: skip

    def __init__(self, data: Any = None, *, revision: int, may_override: bool) -> None:
        super().__init__(data, initial={"revision": revision})
        if not may_override:
            del self.fields["override"]
            self.fields["reason"].help_text = "It stands in the tag's history and in the audit log."
