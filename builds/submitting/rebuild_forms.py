"""Forms of binary rebuilds, and the two fields of other forms that make one of what they submit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from builds.forms import WordsField, told
from builds.submitting.rebuild_fields import RebuildFields
from builds.submitting.rebuilds import asked
from debatomic.tools.errors import InputError

if TYPE_CHECKING:
    from builds.models import Build


class RebuildForm(RebuildFields):
    """Of one build."""

    architectures = WordsField(
        required=False, label="Architectures", help_text="Only these, such as arm64. Empty: all that have its packages."
    )

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.fields["binnmu_reason"].required = True
        self.fields["binnmu_reason"].help_text = "What its changelog says, item by line."

    def rebuild(self, build: Build, *, by: Any) -> Build | None:
        """The new build; None where it is refused, with the reason at its field."""
        fields = self.cleaned_data
        try:
            wanted = asked(fields["binnmu_reason"], fields["binnmu"])
            assert wanted is not None  # the reason is required
            return build.rebuild(wanted, by=by, architectures=fields["architectures"])
        except InputError as error:
            self.add_error(error.field if error.field in self.fields else None, told(error))
            return None
