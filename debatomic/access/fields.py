"""Fields the API's requests share."""

from __future__ import annotations

from typing import Any, NoReturn

from rest_framework import serializers

MOST_NAMES = 12


class NameField(serializers.SlugRelatedField[Any]):
    """A thing named by its name; an unknown name is answered with what it is not, and with the names there are."""

    def __init__(self, word: str, **kwargs: Any) -> None:
        sentence = f"There is no {word} named “{{value}}”{{others}}."
        super().__init__(slug_field="name", error_messages={"does_not_exist": sentence}, **kwargs)

    def fail(self, key: str, **kwargs: Any) -> NoReturn:
        super().fail(key, others=self._others() if key == "does_not_exist" else "", **kwargs)

    def _others(self) -> str:
        known: Any = self.get_queryset()
        names = list(known.order_by("name").values_list("name", flat=True)[: MOST_NAMES + 1])
        if not names:
            return "; there is none yet"
        return f"; there is {', '.join(names[:MOST_NAMES])}" + (", and others" if len(names) > MOST_NAMES else "")
