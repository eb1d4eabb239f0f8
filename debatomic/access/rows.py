"""How the API tells of a row.

Django REST framework makes the fields of a serializer anew for every answer, and looks for every attribute in general
ways. How the fields of a class are read stays the same: here it is found out once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property
from operator import attrgetter
from typing import Any, TypeVar

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Model
from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import Field, SkipField
from rest_framework.relations import PrimaryKeyRelatedField, RelatedField

M = TypeVar("M", bound=Model)
AnyField = Field[Any, Any, Any, Any]
PLAIN = (Field.get_attribute, RelatedField.get_attribute)


@dataclass(frozen=True)
class Reader:
    """How one field of a class of serializers is read."""

    name: str
    value: Callable[[Any], Any]  # of the row: the attribute
    otherwise: Callable[[Any], Any]  # the same where the row has no such attribute: a default, or SkipField
    show: Callable[[Any], Callable[[Any], Any]]  # of the serializer: what makes the answer's value of the attribute


class RowSerializer(serializers.ModelSerializer[M]):
    # Tells the same as a plain ModelSerializer, faster. A field's `source` is an attribute, never a method.
    # (No docstring: the API's description would take it for that of every serializer without one.)

    @cached_property
    def site(self) -> str:
        """What addresses begin with: scheme and host as they were asked for; nothing where nobody asks."""
        request = self.context.get("request")
        return f"{request.scheme}://{request.get_host()}" if request else ""

    @extend_schema_field(serializers.URLField)
    def get_page(self, row: Any) -> str:
        """The address of the page that shows it to people, for serializers with such a field."""
        return f"{self.site}{row.get_absolute_url()}"

    @cached_property
    def _bound(self) -> list[tuple[str, Any, Any, Any]]:
        return [(each.name, each.value, each.otherwise, each.show(self)) for each in _readers(type(self))]

    def to_representation(self, instance: M) -> dict[str, Any]:
        row = {}
        for name, value, otherwise, show in self._bound:
            try:
                found = value(instance)
            except (AttributeError, ObjectDoesNotExist):
                try:
                    found = otherwise(instance)
                except SkipField:
                    continue
            row[name] = None if found is None else show(found)
        return row


@cache
def _readers(kind: type[RowSerializer[Any]]) -> list[Reader]:
    """Those of all fields that a serializer of this class shows."""
    return [_reader(field) for field in kind().fields.values() if not field.write_only]


def _reader(field: AnyField) -> Reader:
    return Reader(field.field_name or "", _value(field), field.get_attribute, _show(field))


def _value(field: AnyField) -> Callable[[Any], Any]:
    if isinstance(field, PrimaryKeyRelatedField):
        return attrgetter(f"{field.source}_id")
    if field.source == "*":
        return _same
    return attrgetter(str(field.source)) if type(field).get_attribute in PLAIN else field.get_attribute


def _show(field: AnyField) -> Callable[[Any], Callable[[Any], Any]]:
    if isinstance(field, serializers.SerializerMethodField):
        return attrgetter(field.method_name or f"get_{field.field_name}")
    if isinstance(field, serializers.BaseSerializer):
        return _beneath(field)
    if isinstance(field, PrimaryKeyRelatedField):
        return lambda _: _same
    show = _moment if type(field) is serializers.DateTimeField else field.to_representation
    return lambda _: show


def _beneath(field: serializers.BaseSerializer[Any]) -> Callable[[Any], Callable[[Any], Any]]:
    """Of a serializer within another: the same with the other's request."""
    many = isinstance(field, serializers.ListSerializer)
    kind: Any = type(field.child if isinstance(field, serializers.ListSerializer) else field)
    return lambda serializer: kind(many=many, context=serializer.context).to_representation


def _same(value: Any) -> Any:
    return value


def _moment(value: datetime) -> str:
    """A time in the hub's time zone, as ISO 8601 writes it."""
    return value.astimezone(timezone.get_default_timezone()).isoformat().replace("+00:00", "Z")
