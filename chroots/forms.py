"""Forms that make and change chroots: a field for each plain key of a definition, and a text for all others."""

from __future__ import annotations

from typing import Any

from django import forms

from chroots import definition, editing
from chroots.engine.configuration.values import VARIANTS
from chroots.models import Chroot
from debatomic.tools.errors import InputError

KEYS = {"base": "base", "suite": "suite", "architecture": "architecture", "variant": "variant",
        "components": "components", "+packages": "packages", "mirror": "mirror"}  # fmt: skip
EXAMPLE = """repositories:
  - name: house
    uris: ["https://deb.example.org/debian"]
    suites: ["{suite}-house"]
    key: /etc/debatomic/house.asc"""


def words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def bases() -> list[tuple[str, str]]:
    return [("", "nothing"), *((name, name) for name in definition.families())]


def shipped() -> list[tuple[str, str]]:
    """The definitions that come with DebAtomic and that no chroot has yet."""
    there = set(Chroot.objects.values_list("name", flat=True))
    return [("", "none: a definition of your own"), *((one, one) for one in definition.shipped() if one not in there)]


class ScheduleForm(forms.Form):
    """When it is refreshed by itself."""

    refresh_hours = forms.IntegerField(
        required=False, min_value=0, max_value=editing.MOST_HOURS, label="Refresh every … hours",
        help_text="24 is daily, at this time of day. Empty: only by hand, and when a build finds the archive changed.",
    )  # fmt: skip

    def clean_refresh_hours(self) -> int:
        return self.cleaned_data.get("refresh_hours") or 0

    def told(self, error: InputError) -> None:
        """Put an error where it belongs."""
        self.add_error(error.field if error.field in self.fields else None, error.sentence)


class DefinitionForm(ScheduleForm):
    """A definition in fields; `more` is the rest of it in YAML."""

    base = forms.ChoiceField(
        choices=bases, required=False, label="Begin with",
        help_text="A definition that comes with DebAtomic; what is given below is in place of its values.",
    )  # fmt: skip
    suite = forms.CharField(
        max_length=40, required=False, help_text="As trixie or sid; needed unless what it begins with has one."
    )
    architecture = forms.CharField(
        max_length=20, required=False, help_text="As amd64 or arm64; needed unless what it begins with has one."
    )
    variant = forms.ChoiceField(
        choices=[("", "as the base says, else buildd"), *((name, name) for name in VARIANTS)],
        required=False, help_text="buildd has what every build needs, minbase little more than apt.",
    )  # fmt: skip
    components = forms.CharField(max_length=200, required=False, help_text="Empty: main.")
    packages = forms.CharField(
        max_length=4000, required=False, label="Extra packages", help_text="Installed besides, with blanks between."
    )
    mirror = forms.CharField(max_length=300, required=False, help_text="Empty: each host's own.")
    more = forms.CharField(
        max_length=definition.LENGTH, required=False, label="Repositories and other keys",
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false"}), strip=False,
        help_text="YAML, as in a definition file: repositories, include, keyring, refresh_after.",
    )  # fmt: skip
    field_order = ("name", "shipped", *KEYS.values(), "more", "refresh_hours")

    @property
    def example(self) -> str:
        return EXAMPLE

    def text(self) -> tuple[str, list[str]]:
        """The definition, and the keys of its first lines, which came from fields."""
        given: dict[str, Any] = {key: self.cleaned_data[field] for key, field in KEYS.items()}
        for key in ("components", "+packages"):
            given[key] = words(given[key])
        return definition.composed(given, self.cleaned_data["more"])

    def told(self, error: InputError) -> None:
        """Put an error at the field, or the line of the text, that it is about."""
        if error.field != "definition":
            return super().told(error)
        key, sentence = definition.blamed(error, self.text()[1])
        self.add_error(KEYS.get(key, "more"), sentence)
        return None


class ChrootForm(DefinitionForm):
    """A new chroot: of a definition that comes with DebAtomic, or of one's own."""

    shipped = forms.ChoiceField(
        choices=shipped, required=False, label="Definition",
        help_text="The chroot has its name. An upgrade of DebAtomic may change it.",
    )  # fmt: skip
    name = forms.CharField(max_length=50, required=False, help_text="Small letters, digits and -: trixie-amd64-house.")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("shipped") and cleaned.get("name"):
            self.add_error("name", "Choose a definition above or name one of your own, not both.")
        elif not cleaned.get("shipped") and not cleaned.get("name") and "name" not in self.errors:
            self.add_error("name", "Name it, or choose a definition above.")
        return cleaned

    def submit(self, *, by: Any) -> Chroot | None:
        """The chroot; None when it is refused, with the reason at the field it is about."""
        asked = self.cleaned_data
        text = "" if asked["shipped"] else self.text()[0]
        try:
            return editing.create(asked["shipped"] or asked["name"], text, refresh_hours=asked["refresh_hours"], by=by)
        except InputError as error:
            self.told(error)
            return None


def of(chroot: Chroot) -> dict[str, Any]:
    """What a form shows of a chroot's own definition."""
    fields, more = definition.divided(chroot.definition)
    shown = {field: fields[key] for key, field in KEYS.items() if key in fields}
    for field in ("components", "packages"):
        if isinstance(shown.get(field), list):
            shown[field] = " ".join(shown[field])
    return {**shown, "more": more, "refresh_hours": chroot.refresh_hours or None}


def like(chroot: Chroot) -> dict[str, Any]:
    """What a form for another chroot like this one begins with."""
    return of(chroot) if chroot.definition else {"base": chroot.name}


def edit_form(chroot: Chroot, posted: Any = None) -> ScheduleForm:
    """The form to change a chroot with; the definition of one that comes with DebAtomic is a file."""
    kind = DefinitionForm if chroot.definition else ScheduleForm
    return kind(posted) if posted is not None else kind(initial=of(chroot))


def save(form: ScheduleForm, chroot: Chroot, *, by: Any) -> bool:
    """Change the chroot as a valid form says; False when that is refused, with the reason at its field."""
    text = form.text()[0] if isinstance(form, DefinitionForm) else None
    try:
        editing.change(chroot, text=text, refresh_hours=form.cleaned_data["refresh_hours"], by=by)
    except InputError as error:
        form.told(error)
        return False
    return True
