"""The form that submits a compose."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import Prefetch

from composes.models import Compose, Definition, Revision
from composes.selection import HELP, Selection
from debatomic.tools.errors import InputError
from hosts.pages.forms import WordsField


def choices() -> list[tuple[str, list[tuple[str, str]]]]:
    """Every variant of every enabled definition's newest revision, grouped by definition."""
    newest = Revision.objects.newest().defer("files")
    definitions = Definition.objects.filter(enabled=True).prefetch_related(Prefetch("revisions", queryset=newest))
    grouped = []
    for definition in definitions:
        revisions = list(definition.revisions.all())
        variants = revisions[0].variants if revisions else {}
        grouped.append((
            f"{definition}: {definition.title}" if definition.title else str(definition),
            [(f"{definition}/{name}", _label(definition, name, about)) for name, about in variants.items()],
        ))  # fmt: skip
    return grouped


def _label(definition: Definition, name: str, about: dict[str, Any]) -> str:
    title = about.get("title")
    return f"{definition} / {name}" + (f": {title}" if title else "")


class ComposeForm(forms.Form):
    """Definition and variant are one choice, so that no pair can be picked that does not exist."""

    what = forms.ChoiceField(
        choices=choices, label="Definition and variant", help_text="The newest revision is composed, as it is now."
    )
    architectures = forms.CharField(
        required=False, max_length=200, help_text="Separated by spaces. Empty: all the definition is written for."
    )

    only = WordsField(required=False, max_length=200, help_text=f"{HELP} Only these and what they need.")
    skip = WordsField(required=False, max_length=200, help_text="The same words, and publish: not these.")

    def submit(self, *, by: Any) -> Compose | None:
        """The compose; None when it is refused, with the reason at the field it is about."""
        name, _, variant = self.cleaned_data["what"].partition("/")
        chosen = self.cleaned_data["architectures"].replace(",", " ").split()
        try:
            definition = Definition.objects.get(name=name)
            selection = Selection(tuple(self.cleaned_data["only"]), tuple(self.cleaned_data["skip"]))
            return Compose.objects.submit(definition=definition, variant=variant, architectures=chosen or None, by=by,
                                          selection=selection)  # fmt: skip
        except InputError as error:
            fields = {"definition": "what", "variant": "what"}
            known = error.field if error.field in self.fields else None
            self.add_error(fields.get(error.field, known), error.sentence)
            return None
