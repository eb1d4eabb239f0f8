"""The forms of tags."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db import transaction

from builds.models import Build
from builds.promotion import around
from builds.tagging import changing
from builds.tagging.tag_models import Tag
from debatomic.access.models import AuditEntry
from debatomic.tools.errors import InputError

LONGEST_REASON = 200


class TagForm(forms.ModelForm):  # type: ignore[type-arg]
    """What a tag is; each line of `parents` is a tag, and patterns of source packages where not all pass."""

    parents = forms.CharField(
        required=False, label="Inherits from", widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}),
        help_text="A tag a line, the first asked first; after it patterns of source packages, if not all: "
                  "trixie linux-* grub2.",
    )  # fmt: skip

    class Meta:
        model = Tag
        fields = ("name", "description", "versions")
        labels = {"versions": "Versions to keep"}
        help_texts = {"versions": "Of each source package, those that came last; 0 keeps all."}

    def __init__(self, *args: Any, tag: Tag | None = None, **more: Any) -> None:
        super().__init__(*args, **{**more, "instance": tag})
        if tag:
            del self.fields["name"]
            lines = tag.parents.at().select_related("parent").order_by("priority")
            self.fields["parents"].initial = "\n".join(f"{line.parent} {line.packages}".strip() for line in lines)

    def clean_parents(self) -> list[tuple[Tag, str]]:
        found = []
        for number, line in enumerate(self.cleaned_data["parents"].splitlines(), 1):
            name, _, packages = line.strip().partition(" ")
            if not name:
                continue
            parent = Tag.objects.filter(name=name).first()
            if parent is None:
                raise forms.ValidationError(f"Line {number}: there is no tag {name[:60]}.")
            found.append((parent, packages))
        return found

    def save(self, commit: bool = True, *, by: Any = None) -> Any:
        """The tag; None and errors on the fields where it is refused."""
        try:
            with transaction.atomic():
                changing.lock_all()
                tag = super().save(commit=commit)
                there = tag.parents.at().order_by("priority").values_list("parent_id", "packages")
                wanted = [(parent.pk, " ".join(packages.split())) for parent, packages in self.cleaned_data["parents"]]
                if wanted != list(there):
                    around.check_parents(tag, by=by)
                changing.inherit(tag, self.cleaned_data["parents"], by=by)
                changing.keep(tag, tag.versions, by=by)
                AuditEntry.note(by, "tag.edit", tag, versions=tag.versions)
                return tag
        except InputError as error:
            self.add_error(error.field if error.field in self.fields else None, error.sentence)
            return None


class AddForm(forms.Form):
    """Which build."""

    build = forms.ModelChoiceField(queryset=Build.objects.all(), widget=forms.NumberInput, label="Number of the build")
    reason = forms.CharField(max_length=LONGEST_REASON, required=False, label="Reason")


class UntagForm(forms.Form):
    """Why it goes."""

    reason = forms.CharField(max_length=LONGEST_REASON, required=False, label="Reason")


class BlockForm(forms.Form):
    """Which source package."""

    source = forms.CharField(max_length=100, label="Source package")
    reason = forms.CharField(max_length=LONGEST_REASON, required=False, label="Reason")
