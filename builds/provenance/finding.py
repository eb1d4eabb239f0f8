"""Where is this file? By its name, the beginning of its name, or a path, in everything that was built here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Max, Q, QuerySet

from builds.models import BinaryPackage, Build, Holding, Repository, Tag
from builds.provenance.file_models import FileList, FileName, PackageFiles, base_name
from builds.tagging.content import content
from debatomic.tools.errors import InputError

SHOWN = 50  # hits on one page
SHOWN_PATHS = 20  # of one hit
STEP = 250  # names looked at at once
STEPS = 10  # at most, for one page: then the next page goes on
LEAST = 2  # characters of a name that is not given whole
MERGED = ("/bin/", "/sbin/", "/lib")  # names of folders in /usr, on every Debian system
AFTER_ALL = b"\xff"  # in no UTF-8

Row = tuple[bytes, int]  # a name, and a list that has it
Allowed = Callable[[int, int], bool]  # of a package and its build


@dataclass(frozen=True, kw_only=True)
class Query:
    """What is asked: the bytes of a base name, whole or its beginning; the folder it must be in, between slashes."""

    name: bytes
    whole: bool
    folder: str = ""
    absolute: bool = False

    def fits(self, path: str) -> bool:
        """Whether a path of a package is in the folder."""
        if not self.folder:
            return True
        place = f"/{path}"[: len(path) - len(path.rpartition("/")[2]) + 1]
        if not self.absolute:
            return place.endswith(self.folder)
        return place == self.folder or (self.folder.startswith(MERGED) and place == f"/usr{self.folder}")


@dataclass(frozen=True, kw_only=True)
class Hit:
    """Paths of one list, and the newest of the packages that have it; `number`: how many packages that may be seen."""

    paths: list[str]
    more: int
    package: BinaryPackage
    number: int


@dataclass(frozen=True, kw_only=True)
class Found:
    hits: list[Hit]
    following: str = ""  # where the next page begins


@dataclass(frozen=True)
class Place:
    """The paths of a list that fit, and its packages: the newest one's id, and their number."""

    row: Row
    paths: list[str]
    newest: int
    number: int


def parse(text: str) -> Query:
    """`libfoo.so.1`, `libfoo*`, `bin/foo`, `/usr/bin/foo`. Raises InputError (field name)."""
    wanted = text.strip()
    whole = not wanted.endswith("*")
    folder, slash, name = wanted.removesuffix("*").rpartition("/")
    if not name or (not whole and len(name) < LEAST):
        raise InputError(f"{text.strip()!r:.80} is no name of a file.", field="name",
                         hint="Give a whole name, or at least two letters of its beginning and a *.")  # fmt: skip
    if "*" in folder or "*" in name or not wanted.isprintable():
        raise InputError("A * may stand at the end only.", field="name")
    absolute = wanted.startswith("/")
    return Query(name=base_name(name), whole=whole, absolute=absolute,
                 folder="" if not slash else f"{folder}/" if absolute else f"/{folder}/")  # fmt: skip


def find(query: Query, user: Any, *, tag: Tag | None = None, repository: Repository | None = None, begin: str = ""
         ) -> Found:  # fmt: skip
    """One page, the newest lists first where the name is given whole, else by name. `begin`: a `following`."""
    allowed, visible = _allowed(tag, repository), Build.objects.visible_to(user)
    places: list[Place] = []
    last: Row | None = None
    for rows in _steps(query, begin):
        packages = _packages({listing for _, listing in rows}, visible, allowed)
        shown = [row for row in rows if row[1] in packages]
        places += _places(query, shown, packages, SHOWN - len(places) + 1)
        last = rows[-1] if len(rows) == STEP else None
        if len(places) > SHOWN:
            last = places[SHOWN - 1].row
            break
    return Found(hits=_hits(places[:SHOWN]), following=_cursor(last) if last else "")


def _steps(query: Query, begin: str) -> Iterator[list[Row]]:
    """Names with the lists that have them, some at a time."""
    for _ in range(STEPS):
        found = _after(query, begin)[:STEP].values_list("name", "listing_id")
        rows = [(bytes(name), listing) for name, listing in found]
        if not rows:
            return
        yield rows
        if len(rows) < STEP:
            return
        begin = _cursor(rows[-1])


def _after(query: Query, begin: str) -> QuerySet[FileName]:
    name, listing = _row(begin)
    if query.whole:
        names = FileName.objects.filter(name=query.name)
        return (names.filter(listing__lt=listing) if listing else names).order_by("-name", "-listing")
    names = FileName.objects.filter(name__gte=max(name, query.name), name__lt=query.name + AFTER_ALL)
    if listing:
        names = names.filter(Q(name__gt=name) | Q(name=name, listing__gt=listing))
    return names.order_by("name", "listing")


def _cursor(row: Row) -> str:
    return f"{row[1]}-{row[0].hex()}"


def _row(cursor: str) -> Row:
    """Where a page begins; the first one for what is no cursor."""
    number, _, name = cursor.partition("-")
    try:
        return bytes.fromhex(name), int(number) if number.isascii() and len(number) < 19 else 0
    except ValueError:
        return b"", 0


def _packages(lists: set[int], visible: QuerySet[Build], allowed: Allowed | None) -> dict[int, tuple[int, int]]:
    """Of each list its newest package that may be seen, and how many there are."""
    theirs = PackageFiles.objects.filter(listing__in=lists, binary__build__in=visible)
    if allowed is None:
        counted = theirs.order_by().values("listing").annotate(newest=Max("pk"), number=Count("pk"))
        return {row["listing"]: (row["newest"], row["number"]) for row in counted}
    found: dict[int, tuple[int, int]] = {}
    for listing, package, build in theirs.order_by("pk").values_list("listing", "pk", "binary__build"):
        if allowed(package, build):
            found[listing] = (package, found.get(listing, (0, 0))[1] + 1)
    return found


def _places(query: Query, rows: Sequence[Row], packages: Mapping[int, tuple[int, int]], most: int) -> list[Place]:
    """At most so many of the rows whose lists have the name in the wanted folder."""
    rows = rows if query.folder else rows[:most]
    lists = FileList.objects.in_bulk({listing for _, listing in rows})
    found: list[Place] = []
    having = query.folder.lstrip("/")
    for name, listing in rows:
        paths = [path for path in lists[listing].paths(having) if base_name(path) == name and query.fits(path)]
        if paths:
            found.append(Place((name, listing), paths, *packages[listing]))
        if len(found) == most:
            break
    return found


def _hits(places: Sequence[Place]) -> list[Hit]:
    wanted = BinaryPackage.objects.select_related("build__target", "artifact")
    packages = wanted.in_bulk({place.newest for place in places})
    return [Hit(paths=place.paths[:SHOWN_PATHS], more=max(0, len(place.paths) - SHOWN_PATHS),
                package=packages[place.newest], number=place.number) for place in places]  # fmt: skip


def _allowed(tag: Tag | None, repository: Repository | None) -> Allowed | None:
    if repository:
        held = set(Holding.objects.filter(repository=repository, end=None).values_list("binary_id", flat=True))
        return lambda package, build: package in held
    if tag:
        builds = {each.build for each in content(tag)}
        return lambda package, build: build in builds
    return None
