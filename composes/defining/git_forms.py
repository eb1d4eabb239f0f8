"""The form that has a definition follow a git repository."""

from __future__ import annotations

from typing import Any

from django import forms

from composes.defining import git_origins
from composes.models import Definition
from debatomic.access.models import User
from debatomic.tools.errors import InputError


class GitForm(forms.Form):
    name = forms.CharField(max_length=50, help_text="The definition's name, as its treefile says it.")
    url = forms.CharField(max_length=500, label="Repository", help_text="Such as https://git.example.org/systems.git")
    branch = forms.CharField(max_length=200, initial="main")
    path = forms.CharField(max_length=200, label="Treefile", help_text="Its path in the repository, such as house.yaml")

    def __init__(self, data: Any = None, *, definition: Definition | None = None) -> None:
        known = getattr(definition, "git", None)
        initial = {"name": definition.name} if definition else {}
        initial |= {"url": known.url, "branch": known.branch, "path": known.path} if known else {}
        super().__init__(data, initial=initial)
        self.fields["name"].disabled = definition is not None

    def save(self, *, by: User) -> Definition | None:
        """The definition that follows it now; None when it is refused, with the reason at its field."""
        said = self.cleaned_data
        try:
            return git_origins.follow(said["name"], url=said["url"], branch=said["branch"], path=said["path"], by=by)
        except InputError as error:
            self.add_error(error.field if error.field in self.fields else None, error.sentence)
            return None
