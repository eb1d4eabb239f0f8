"""The verb `stages`: the pipeline as data."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

from composes.pipeline.graph import PHASES, Stage, ordered
from composes.pipeline.pipeline import STAGES


def as_data(stages: Sequence[Stage]) -> dict[str, Any]:
    """Phases and stages in the order of a run. `kept`: the result is reused where nothing it depends on changed."""
    return {"phases": list(PHASES), "stages": [
        {"name": each.name, "phase": each.phase, "needs": list(each.needs), "options": each.schema,
         "kept": each.stored, "uses_tools": each.uses_tools, "revision": each.revision}
        for each in ordered(stages)]}  # fmt: skip


def show(_: argparse.Namespace, __: Sequence[str]) -> int:
    print(json.dumps(as_data(STAGES), indent=2))
    return 0
