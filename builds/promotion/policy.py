"""A promotion policy: a path of tags, and rules that a build must meet to go a step along it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import Any

from jsonschema import Draft202012Validator

from builds.promotion.schema import POLICY, STATES, VERDICTS
from debatomic.access.roles import TITLES
from debatomic.tools import yaml_mistakes, yaml_texts
from debatomic.tools.errors import InputError
from debatomic.tools.yaml_mistakes import near
from debatomic.tools.yaml_texts import prefix

SHOWN = "policy.yaml"
SCOPE = ("from", "to", "packages", "level", "hint")
DEEPEST = 5  # groups within groups
FINGERPRINT = re.compile(r"[0-9A-F]{40}|[0-9A-F]{64}")
RULE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,59}")
MOST_CHARACTERS = 64 << 10
_validator = Draft202012Validator(POLICY)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What a build must meet on the steps that end in `to` and begin in `sources` (empty: all steps).

    `level` is block, warn or off; `conditions` are as the file has them, and all of them are to be met.
    """

    name: str
    conditions: Mapping[str, Any] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    to: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()  # patterns of source packages; empty: all
    level: str = "block"
    hint: str = ""

    def concerns(self, package: str, source: str, to: str) -> bool:
        """Whether it is asked about this source package on this step."""
        here = (not self.sources or source in self.sources) and (not self.to or to in self.to)
        named = not self.packages or any(fnmatchcase(package, pattern) for pattern in self.packages)
        return self.level != "off" and here and named


@dataclass(frozen=True, kw_only=True)
class Policy:
    """`mode`: a build that is promoted leaves the tag it came from (move), or stays in it, too (copy)."""

    path: tuple[str, ...]
    rules: tuple[Rule, ...]
    title: str = ""
    mode: str = "move"

    @property
    def steps(self) -> tuple[tuple[str, str], ...]:
        return tuple(pairwise(self.path))

    def next_of(self, tag: str) -> str:
        """The tag that comes after this one; empty for the last. Raises InputError for one that is not on the path."""
        if tag not in self.path:
            raise InputError(f"{tag} is not on the path {' → '.join(self.path)}.", field="from")
        number = self.path.index(tag)
        return self.path[number + 1] if number + 1 < len(self.path) else ""


def read(text: str, *, tags: Collection[str] | None = None) -> Policy:
    """A policy of its YAML. `tags` are those there are: others are refused; None: whatever is named is taken.

    Raises InputError with the line, and the nearest right word where there is one.
    """
    if len(text) > MOST_CHARACTERS:
        raise InputError(f"A policy has at most {MOST_CHARACTERS >> 10} KiB.", field="text")
    try:
        content = _with_levels(yaml_texts.parse(text, SHOWN))
        yaml_mistakes.validate(content, SHOWN, _validator, whole="the policy")
        path = _path(content["path"], tags)
        rules = tuple(_rule(name, each, path, tags) for name, each in content["rules"].items())
    except InputError as error:
        raise InputError(str(error), hint=error.hint, field="text") from error
    return Policy(path=path, rules=rules, title=str(content.get("title", "")), mode=str(content.get("mode", "move")))


def _with_levels(content: Any) -> Any:
    """YAML takes `off` for false: as a level it is a word."""
    rules = content.get("rules") if isinstance(content, dict) else None
    for rule in rules.values() if isinstance(rules, dict) else ():
        if isinstance(rule, dict) and rule.get("level") is False:
            rule["level"] = "off"
    return content


def words(value: Any) -> tuple[str, ...]:
    """One text, or a list of them."""
    return tuple(value) if isinstance(value, list) else (value,)


def duration(text: str) -> timedelta:
    """12 hours, 5 days: as the schema has it."""
    number, unit = re.fullmatch(r"([0-9]+) ?([a-z]+?)s?", text).groups()  # type: ignore[union-attr]
    return timedelta(**{f"{unit}s": int(number)})


def _path(named: list[str], tags: Collection[str] | None) -> tuple[str, ...]:
    for number, tag in enumerate(named):
        if tag in named[:number]:
            raise InputError(f"{prefix(tag)}the tag {tag} is on the path twice.")
        _known(tag, tags, "tag")
    return tuple(map(str, named))


def _known(word: str, known: Collection[str] | None, what: str) -> None:
    if known is not None and word not in known:
        raise InputError(f"{prefix(word)}there is no {what} {word:.60}{near(word, known)}")


def _rule(name: str, said: dict[str, Any], path: tuple[str, ...], tags: Collection[str] | None) -> Rule:
    if not RULE.fullmatch(name):
        raise InputError(f"{prefix(name)}“{name:.60}” is no name of a rule: letters, digits, blanks, at most 60.")
    conditions = {key: value for key, value in said.items() if key not in SCOPE}
    if not conditions:
        hint = "Write one, such as state: completed."
        raise InputError(f"{prefix(name)}the rule {name} has no condition.", hint=hint)
    for key, ends in (("from", path[:-1]), ("to", path[1:])):
        for tag in words(said[key]) if key in said else ():
            _known(tag, ends, f"step {key}")
    _check(conditions, tags, 0)
    return Rule(
        name=str(name), conditions=conditions, level=str(said.get("level", "block")), hint=str(said.get("hint", "")),
        **{ours: tuple(map(str, words(said[key]))) for key, ours in
           (("from", "sources"), ("to", "to"), ("packages", "packages")) if key in said},
    )  # fmt: skip


def _check(conditions: Mapping[str, Any], tags: Collection[str] | None, depth: int) -> None:
    """Raises InputError for a word that there is not, here or in the groups beneath."""
    if depth > DEEPEST:
        raise InputError(f"{SHOWN}: the conditions are nested too deeply.")
    for word, known, what in _named(conditions, tags):
        _known(word, known, what)
    for key in words(conditions.get("signatures", [])):
        if not FINGERPRINT.fullmatch(key.upper().replace(" ", "")):
            raise InputError(f"{prefix(key)}“{key:.70}” is no fingerprint of a key: 40 or 64 digits from 0 to F.")
    for group in (*conditions.get("any", ()), *([conditions["not"]] if "not" in conditions else ())):
        _check(group, tags, depth + 1)


def _named(conditions: Mapping[str, Any], tags: Collection[str] | None) -> Iterator[tuple[str, Any, str]]:
    """Every word that must be one of some, with those and what they are."""
    for word in words(conditions.get("state", [])):
        yield word, STATES, "state"
    for wanted in conditions.get("tests", {}).values():
        for word in words(wanted):
            yield word, VERDICTS, "verdict"
    for person in ("submitter", "promoter"):
        for word in words(conditions.get(person, {}).get("role", [])):
            yield word, TITLES, "role"
    for key in ("in", "not-in"):
        for word in words(conditions.get("tag", {}).get(key, [])):
            yield word, tags, "tag"
