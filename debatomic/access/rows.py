"""How the API tells of a row.

Django REST framework makes the fields of a serializer anew for every answer, and looks for every attribute in general
ways. How the fields of a class are read stays the same: here it is found out once.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cache, cached_property
from operator import attrgetter
from typing import Any, TypeVar

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Model
from django.utils import timezone
from rest_framework import serializers
from rest_framework.fields import Field, SkipField
from rest_framework.relations import PrimaryKeyRelatedField, RelatedField

M = TypeVar("M", bound=Model)
Reader = Callable[[Any, Any], Any]  # of the serializer and the row: what the field shows


class RowSerializer(serializers.ModelSerializer[M]):
    # Tells the same as a plain ModelSerializer, faster. A field's `source` is an attribute, never a method.
    # (No docstring: the API's description would take it for that of every serializer without one.)

    @cached_property
    def within(self) -> dict[serializers.BaseSerializer[Any], Any]:
        """The serializers of its fields, each with the request."""
        return {}

    def to_representation(self, instance: M) -> dict[str, Any]:
        row = {}
        for name, read in _readers(type(self)):
            try:
                row[name] = read(self, instance)
            except SkipField:
                continue
        return row


@cache
def _readers(kind: type[RowSerializer[Any]]) -> list[tuple[str, Reader]]:
    """How to read each field that a serializer of this class shows."""
    return [(name, _reader(field)) for name, field in kind().fields.items() if not field.write_only]


def _reader(field: Field[Any, Any, Any, Any]) -> Reader:
    if isinstance(field, serializers.SerializerMethodField):
        method: Reader = getattr(type(field.parent), field.method_name or f"get_{field.field_name}")
        return method
    if isinstance(field, serializers.BaseSerializer):
        return _beneath(field)
    value, show = _value(field), _show(field)

    def read(_: Any, row: Any) -> Any:
        found = value(row)
        return None if found is None else show(found)

    return read


def _beneath(field: serializers.BaseSerializer[Any]) -> Reader:
    """Of a serializer within: one that knows the request takes its place."""
    many = isinstance(field, serializers.ListSerializer)
    kind: Any = type(field.child if isinstance(field, serializers.ListSerializer) else field)

    def read(serializer: Any, row: Any) -> Any:
        found = field.get_attribute(row)
        if found is None:
            return None
        if field not in serializer.within:
            serializer.within[field] = kind(many=many, context=serializer.context)
        return serializer.within[field].to_representation(found)

    return read


def _value(field: Field[Any, Any, Any, Any]) -> Callable[[Any], Any]:
    """The attribute that the field shows."""
    if isinstance(field, PrimaryKeyRelatedField):
        return attrgetter(f"{field.source}_id")
    if type(field).get_attribute not in (Field.get_attribute, RelatedField.get_attribute):
        return field.get_attribute
    attribute = attrgetter(str(field.source))

    def value(row: Any) -> Any:
        try:
            return attribute(row)
        except (AttributeError, ObjectDoesNotExist):
            return field.get_attribute(row)  # it knows what to say instead

    return value


def _show(field: Field[Any, Any, Any, Any]) -> Callable[[Any], Any]:
    if isinstance(field, PrimaryKeyRelatedField):
        return lambda key: key
    return _moment if type(field) is serializers.DateTimeField else field.to_representation


def _moment(value: datetime) -> str:
    """A time in the hub's time zone, as ISO 8601 writes it."""
    return value.astimezone(timezone.get_default_timezone()).isoformat().replace("+00:00", "Z")
