"""Fields the API's requests share."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class NameField(serializers.SlugRelatedField[Any]):
    """A thing named by its name; an unknown name is answered with what it is not and where to look."""

    def __init__(self, word: str, **kwargs: Any) -> None:
        sentence = f"There is no {word} named “{{value}}”. The list of {word}s has the names."
        super().__init__(slug_field="name", error_messages={"does_not_exist": sentence}, **kwargs)
