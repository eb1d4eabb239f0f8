"""Scaling policies: read from a file that names every mistake's line, and decided by pure functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from debatomic.tools.errors import InputError
from debatomic.tools.yaml_nodes import items, parse, place, scalar
from hosts.fleet.registering import ARCHITECTURE, NAME


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What is compared: waiting tasks, seconds that the oldest waits, share of capacity in use; None: not at all."""

    queue: float | None = None
    wait: float | None = None
    load: float | None = None


@dataclass(frozen=True, kw_only=True)
class Policy:
    """When a hook adds or removes hosts. `cooldown` and `patience` (to appear) are seconds."""

    name: str
    minimum: int = 0
    maximum: int
    up: Limits
    down: Limits
    cooldown: float = 300.0
    patience: float = 300.0
    architecture: str = ""  # of the tasks that count, and of new hosts; empty: all tasks
    channel: str = "default"
    capacity: float = 2.0
    command: tuple[str, ...] = ()
    webhook: str = ""

    @property
    def label(self) -> str:
        """What the hosts are known by that belong to it."""
        return f"policy={self.name}"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """How things are for a policy: its hosts, the tasks that wait for such, the longest wait (s), capacity in use."""

    hosts: int
    waiting: int
    oldest: float
    load: float


@dataclass(frozen=True, kw_only=True)
class Decision:
    direction: str  # up, down
    wanted: int
    reason: str


def decide(policy: Policy, seen: Seen) -> Decision | None:
    """One host more or less, or nothing. The cooldown is the caller's business."""
    if seen.hosts < policy.minimum:
        return Decision(direction="up", wanted=seen.hosts + 1, reason=f"Fewer hosts than {policy.minimum}.")
    if seen.hosts < policy.maximum and (reason := _too_much(policy.up, seen)):
        return Decision(direction="up", wanted=seen.hosts + 1, reason=reason)
    if seen.hosts > policy.maximum:
        return Decision(direction="down", wanted=seen.hosts - 1, reason=f"More hosts than {policy.maximum}.")
    if seen.hosts > policy.minimum and (reason := _little(policy.down, seen)):
        return Decision(direction="down", wanted=seen.hosts - 1, reason=reason)
    return None


def _too_much(limits: Limits, seen: Seen) -> str:
    """What is above its limit: one is enough."""
    if limits.queue is not None and seen.waiting > limits.queue:
        return f"{seen.waiting} tasks wait, more than {limits.queue:g}."
    if limits.wait is not None and seen.waiting and seen.oldest > limits.wait:
        return f"A task has waited {seen.oldest:.0f} s, more than {limits.wait:g} s."
    if limits.load is not None and seen.hosts and seen.load > limits.load:
        return f"{seen.load:.0%} of the capacity is in use, more than {limits.load:.0%}."
    return ""


def _little(limits: Limits, seen: Seen) -> str:
    """That everything limited is at or below its limit."""
    compared = [
        (limits.queue, seen.waiting),
        (limits.wait, seen.oldest if seen.waiting else 0),
        (limits.load, seen.load),
    ]
    known = [(limit, value) for limit, value in compared if limit is not None]
    if not known or any(value > limit for limit, value in known):
        return ""
    return f"{seen.waiting} tasks wait and {seen.load:.0%} of the capacity is in use."


# The file


def read(path: Path) -> list[Policy]:
    """The policies of a file. Raises InputError that names file and line."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The scaling policies {path} cannot be read: {error}.") from error
    shown = path.name
    node = parse(text, shown)
    if node is None:
        return []
    return [_policy(name, value, shown) for name, _, value in items(_mapping(node, shown), shown)]


def _mapping(node: yaml.Node, shown: str) -> yaml.MappingNode:
    if not isinstance(node, yaml.MappingNode):
        raise InputError(f"{place(node, shown)}: names with values are expected here.")
    return node


def _policy(name: str, node: yaml.Node, shown: str) -> Policy:
    where = place(node, shown)
    if not NAME.fullmatch(name) or len(name) > 40:
        raise InputError(f"{where}: {name[:60]!r} is no name of a policy.")
    found: dict[str, Any] = {}
    for key, at, value in items(_mapping(node, shown), shown):
        if key not in FIELDS:
            raise InputError(f"{at}: there is no {key}; a policy has {', '.join(FIELDS)}.")
        found[key] = FIELDS[key](key, value, shown)
    for needed in ("maximum", "up", "down"):
        if needed not in found:
            raise InputError(f"{where}: policy {name} has no {needed}.")
    if bool(found.get("command")) == bool(found.get("webhook")):
        raise InputError(f"{where}: policy {name} needs either a command or a webhook.")
    policy = Policy(name=name, **found)
    if policy.minimum > policy.maximum:
        raise InputError(f"{where}: the minimum of {name} is more than its maximum.")
    return policy


def _number(key: str, node: yaml.Node, shown: str) -> float:
    value = scalar(node, shown) if isinstance(node, yaml.ScalarNode) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise InputError(f"{place(node, shown)}: {key} must be a number, 0 or more.")
    return float(value)


def _whole(key: str, node: yaml.Node, shown: str) -> int:
    value = _number(key, node, shown)
    if value != int(value) or value > 1000:
        raise InputError(f"{place(node, shown)}: {key} must be a whole number up to 1000.")
    return int(value)


def _capacity(key: str, node: yaml.Node, shown: str) -> float:
    if not (value := _number(key, node, shown)):
        raise InputError(f"{place(node, shown)}: {key} must be more than 0.")
    return value


def _limits(key: str, node: yaml.Node, shown: str) -> Limits:
    found = {}
    for name, at, value in items(_mapping(node, shown), shown):
        if name not in ("queue", "wait", "load"):
            raise InputError(f"{at}: {key} knows queue, wait and load, not {name}.")
        found[name] = _number(name, value, shown)
    return Limits(**found)


def _word(key: str, node: yaml.Node, shown: str) -> str:
    value = scalar(node, shown) if isinstance(node, yaml.ScalarNode) else None
    if not isinstance(value, str) or not (ARCHITECTURE if key == "architecture" else NAME).fullmatch(value):
        raise InputError(f"{place(node, shown)}: {key} must be one word.")
    return value


def _command(key: str, node: yaml.Node, shown: str) -> tuple[str, ...]:
    values = [scalar(one, shown) for one in node.value] if isinstance(node, yaml.SequenceNode) else []
    if not values or not all(isinstance(one, str) and one for one in values) or not values[0].startswith("/"):
        raise InputError(f"{place(node, shown)}: {key} must be a list of words, the first of them an absolute path.")
    return tuple(values)


def _webhook(key: str, node: yaml.Node, shown: str) -> str:
    value = scalar(node, shown) if isinstance(node, yaml.ScalarNode) else None
    if not isinstance(value, str) or urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).netloc:
        raise InputError(f"{place(node, shown)}: {key} must be an address such as https://scaler.example.org/hook.")
    return value


FIELDS: Mapping[str, Callable[[str, yaml.Node, str], Any]] = {
    "minimum": _whole, "maximum": _whole, "up": _limits, "down": _limits, "cooldown": _number, "patience": _number,
    "architecture": _word, "channel": _word, "capacity": _capacity, "command": _command, "webhook": _webhook,
}  # fmt: skip
