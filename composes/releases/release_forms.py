"""The forms that promote and withdraw."""

from __future__ import annotations

from typing import Any

from django import forms

from composes.models import Compose
from composes.releases import releasing
from composes.releases.release_models import Move, ReleaseChannel
from debatomic.tools.errors import InputError

OTHERS = 50  # composes to choose from


def candidates(channel: ReleaseChannel) -> list[Compose]:
    """What the channel before carried lately, the newest first, without what this one carries now."""
    source = channel.source
    if source is None:
        return []
    found: dict[int, Compose] = {}
    for move in source.moves.done().select_related("compose").order_by("-pk")[: 2 * OTHERS]:
        found.setdefault(move.compose_id, move.compose)
    now = channel.current.compose_id if channel.current else None
    return [compose for pk, compose in found.items() if pk != now and not compose.removed_at][:OTHERS]


class MoveForm(forms.Form):
    """Why; and for a promotion the milestone it is."""

    reason = forms.CharField(max_length=releasing.MOST_REASON, label="Reason",
                             help_text="Stands in the channel's journal and in the audit log.")  # fmt: skip
    label = forms.CharField(max_length=30, required=False, label="Label", help_text="A milestone, such as RC-1.2.")

    def __init__(self, *args: Any, channel: ReleaseChannel, compose: Compose | None = None, **more: Any) -> None:
        super().__init__(*args, **more)
        self.channel, self.compose = channel, compose
        if compose is None:
            del self.fields["label"]
        else:
            self.fields["label"].initial = compose.label

    def save(self, *, by: Any) -> Move | None:
        """The move; None and errors on the fields where it is refused."""
        reason = self.cleaned_data["reason"]
        try:
            if self.compose is None:
                return releasing.withdraw(self.channel, by=by, reason=reason)
            label = self.cleaned_data["label"].strip()
            label = "" if label == self.compose.label else label
            return releasing.promote(self.channel, self.compose, by=by, reason=reason, label=label)
        except InputError as error:
            self.add_error(error.field if error.field in self.fields else None, error.sentence)
            return None
