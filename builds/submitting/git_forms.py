"""The form that names a commit."""

from __future__ import annotations

from typing import Any

from django import forms

from builds.forms import WordsField, told
from builds.models import Target
from builds.submitting.from_git import from_git
from debatomic.tools.errors import InputError
from hosts.models import Task


class GitForm(forms.Form):
    url = forms.CharField(max_length=300, label="Address of the repository",
                          help_text="https://…, readable by everybody, with debian/ in it.")  # fmt: skip
    ref = forms.CharField(max_length=200, required=False, label="Branch, tag or commit",
                          help_text="A commit is written in full. Empty: the repository's HEAD.")  # fmt: skip
    target = forms.ModelChoiceField(
        queryset=Target.objects.filter(enabled=True), to_field_name="name", empty_label=None,
        help_text="Where it is built, and the tag that takes it.",
    )  # fmt: skip
    architectures = WordsField(
        required=False, label="Architectures", help_text="Only these of the target's, such as arm64. Empty: all."
    )
    scratch = forms.BooleanField(
        required=False, label="Scratch build", help_text="Built like any other, never put into the target's tag."
    )

    def submit(self, *, by: Any) -> Task | None:
        """The task that packs it; None when it is refused, with the reason at its field."""
        fields = self.cleaned_data
        try:
            return from_git(fields["target"], fields["url"].strip(), fields["ref"].strip() or "HEAD", by=by,
                            scratch=fields["scratch"], architectures=fields["architectures"])  # fmt: skip
        except InputError as error:
            self.add_error(error.field if error.field in self.fields else None, told(error))
            return None
