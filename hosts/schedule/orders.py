"""What can be submitted by itself: each app registers its orders in `apps.py`, as it does its methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from debatomic.tools.errors import InputError
from hosts.models import Task

Make = Callable[[], Task]


@dataclass(frozen=True, kw_only=True)
class Order:
    """One kind of thing to submit, described by texts.

    `prepare(parameters, by)` looks everything up (it may ask the network) and gives a function that makes the rows in
    the caller's transaction. Raises InputError with the parameter that is wrong.
    """

    name: str  # "build"
    title: str
    right: str  # of whoever may submit such
    needed: Mapping[str, str]  # parameter: what it is
    optional: Mapping[str, str]
    prepare: Callable[[Mapping[str, str], Any], Make]


_orders: dict[str, Order] = {}


def register(order: Order) -> None:
    _orders[order.name] = order


def orders() -> list[Order]:
    return sorted(_orders.values(), key=lambda order: order.name)


def order(name: str) -> Order:
    """The order of this name. Raises InputError, field order."""
    try:
        return _orders[name]
    except KeyError:
        known = ", ".join(sorted(_orders))
        raise InputError(f"There is no order “{name}”; there is {known}.", field="order") from None


def checked(name: str, parameters: Any) -> dict[str, str]:
    """The parameters without empty ones, if they are the order's. Raises InputError, field order, parameters."""
    wanted = order(name)
    if not isinstance(parameters, Mapping) or not all(isinstance(value, str) for value in parameters.values()):
        raise InputError("Parameters are texts by name.", field="parameters")
    given = {key: value.strip() for key, value in parameters.items() if value.strip()}
    known = {**wanted.needed, **wanted.optional}
    if unknown := [key for key in given if key not in known]:
        raise InputError(f"A {name} has no “{unknown[0]}”; it has {', '.join(known)}.", field="parameters")
    if missing := [key for key in wanted.needed if key not in given]:
        raise InputError(f"A {name} needs “{missing[0]}”: {wanted.needed[missing[0]]}", field="parameters")
    return given
