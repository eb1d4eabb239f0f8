"""Where the tables and keys of a TOML file begin: Python's parser does not tell."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any

from composes.pipeline.treefiles.marks import Text
from debatomic.tools.errors import InputError

HEADER = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(#.*)?$")
KEY = re.compile(r"\s*([A-Za-z0-9_\".' -]+?)\s*=")
STRINGS = re.compile(r'"(?:\\.|[^"\\])*"|\'[^\']*\'')
AT = re.compile(r"\(at line (\d+)")
QUOTES = ('"""', "'''")
Path = tuple[str | int, ...]


def load(text: str, shown: str) -> dict[str, Any]:
    """The content of a TOML file; keys and strings are `Text`. Raises InputError with the line of what is no TOML."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        match = AT.search(str(error))
        where = f"{shown}:{match[1]}" if match else shown
        raise InputError(f"{where}: this is not valid TOML: {str(error).partition(' (at')[0]}.") from error
    lines = dict(_places(text))
    marked = _marked(content, (), lines, shown, 1)
    assert isinstance(marked, dict)
    return marked


def _marked(value: Any, path: Path, lines: dict[Path, int], shown: str, line: int) -> Any:
    line = lines.get(path, line)
    if isinstance(value, dict):
        return {Text(key, f"{shown}:{lines.get((*path, key), line)}"): _marked(each, (*path, key), lines, shown, line)
                for key, each in value.items()}  # fmt: skip
    if isinstance(value, list):
        return [_marked(each, (*path, number), lines, shown, line) for number, each in enumerate(value)]
    return Text(value, f"{shown}:{line}") if isinstance(value, str) else value


def _places(text: str) -> Iterator[tuple[Path, int]]:
    """The path of each table and key with its line."""
    table: Path = ()
    counts: dict[Path, int] = {}
    for line, content in _outside(text):
        if match := HEADER.match(content):
            names = _numbered(_names(match[2]), counts)
            if match[1] == "[[":
                counts[names] = counts.get(names, -1) + 1
                yield names, line
                names = (*names, counts[names])
            table = names
            yield table, line
            yield from ((table[:end], line) for end in range(1, len(table)) if table[:end] not in counts)
        elif match := KEY.match(content):
            names = _names(match[1])
            yield from (((*table, *names[:end]), line) for end in range(1, len(names) + 1))


def _numbered(names: Path, counts: dict[Path, int]) -> Path:
    """A table below an array of tables is in that array's last one."""
    path: Path = ()
    for name in names[:-1]:
        path = (*path, name)
        path = (*path, counts[path]) if path in counts else path
    return (*path, names[-1])


def _names(dotted: str) -> Path:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def _outside(text: str) -> Iterator[tuple[int, str]]:
    """The lines that begin outside of multi-line strings and arrays, by number."""
    quote, depth = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if not quote and not depth:
            yield number, line
        quote, rest = _after(line, quote)
        if not quote and not (depth == 0 and HEADER.match(line)):
            plain = STRINGS.sub("", rest).partition("#")[0]
            depth = max(0, depth + plain.count("[") - plain.count("]"))


def _after(line: str, quote: str) -> tuple[str, str]:
    """Which multi-line string is open after the line, and what of the line is outside of such."""
    rest = ""
    while True:
        if quote:
            _, found, line = line.partition(quote)
            if not found:
                return quote, rest
            quote = ""
        begins = [(line.index(each), each) for each in QUOTES if each in line]
        if not begins:
            return "", rest + line
        at, quote = min(begins)
        rest, line = rest + line[:at], line[at + 3 :]
