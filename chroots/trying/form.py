"""The form that tries something in a chroot."""

from __future__ import annotations

from typing import Any

from django import forms

from chroots.forms import words
from chroots.models import Chroot
from chroots.trying.submitting import LIMITS, LONGEST_SCRIPT, LONGEST_TIME, Wanted, submit
from debatomic.access.checks import may
from debatomic.tools.errors import InputError
from hosts.models import Task
from hosts.pages.many_files import ManyFilesField


class TrialForm(forms.Form):
    """Every field may be empty, but something must be asked for."""

    packages = forms.CharField(
        max_length=4000, required=False, help_text="Installed first, with blanks between: figlet, or jq=1.7.1-6."
    )
    files = ManyFilesField(  # type: ignore[assignment]  # the form takes it from the class
        required=False, help_text="Copied to /build, where the script begins."
    )  # fmt: skip
    script = forms.CharField(
        max_length=LONGEST_SCRIPT, required=False, strip=False,
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false"}),
        help_text="Lines of a shell. The first that fails ends it, and its status is told.",
    )  # fmt: skip
    places = forms.CharField(
        max_length=20_000, required=False, label="Copy out",
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
        help_text="Files and folders to keep, one a line: /build/report.txt. A folder comes packed.",
    )  # fmt: skip
    as_root = forms.BooleanField(
        required=False, label="As root",
        help_text="The script is root of the buildroot, and can install what is in /build; otherwise it is who builds.",
    )  # fmt: skip
    network = forms.BooleanField(
        required=False, label="With the network of the host",
        help_text="The script reaches what the host reaches, its own loopback, too: only for what you trust.",
    )  # fmt: skip
    time_limit = forms.IntegerField(
        min_value=1, max_value=LONGEST_TIME, initial=LIMITS["time_limit"], label="Time limit, seconds"
    )

    def __init__(self, *args: Any, by: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if not may(by, "chroots.network"):
            del self.fields["network"]

    def submit(self, chroot: Chroot, *, by: Any) -> Task | None:
        """The trial's task; None when it is refused, with the reason at the field it is about."""
        asked = self.cleaned_data
        wanted = Wanted(
            packages=tuple(words(asked["packages"])), script=asked["script"].replace("\r\n", "\n"),
            places=_lines(asked["places"]),
            as_root=asked["as_root"], network=asked.get("network", False), time_limit=asked["time_limit"],
        )  # fmt: skip
        try:
            return submit(chroot, wanted, [(str(file.name), file) for file in asked["files"]], by=by)
        except InputError as error:
            self.add_error(error.field if error.field in self.fields else None, error.sentence)
            return None


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())
