"""The form that names many source packages."""

from __future__ import annotations

from typing import Any

from django import forms

from builds.forms import WordsField, told
from builds.models import Target
from builds.submitting.many import MOST, Asked, Outcome, look, submit_all
from builds.submitting.rebuilds import asked as rebuild
from chroots.engine.binnmu import LONGEST
from debatomic.tools.errors import InputError


class ManyForm(forms.Form):
    sources = forms.CharField(
        max_length=20_000, required=False, label="Source packages",
        widget=forms.Textarea(attrs={"rows": 10, "spellcheck": "false", "autocapitalize": "none"}),
        help_text=f"One a line: a name, a name and a version, or a pattern as lib*-perl. At most {MOST} in all.",
    )  # fmt: skip
    reverse_build_depends = WordsField(
        required=False, label="All that build-depends on",
        help_text="Packages such as libfoo-dev, or src:libfoo for all that source package makes.",
    )  # fmt: skip
    target = forms.ModelChoiceField(
        queryset=Target.objects.filter(enabled=True), to_field_name="name", empty_label=None,
        help_text="Where they are built, and the tag that takes them.",
    )  # fmt: skip
    architectures = WordsField(
        required=False, label="Architectures", help_text="Only these of the target's, such as arm64. Empty: all."
    )
    scratch = forms.BooleanField(
        required=False, label="Scratch builds", help_text="Built like any other, never put into the target's tag."
    )
    binnmu_reason = forms.CharField(
        required=False, max_length=LONGEST, label="Reason of binary rebuilds",
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Makes them binNMUs, versions X+bN: packages of the architecture alone, whose changelogs say this.",
    )  # fmt: skip

    def outcome(self, *, by: Any, submit: bool, although: bool) -> Outcome | None:
        """What would become of them, or became; None where there is no list of them, with the reason at its field."""
        fields = self.cleaned_data
        try:
            asked = Asked(target=fields["target"], lines=fields["sources"].splitlines(), by=by,
                          scratch=fields["scratch"], architectures=fields["architectures"],
                          needing=fields["reverse_build_depends"],
                          rebuild=rebuild(fields["binnmu_reason"], 0))  # fmt: skip
            return submit_all(asked, although=although) if submit else look(asked)
        except InputError as error:
            self.add_error(error.field if error.field in self.fields else None, told(error))
            return None
