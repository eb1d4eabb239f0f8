"""The form that submits a build: a source by its name, or an uploaded source package."""

from __future__ import annotations

from typing import Any

from django import forms

from builds.models import Build, Target
from debatomic.tools.errors import InputError
from hosts.pages.many_files import ManyFilesField


class BuildForm(forms.Form):
    source = forms.CharField(
        max_length=100, required=False, help_text="The source package's name in the archive, such as figlet."
    )
    version = forms.CharField(
        max_length=100, required=False, help_text="Empty: the newest one the target's archive has."
    )
    files = ManyFilesField(  # type: ignore[assignment]  # the form takes it from the class
        required=False, label="Source package files",
        help_text="The .dsc and every file it names (the .orig and .debian tarballs), all at once.",
    )  # fmt: skip
    target = forms.ModelChoiceField(
        queryset=Target.objects.filter(enabled=True), to_field_name="name", empty_label=None,
        help_text="Where it is built, and the tag that takes it.",
    )  # fmt: skip
    scratch = forms.BooleanField(
        required=False, label="Scratch build", help_text="Built like any other, never put into the target's tag."
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        source, files = cleaned.get("source"), cleaned.get("files")
        if source and files:
            self.add_error("files", "Give either a source package's name or its files, not both.")
        elif not source and not files and "files" not in self.errors:
            self.add_error("source", "Name a source package, or upload one below.")
        elif files and cleaned.get("version"):
            self.add_error("version", "An upload has the version its .dsc says; leave this empty.")
        return cleaned

    def submit(self, *, by: Any) -> Build | None:
        """The build; None when it is refused, with the reason at the field it is about."""
        try:
            return self._submitted(by)
        except InputError as error:
            self.add_error(error.field if error.field in self.fields else None, error.sentence)
            return None

    def _submitted(self, by: Any) -> Build:
        fields = self.cleaned_data
        common = {"target": fields["target"], "scratch": fields["scratch"], "by": by}
        if files := fields["files"]:
            return Build.objects.submit_upload(files=[(str(file.name), file) for file in files], **common)
        return Build.objects.submit(source=fields["source"], version=fields["version"], **common)
