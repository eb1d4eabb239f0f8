"""The Sources index of a suite as a small database: a lookup takes a millisecond instead of seconds."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from debatomic.tools.files import whole

SCHEMA = """
create table source (name text, version text, directory text, component text, architectures text, files text,
                     binaries text);
create index source_name on source (name);
create table need (package text, source text, indep integer);
create index need_package on need (package, source, indep);
create table meta (release text, sources text);
"""


NEEDS = {"Build-Depends": False, "Build-Depends-Arch": False, "Build-Depends-Indep": True}
NAMED = re.compile(r"(?:^|[,|])\s*([a-z0-9][a-z0-9+.-]+)")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One source package of the index; `files` are (name, size, sha256), `binaries` the packages made of it.

    `needs` are the packages that its build dependencies name, under whatever condition, each with whether only the
    packages for all architectures need it.
    """

    name: str
    version: str
    directory: str
    component: str
    architectures: tuple[str, ...]
    files: tuple[tuple[str, int, str], ...]
    binaries: tuple[str, ...] = ()
    needs: frozenset[tuple[str, bool]] = frozenset()


def parse_sources(text: str, component: str) -> Iterator[Entry]:
    """The paragraphs of a Sources file; those for reference only (Extra-Source-Only) are left out."""
    for paragraph in text.split("\n\n"):
        fields = _fields(paragraph)
        if "Package" in fields and fields.get("Extra-Source-Only") != "yes":
            yield Entry(
                name=fields["Package"], version=fields["Version"], directory=fields["Directory"], component=component,
                architectures=tuple(fields.get("Architecture", "").split()),
                files=tuple(_file(line) for line in fields.get("Checksums-Sha256", "").splitlines() if line),
                binaries=tuple(fields.get("Binary", "").replace(",", " ").split()),
                needs=frozenset((name, indep) for field, indep in NEEDS.items()
                                for name in NAMED.findall(fields.get(field, ""))),
            )  # fmt: skip


def _fields(paragraph: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    current = ""
    for line in paragraph.splitlines():
        if line.startswith((" ", "\t")):
            fields[current] = f"{fields.get(current, '')}\n{line.strip()}"
        else:
            current, _, value = line.partition(":")
            fields[current] = value.strip()
    return fields


def _file(line: str) -> tuple[str, int, str]:
    sha256, size, name = line.split()
    return name, int(size), sha256


def write_index(path: Path, entries: Iterable[Entry], *, release: str, sources: str) -> None:
    """Make the database anew; readers see the old one or the new one, whole. `sources` is what it was made from."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(SCHEMA)
        for e in entries:
            row = (e.name, e.version, e.directory, e.component, " ".join(e.architectures), json.dumps(e.files),
                   " ".join(e.binaries))  # fmt: skip
            database.execute("insert into source values (?, ?, ?, ?, ?, ?, ?)", row)
            database.executemany("insert into need values (?, ?, ?)", [(each, e.name, kind) for each, kind in e.needs])
        database.execute("insert into meta values (?, ?)", (release, sources))
        database.commit()
        with whole(path) as file:
            file.write(database.serialize())


def made_from(path: Path) -> tuple[str, str]:
    """The digests of the InRelease and of the Sources files the database was made from; empty without one."""
    if not path.exists():
        return "", ""
    with _opened(path) as database:
        release, sources = database.execute("select release, sources from meta").fetchone()
        return str(release), str(sources)


def lookup(path: Path, name: str) -> list[Entry]:
    """All versions of a source package."""
    with _opened(path) as database:
        rows = database.execute("select * from source where name = ?", (name,)).fetchall()
    return [
        Entry(name=row[0], version=row[1], directory=row[2], component=row[3], architectures=tuple(row[4].split()),
              files=tuple((file[0], file[1], file[2]) for file in json.loads(row[5])), binaries=tuple(row[6].split()))
        for row in rows
    ]  # fmt: skip


def matching_names(path: Path, pattern: str) -> list[str]:
    """Names of source packages that a shell's pattern fits, in order."""
    with _opened(path) as database:
        found = database.execute("select distinct name from source where name glob ? order by name", (pattern,))
        return [row[0] for row in found]


def needing(path: Path, packages: Iterable[str], *, indep: bool) -> list[str]:
    """Names of source packages whose build dependencies name one of these packages, in order.

    With `indep` also those that need it for their packages for all architectures only.
    """
    found: set[str] = set()
    with _opened(path) as database:
        for package in packages:
            rows = database.execute("select source from need where package = ? and indep <= ?", (package, int(indep)))
            found.update(row[0] for row in rows)
    return sorted(found)


def near_names(path: Path, name: str) -> list[str]:
    """Names of source packages somebody may have meant."""
    with _opened(path) as database:
        names = [row[0] for row in database.execute("select distinct name from source")]
    return get_close_matches(name.lower(), names, n=4, cutoff=0.75)


def _opened(path: Path) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True))
