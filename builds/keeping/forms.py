"""The form of a tag's rules: to try them out, and to save them."""

from __future__ import annotations

from typing import Any

from django import forms

from builds.keeping.rules import Rules, rules_of
from builds.tagging import changing
from builds.tagging.tag_models import Tag
from debatomic.access.models import AuditEntry

RULES = ("versions", "days", "least", "keep", "discard_days")


class RulesForm(forms.ModelForm):  # type: ignore[type-arg]
    """What a tag keeps, and how long a build stays that left it."""

    class Meta:
        model = Tag
        fields = RULES
        labels = {
            "versions": "Versions to keep", "days": "Days in the tag", "least": "Versions that no age takes out",
            "keep": "Source packages of which all stays", "discard_days": "Days until a build that left may go",
        }  # fmt: skip
        help_texts = {
            "versions": "Of each source package, the newest; 0 keeps all.", "days": "0: for ever.",
            "least": "The newest ones of each source package.", "keep": "Patterns by spaces, such as linux-* grub2.",
            "discard_days": "With its packages and logs; 0: never. Other tags that had it must let it go, too.",
        }  # fmt: skip

    def clean_keep(self) -> str:
        words = str(self.cleaned_data["keep"]).split()
        if wrong := [word for word in words if not changing.PATTERN.fullmatch(word)]:
            raise forms.ValidationError(f"“{wrong[0]:.60}” is no pattern of source packages, such as linux-*.")
        return " ".join(words)

    @property
    def rules(self) -> Rules:
        """Those of the form where it is valid, else the tag's own."""
        if not self.is_valid():
            return rules_of(Tag.objects.get(pk=self.instance.pk))
        return rules_of(self.instance)  # is_valid has written the fields there, unsaved

    def save(self, commit: bool = True, *, by: Any = None) -> Tag:
        """Only the rules are written: what is in the tag may change meanwhile."""
        tag: Tag = self.instance
        tag.save(update_fields=RULES)
        AuditEntry.note(by, "tag.rules", tag, **{name: self.cleaned_data[name] for name in RULES})
        return tag
