"""The form of a repository."""

from __future__ import annotations

import re
from typing import Any

from django import forms

from builds.tagging.repository_models import Repository
from builds.tagging.tag_models import Tag
from debatomic.access.models import AuditEntry

ARCHITECTURE = re.compile(r"[a-z0-9][a-z0-9-]*")


class RepositoryForm(forms.ModelForm):  # type: ignore[type-arg]
    """How a tag is published to machines."""

    class Meta:
        model = Repository
        fields = ("suite", "architectures", "origin", "label", "description", "automatic", "contents", "pdiffs",
                  "valid_days", "keep_days", "enabled")  # fmt: skip
        labels = {
            "automatic": "Machines upgrade from it by themselves", "contents": "List the files of packages (Contents)",
            "pdiffs": "Offer patches of package lists (pdiffs)",
            "valid_days": "Days until machines refuse its index", "keep_days": "Days to keep snapshots",
            "enabled": "Follow the tag",
        }  # fmt: skip
        help_texts = {
            "suite": "Stands in sources.list.d.", "architectures": "By spaces, such as amd64 arm64.",
            "valid_days": "0: never. Otherwise it is signed anew before.",
            "keep_days": "After another took its place; 0: for ever.",
            "pdiffs": "Machines far away fetch less when little changes.",
            "label": "Pinning can name it, and the origin.",
        }  # fmt: skip

    def __init__(self, *args: Any, tag: Tag, **more: Any) -> None:
        there = Repository.objects.filter(tag=tag).first()
        more["instance"] = there or Repository(tag=tag, suite=tag.name)
        super().__init__(*args, **more)

    def clean_architectures(self) -> str:
        words = str(self.cleaned_data["architectures"]).split()
        if wrong := [word for word in words if not ARCHITECTURE.fullmatch(word)]:
            raise forms.ValidationError(f"“{wrong[0]:.40}” is no architecture.")
        if not words or "all" in words:
            raise forms.ValidationError("Name architectures such as amd64; packages for all are in each of them.")
        return " ".join(dict.fromkeys(words))

    def save(self, commit: bool = True, *, by: Any = None) -> Repository:
        self.instance.anew, self.instance.seen = True, ""
        made: Repository = super().save(commit=commit)
        AuditEntry.note(by, "repository.edit", made.tag, suite=made.suite)
        return made
