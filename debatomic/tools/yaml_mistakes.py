"""What is wrong in a YAML file, said with file, line and the nearest right word: JSON schema with sentences."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from debatomic.tools.errors import InputError
from debatomic.tools.yaml_texts import Text

TYPE_WORDS = {"object": "a mapping", "array": "a list", "string": "text", "boolean": "yes or no (true or false)",
              "integer": "a whole number", "number": "a number", "null": "empty"}  # fmt: skip


def validate(content: Any, shown: str, validator: Draft202012Validator, *, whole: str) -> None:
    """Raises InputError with file and line of the first thing that is wrong; `whole` is what the file is called."""
    errors = list(validator.iter_errors(content))
    if errors:
        error = min(errors, key=lambda each: _order(each, _place(content, each.absolute_path, shown)))
        place = _unknown_place(error) or _place(content, error.absolute_path, shown)
        raise InputError(f"{place}: {_sentence(error, whole)}")


def near(word: str, known: Iterable[str]) -> str:
    """Known words like `word`, as the end of a sentence: "; did you mean x or y?" or "."."""
    close = difflib.get_close_matches(word, list(known), n=3, cutoff=0.7)
    return f"; did you mean {' or '.join(close)}?" if close else "."


def _order(error: ValidationError, place: str) -> tuple[bool, int]:
    """By line; what is missing last: it is often there, with its name written wrongly."""
    return error.validator == "required", _line(place)


def _line(place: str) -> int:
    number = place.rpartition(":")[2]
    return int(number) if number.isdigit() else 0


def _place(content: Any, path: Iterable[str | int], shown: str) -> str:
    """Where the value at `path` begins: its own place, or that of the last key on the way to it."""
    place = f"{shown}:1"
    for step in path:
        if isinstance(content, dict):
            place = next((key.place for key in content if key == step and isinstance(key, Text)), place)
        content = content[step]
        place = _own_place(content) or place
    return place


def _own_place(value: Any) -> str:
    if isinstance(value, Text):
        return value.place
    if isinstance(value, list) and value:
        return _own_place(value[0]) if isinstance(value[0], Text) else ""
    return ""


def _unknown_keys(error: ValidationError) -> list[Text]:
    if error.validator != "additionalProperties" or not isinstance(error.instance, dict):
        return []
    known = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
    return [key for key in error.instance if key not in known]


def _unknown_place(error: ValidationError) -> str:
    unknown = _unknown_keys(error)
    return unknown[0].place if unknown else getattr(error.instance, "place", "")


def _sentence(error: ValidationError, whole: str) -> str:
    schema = error.schema if isinstance(error.schema, dict) else {}
    if unknown := _unknown_keys(error):
        return f"unknown key {unknown[0]}{near(unknown[0], schema.get('properties', {}))}"
    name = next((str(step) for step in reversed(error.absolute_path) if isinstance(step, str)), whole)
    value: Any = error.validator_value
    if error.validator == "type":
        wanted = TYPE_WORDS[value if isinstance(value, str) else value[0]]
        return f"{name} must be {wanted}, not {_type_word(error.instance)}."
    if error.validator == "required":
        return f"{name} lacks the key {_missing(error)}."
    if error.validator == "enum":
        *most, last = map(str, value)
        words = f"{', '.join(most)} or {last}" if most else last
        return f"{name} can be {words}, not {error.instance!s:.100}{near(str(error.instance), map(str, value))}"
    if "description" in schema:
        return f"{name}: {error.instance!s:.100} is not {schema['description']}."
    return f"{name}: {error.message:.200}."


def _missing(error: ValidationError) -> str:
    wanted: Any = error.validator_value
    has: Any = error.instance
    return next((str(key) for key in wanted if key not in has), "")


def _type_word(value: Any) -> str:
    for kind, word in ((bool, "yes or no"), (str, "text"), (dict, "a mapping"), (list, "a list"), (int, "a number")):
        if isinstance(value, kind):
            return word
    return "empty" if value is None else "a number"
