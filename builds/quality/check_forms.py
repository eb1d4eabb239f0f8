"""The form of a target's policy: of each check, whether it blocks or informs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms

from builds.quality.check_models import LEVELS
from builds.quality.policies import policy_of
from chroots.engine.checking.table import ALL

if TYPE_CHECKING:
    from builds.models import Target


class PolicyForm(forms.Form):
    """One field for each check there is."""

    def __init__(self, data: Any = None, *, target: Target) -> None:
        super().__init__(data)
        known = policy_of(target)
        for check in ALL:
            self.fields[check.name] = forms.ChoiceField(
                choices=[("", "not done"), *LEVELS],
                required=False,
                label=check.title,
                initial=known.get(check.name, ""),
                help_text=check.help,
            )

    @property
    def levels(self) -> dict[str, str]:
        """Of each wanted check its level."""
        return {name: level for name, level in self.cleaned_data.items() if level}
