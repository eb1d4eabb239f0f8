"""The form that edits a definition: a name and a text for each of its files."""

from __future__ import annotations

from typing import Any

from django import forms

from composes.defining import definitions
from composes.models import Definition, Revision
from debatomic.access.models import User
from debatomic.tools.errors import InputError

NEW = """\
name: my-system
summary: What it is
suite: trixie
architectures:
  amd64:
    packages: [linux-image-cloud-amd64]
packages: [systemd-sysv, dracut, ostree-boot]
variants:
  minimal: {}
"""


class FileForm(forms.Form):
    name = forms.CharField(required=False, max_length=150, label="File")
    text = forms.CharField(required=False, label="Text", strip=False,
                           widget=forms.Textarea(attrs={"spellcheck": "false"}))  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        lines = str(self["text"].value() or "").count("\n")
        self.fields["text"].widget.attrs["rows"] = min(max(lines + 2, 6), 30)

    def clean_text(self) -> str:
        """Lines end as Unix ends them, the last one, too."""
        text: str = self.cleaned_data["text"].replace("\r\n", "\n")
        return text if not text or text.endswith("\n") else text + "\n"


Files = forms.formset_factory(FileForm, extra=1, max_num=definitions.MAX_FILES, absolute_max=definitions.MAX_FILES + 10)


class DefinitionForm(forms.Form):
    """`base` is the number of the revision that was edited: nobody's work is overwritten unseen."""

    main = forms.CharField(widget=forms.HiddenInput, required=False)
    base = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    message = forms.CharField(max_length=200, required=False, help_text="What you changed, and why: one line.")

    def __init__(self, data: Any = None, *, definition: Definition | None = None) -> None:
        latest = definition.latest if definition else None
        super().__init__(data, initial={"main": latest.main if latest else "", "base": latest.number if latest else 0})
        self.definition = definition
        self.rows = Files(data, prefix="file", initial=_initial(latest))

    def is_valid(self) -> bool:
        return super().is_valid() and self.rows.is_valid()

    def texts(self) -> tuple[dict[str, str], str]:
        """The files by name, and which of them is the main one. Raises InputError where there is none."""
        files = {each["name"]: each["text"] for each in self.rows.cleaned_data if each.get("name")}
        if not files:
            raise InputError("Name a file, such as my-system.yaml.")
        main = self.cleaned_data["main"]
        return files, main if main in files else next(iter(files))

    def save(self, *, by: User) -> Revision | None:
        """The new revision, or the newest if nothing changed; None when it is refused, with the reason in the form."""
        try:
            files, main = self.texts()
            return definitions.revise(self.definition.name if self.definition else "", files, main, by=by,
                                      base=self.cleaned_data["base"], message=self.cleaned_data["message"])  # fmt: skip
        except InputError as error:
            self.add_error(None, error.sentence)
            return None


def _initial(latest: Revision | None) -> list[dict[str, str]]:
    if latest is None:
        return [{"name": "my-system.yaml", "text": NEW}]
    names = [latest.main, *sorted(name for name in latest.files if name != latest.main)]
    return [{"name": name, "text": latest.files[name]} for name in names]
