"""What is wrong in a treefile, said with file, line and the nearest right word."""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator

from composes.pipeline.treefiles.schema import TREEFILE
from debatomic.tools import yaml_mistakes
from debatomic.tools.yaml_mistakes import near

__all__ = ["near", "validate"]

_validator = Draft202012Validator(TREEFILE)


def validate(content: Any, shown: str) -> None:
    """Raises InputError with file and line of the first thing that is wrong."""
    yaml_mistakes.validate(content, shown, _validator, whole="the treefile")
