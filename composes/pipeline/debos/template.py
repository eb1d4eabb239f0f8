"""The part of Go's templates that recipes use: variables, or, printf, eq and if. Lines stay where they were."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from debatomic.tools.errors import InputError

TAG = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
TOKEN = re.compile(r"""\s*("(?:\\.|[^"\\])*"|`[^`]*`|[()]|\$?\.?[A-Za-z_][\w.]*|-?\d+)""")
SET = re.compile(r"\$(\w+)\s*:?=\s*(.+)", re.DOTALL)
Value = str | bool


@dataclass
class _Rendering:
    """`open` has, for each `if` around, whether this branch counts and whether one has counted."""

    shown: str
    given: Mapping[str, str]
    variables: dict[str, Value] = field(default_factory=dict)
    open: list[tuple[bool, bool]] = field(default_factory=list)
    line: int = 1

    @property
    def counts(self) -> bool:
        return all(branch for branch, _ in self.open)

    def wrong(self, what: str) -> InputError:
        return InputError(f"{self.shown}:{self.line}: {what} is not understood here.",
                          hint="Of templates: variables, or, and, not, eq, ne, printf, if and else.")  # fmt: skip


def render(text: str, shown: str, given: Mapping[str, str]) -> str:
    """The recipe with its template filled in. Raises InputError with file and line for what is not understood."""
    rendering, result, at = _Rendering(shown, given), [], 0
    for match in TAG.finditer(text):
        result.append(_kept(text[at : match.start()], rendering))
        rendering.line = text.count("\n", 0, match.start()) + 1
        result.append(_tag(match[1], rendering) + "\n" * match[0].count("\n"))
        at = match.end()
    if rendering.open:
        raise rendering.wrong("an if without an end")
    return "".join([*result, text[at:]])


def _kept(text: str, rendering: _Rendering) -> str:
    return text if rendering.counts else "\n" * text.count("\n")


def _tag(said: str, rendering: _Rendering) -> str:
    word, _, rest = said.partition(" ")
    if said.startswith("/*"):
        return ""
    if word in ("if", "else", "end"):
        _branch(word, rest.strip(), rendering)
        return ""
    if not rendering.counts:
        return ""
    if match := SET.fullmatch(said):
        rendering.variables[match[1]] = _value(match[2], rendering)
        return ""
    value = _value(said, rendering)
    return str(value).lower() if isinstance(value, bool) else value


def _branch(word: str, rest: str, rendering: _Rendering) -> None:
    if word == "if":
        holds = bool(_value(rest, rendering)) if rendering.counts else False
        rendering.open.append((holds, holds))
        return
    if not rendering.open:
        raise rendering.wrong(f"{word} without an if")
    _, done = rendering.open.pop()
    if word == "else":
        condition = rest.removeprefix("if").strip()
        holds = not done and (not condition or bool(_value(condition, rendering)))
        rendering.open.append((holds, done or holds))


def _value(said: str, rendering: _Rendering) -> Value:
    tokens, at = [], 0
    while at < len(said.rstrip()):
        match = TOKEN.match(said, at)
        if not match:
            raise rendering.wrong(said.strip()[:60])
        tokens.append(match[1])
        at = match.end()
    value, rest = _call(tokens, rendering)
    if rest or not tokens:
        raise rendering.wrong(said.strip()[:60] or "nothing")
    return value


def _call(tokens: Sequence[str], rendering: _Rendering) -> tuple[Value, Sequence[str]]:
    """A function with its arguments, or a value alone; and the tokens that are left."""
    if not tokens or tokens[0] not in ("or", "and", "not", "eq", "ne", "printf"):
        return _operand(tokens, rendering)
    name, arguments, rest = tokens[0], [], tokens[1:]
    while rest and rest[0] != ")":
        value, rest = _operand(rest, rendering)
        arguments.append(value)
    if not arguments:
        raise rendering.wrong(name)
    return _applied(name, arguments, rendering), rest


def _operand(tokens: Sequence[str], rendering: _Rendering) -> tuple[Value, Sequence[str]]:
    if not tokens:
        raise rendering.wrong("an empty expression")
    first, rest = tokens[0], tokens[1:]
    if first == "(":
        value, rest = _call(rest, rendering)
        if not rest or rest[0] != ")":
            raise rendering.wrong("a parenthesis that is not closed")
        return value, rest[1:]
    if first[0] in '"`':
        return first[1:-1], rest
    if first.startswith("$"):
        if first[1:] not in rendering.variables:
            raise rendering.wrong(f"the variable {first}, which nothing sets,")
        return rendering.variables[first[1:]], rest
    if first.startswith("."):
        return rendering.given.get(first[1:], ""), rest
    if first in ("true", "false"):
        return first == "true", rest
    if first.lstrip("-").isdigit():
        return first, rest
    raise rendering.wrong(first)


def _applied(name: str, arguments: Sequence[Value], rendering: _Rendering) -> Value:
    if name == "printf":
        form, values = str(arguments[0]), [str(each) for each in arguments[1:]]
        if len(re.findall(r"%[sdvq]", form)) != len(values):
            raise rendering.wrong(f"printf {form}")
        return re.sub(r"%[sdvq]", lambda _: values.pop(0), form)
    if name == "or":
        return next((each for each in arguments if each), arguments[-1])
    if name == "and":
        return next((each for each in arguments if not each), arguments[-1])
    if name == "not":
        return not arguments[0]
    same = arguments[0] in arguments[1:]
    return same if name == "eq" else not same
