"""What failed in a run that went on: the stages that do not need it."""

from __future__ import annotations

import errno
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from composes.pipeline.graph import Stage
from debatomic.tools.errors import Kind, ToolError

ENDS_ALL = (Kind.DISK, Kind.CANCELED, Kind.INTERNAL)  # what comes after would not work either
LARGE = ("container", "image")  # phases whose stages need room of their own, and give it back when they fail


def os_failure(error: OSError) -> ToolError:
    """What the host refused, as a sentence: a full disk, above all."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f" at {error.filename}" if error.filename else ""
        return ToolError(f"The disk is full{where}.", kind=Kind.DISK, hint="Free some space or use another --state.")
    return ToolError(f"The host refused: {error}.", kind=Kind.INFRASTRUCTURE)


class Failures:
    """The stages that failed, and those that were left out because they need one of them."""

    def __init__(self) -> None:
        self.errors: dict[str, ToolError] = {}
        self.left_out: dict[str, str] = {}

    def missing(self, stage: Stage) -> str:
        """The failed stage that this one needs, directly or not; empty if it can be made. It is noted as left out."""
        reason = next((name for name in stage.needs if name in self.errors or name in self.left_out), "")
        if reason:
            self.left_out[stage.name] = self.left_out.get(reason, reason)
        return self.left_out.get(stage.name, "")

    @contextmanager
    def noting(self, stage: Stage) -> Iterator[None]:
        """Whatever fails in the block is noted, unless nothing else could work either: that is raised."""
        try:
            yield
        except OSError as error:
            self._note(stage, os_failure(error))
        except ToolError as error:
            self._note(stage, error)

    def _note(self, stage: Stage, error: ToolError) -> None:
        self.errors[stage.name] = error
        spared = error.kind == Kind.DISK and stage.phase in LARGE
        if error.kind in ENDS_ALL and not spared:
            raise error

    def check(self, failable: Collection[str] = ()) -> None:
        """Raises the first failure of a stage that is not failable."""
        for name, error in self.errors.items():
            if name not in failable:
                raise error

    def as_json(self) -> list[dict[str, Any]]:
        """Each with what was left out because of it."""
        return [{"stage": name, "reason": error.sentence, "kind": error.kind.value, "decisive": list(error.lines),
                 "left_out": [stage for stage, reason in self.left_out.items() if reason == name]}
                for name, error in self.errors.items()]  # fmt: skip
