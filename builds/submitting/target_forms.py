"""What a target demands of what is submitted for it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db import transaction

from builds.models import Target
from builds.submitting.signatures import checked_fingerprints, checked_keyring
from debatomic.access.models import AuditEntry
from debatomic.tools.errors import InputError

FIELDS = ("once", "signatures", "keyring", "fingerprints")


@transaction.atomic
def demand(target: Target, values: dict[str, Any], *, by: Any) -> Target:
    """Change some of FIELDS. Raises InputError with the field that is wrong."""
    new = {name: values[name] for name in FIELDS if name in values}
    if "keyring" in new:
        try:
            new["keyring"] = checked_keyring(new["keyring"])
        except InputError as error:
            error.field = "keyring"
            raise
    if "fingerprints" in new:
        new["fingerprints"] = checked_fingerprints(new["fingerprints"])
    Target.objects.filter(pk=target.pk).update(**new)
    shown = {name: value for name, value in new.items() if name != "keyring"}
    AuditEntry.note(by, "target.edit", target, **shown)
    target.refresh_from_db()
    return target


class TargetForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    class Meta:
        model = Target
        fields = FIELDS
        labels = {"once": "Each version once", "signatures": "Signatures of uploads", "keyring": "Keys",
                  "fingerprints": "Only these fingerprints"}  # fmt: skip
        help_texts = {
            "once": "A second build of a version is refused; scratch, failed and canceled builds do not count.",
            "signatures": "Of the .dsc or .changes that is uploaded. The archive's own signature is always checked.",
            "keyring": "Public keys, as gpg --armor --export writes them.",
            "fingerprints": "One a line; empty: every key above may sign.",
        }
        widgets = {"keyring": forms.Textarea(attrs={"rows": 6, "spellcheck": "false"}),
                   "fingerprints": forms.Textarea(attrs={"rows": 2, "spellcheck": "false"})}  # fmt: skip

    def demand(self, *, by: Any) -> bool:
        """Whether it was changed; else the reason is at its field."""
        try:
            demand(self.instance, self.cleaned_data, by=by)
        except InputError as error:
            self.add_error(error.field, error.sentence)
            return False
        return True
