"""The form that submits a build: a source by its name, or an uploaded source package."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.html import format_html

from builds.models import Build, Target
from builds.submitting.policy import BuiltAlready
from builds.submitting.rebuild_fields import RebuildFields
from builds.submitting.rebuilds import asked
from debatomic.tools.errors import InputError
from hosts.pages.many_files import ManyFilesField


class WordsField(forms.CharField):
    """Words with spaces or commas between; its clean value is a list."""

    def __init__(self, **more: Any) -> None:
        super().__init__(max_length=200, **more)

    def to_python(self, value: Any) -> list[str]:  # type: ignore[override]  # as its clean value is
        return str(value or "").replace(",", " ").split()

    def run_validators(self, value: Any) -> None:
        super().run_validators(" ".join(value))


def told(error: InputError) -> str:
    """What a form says of it, with a link where it names a page."""
    if not isinstance(error, BuiltAlready):
        return error.sentence
    before, _, after = error.sentence.partition(error.page)
    return format_html('{}<a href="{}">{}</a>{}', before, error.page, error.page, after)


class BuildForm(RebuildFields):
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

    architectures = WordsField(
        required=False, label="Architectures", help_text="Only these of the target's, such as arm64. Empty: all."
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
        elif files and (cleaned.get("binnmu_reason") or cleaned.get("binnmu")):
            self.add_error("binnmu_reason", "Only what is built once can be rebuilt; an upload is new.")
        return cleaned

    def submit(self, *, by: Any) -> Build | None:
        """The build; None when it is refused, with the reason at the field it is about."""
        try:
            return self._submitted(by)
        except InputError as error:
            self.add_error(error.field if error.field in self.fields else None, told(error))
            return None

    def _submitted(self, by: Any) -> Build:
        fields = self.cleaned_data
        common = {"target": fields["target"], "scratch": fields["scratch"], "by": by,
                  "architectures": fields["architectures"]}  # fmt: skip
        if files := fields["files"]:
            return Build.objects.submit_upload(files=[(str(file.name), file) for file in files], **common)
        return Build.objects.submit(source=fields["source"], version=fields["version"], **common,
                                    rebuild=asked(fields["binnmu_reason"], fields["binnmu"]))  # fmt: skip
