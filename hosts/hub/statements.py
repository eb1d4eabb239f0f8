"""The statements that every attempt needs, each with a text that is made once: making it takes Django longer than
saying it. What they do is what the query sets do that they are made from; all belong into a transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Model, QuerySet
from django.db.models.sql.subqueries import InsertQuery, UpdateQuery

M = TypeVar("M", bound=Model)
Made = TypeVar("Made")
Whole = tuple[str, list[str], list[tuple[int, Sequence[Callable[..., Any]], Any]]]

_made: dict[tuple[object, ...], Any] = {}


def _once(make: Callable[[], Made], *key: object) -> Made:
    if key not in _made:
        _made[key] = make()
    found: Made = _made[key]
    return found


def first(model: type[M], wanted: Callable[[Any], QuerySet[M]], column: str, value: Any) -> M | None:
    """The first row of `wanted(value)`, a query of whole rows in which nothing but the value of this column varies."""
    connection = transaction.get_connection()
    sql, names, converters = _once(lambda: _select(wanted(value), connection), "select", connection.vendor, wanted)
    with connection.cursor() as cursor:
        cursor.execute(sql, [_field(model, column).get_db_prep_value(value, connection)])
        row = cursor.fetchone()
    if row is None:
        return None
    values = list(row)
    for position, functions, column_of in converters:
        for convert in functions:
            values[position] = convert(values[position], column_of, connection)
    return model.from_db(connection.alias, names, values)


def _select(rows: QuerySet[Any], connection: BaseDatabaseWrapper) -> Whole:
    compiler = rows.query.get_compiler(connection=connection)
    sql = compiler.as_sql()[0]
    found = compiler.get_converters([column for column, *_ in compiler.select])
    names = [field.attname for field in rows.model._meta.concrete_fields]
    return sql, names, [(position, *with_column) for position, with_column in found.items()]


def update(model: type[Model], where: Mapping[str, Any], columns: Mapping[str, Any]) -> int:
    """Write these columns of the rows that have these values (None: none): how many there were."""
    connection = transaction.get_connection()
    wheres = sorted(where.items())  # as a query set has them
    key = tuple((name, value is None) for name, value in (*wheres, *columns.items()))
    sql = _once(lambda: _update(model, where, columns, connection), "update", connection.vendor, model, len(where), key)
    params = [_saved(_field(model, name), value, connection) for name, value in columns.items() if value is not None]
    params += [_field(model, name).get_db_prep_value(value, connection) for name, value in wheres if value is not None]
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return int(cursor.rowcount)


def _update(
    model: type[Model], where: Mapping[str, Any], columns: Mapping[str, Any], connection: BaseDatabaseWrapper
) -> str:  # fmt: skip
    query: Any = model._default_manager.filter(**where).query.chain(UpdateQuery)
    query.add_update_values(dict(columns))
    return str(query.get_compiler(connection=connection).as_sql()[0])


def insert(row: Model) -> None:
    """Write a new row, whose id the database gives and nobody here learns."""
    connection = transaction.get_connection()
    model = type(row)
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    sql = _once(lambda: _insert(row, fields, connection), "insert", connection.vendor, model)
    values = [_saved(field, field.pre_save(row, True), connection) for field in fields]
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


def _insert(row: Model, fields: list[Field[Any, Any]], connection: BaseDatabaseWrapper) -> str:
    query = InsertQuery(type(row))
    query.insert_values(fields, [row])
    return str(query.get_compiler(connection=connection).as_sql()[0][0])


def _field(model: type[Model], name: str) -> Field[Any, Any]:
    return cast("Field[Any, Any]", model._meta.get_field(name))


def _saved(field: Field[Any, Any], value: Any, connection: BaseDatabaseWrapper) -> Any:
    plain = value.pk if isinstance(value, Model) else value
    return field.get_db_prep_save(plain, connection)
