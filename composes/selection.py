"""What of a compose is made: all of it, or only some phases and deliverables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from composes.pipeline import parts
from composes.pipeline.graph import PHASES
from debatomic.tools.errors import InputError

PUBLISH = "publish"
WORDS = (*PHASES, *parts.FORMATS, parts.UPGRADE)
HELP = f"Phases or deliverables, separated by spaces: {', '.join(WORDS)}."


@dataclass(frozen=True)
class Selection:
    """`only` these phases or deliverables, with what they need; without those to `skip` and what needs them."""

    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()

    @classmethod
    def of(cls, request: Mapping[str, Any]) -> Selection:
        return cls(tuple(request.get("only") or ()), tuple(request.get("skip") or ()))

    def check(self) -> None:
        """Raises InputError (only, skip) for what there is not."""
        for field, names in (("only", self.only), ("skip", tuple(name for name in self.skip if name != PUBLISH))):
            try:
                parts.check_names(names)
            except InputError as error:
                raise InputError(error.sentence, field=field) from error

    @property
    def publishes(self) -> bool:
        """Only what every gate was asked about is published: a whole compose."""
        return not self.only and not self.skip

    def as_json(self) -> dict[str, list[str]]:
        """For the requests of its tasks; empty for a whole compose."""
        return {name: list(words) for name, words in (("only", self.only), ("skip", self.skip)) if words}


ALL = Selection()
