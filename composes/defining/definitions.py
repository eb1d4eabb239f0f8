"""Treefiles become definitions and revisions in the database; a revision never changes."""

from __future__ import annotations

import difflib
import hashlib
import itertools
import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from django.db import transaction

from composes.models import Definition, Revision
from composes.pipeline.treefiles import treefile
from composes.pipeline.treefiles.parts import Part
from composes.pipeline.treefiles.treefile import Tree
from debatomic.access.models import AuditEntry, User
from debatomic.tools.errors import InputError

FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,150}\.(yaml|json|sh|asc)")
MAX_FILES = 50
MAX_BYTES = 256 << 10


def import_folder(folder: Path, *, message: str = "") -> list[Revision]:
    """Make every treefile directly in `folder` a definition; its revision is new only where its text changed.

    Of the files in subfolders it gets those that it includes. Raises InputError with file and line for a bad one, and
    then imports none.
    """
    mains = sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".json"))
    with transaction.atomic():
        return [import_files({name: (folder / name).read_text() for name in treefile.files(main)}, main.name,
                             message=message) for main in mains]  # fmt: skip


def import_files(
    files: dict[str, str], main: str, *, message: str = "", by: User | None = None, commit: str = "", author: str = ""
) -> Revision:
    """The newest revision if it has exactly these files, else a new one. Raises InputError with file and line."""
    with _loaded(files, main) as content:
        variants, architectures = treefile.variants(content), treefile.architectures(content)
        _resolved(content)
    digest = hashlib.sha256(json.dumps([main, files], sort_keys=True).encode()).hexdigest()
    definition, _ = Definition.objects.update_or_create(
        name=content["name"], defaults={"title": str(content.get("summary", ""))[:200]}
    )
    latest = definition.latest
    if latest and latest.digest == digest:
        return latest
    return Revision.objects.create(
        definition=definition, number=latest.number + 1 if latest else 1, digest=digest, files=files, main=main,
        message=message, created_by=by, commit=commit, author=author,
        variants={name: {"title": title, "architectures": architectures} for name, title in variants.items()},
    )  # fmt: skip


@transaction.atomic
def revise(name: str, files: dict[str, str], main: str, *, base: int, message: str, by: User) -> Revision:
    """What a person made of revision `base` (0: there was none) of a definition.

    Raises InputError: a bad file, another name than `name` (unless empty), or somebody was faster.
    """
    known = Definition.objects.select_for_update().filter(name=name).first()
    latest = known.latest if known else None
    if known and hasattr(known, "git"):
        raise InputError(f"{known} follows {known.git.url}: what is saved here would be lost with the next commit.",
                         hint="Change it there, or end the following first.")  # fmt: skip
    if latest and latest.number != base:
        raise InputError(f"{latest.created_by or 'Somebody'} saved revision {latest.number} meanwhile.",
                         hint="Copy what you wrote, reload and bring both together.")  # fmt: skip
    revision = import_files(files, main, message=message.strip(), by=by)
    if name and revision.definition.name != name:
        raise InputError(f"{main} names the definition {revision.definition}, not {name}.",
                         hint="A definition keeps its name; begin another one for a new name.")  # fmt: skip
    if not name and revision.number != 1:
        raise InputError(f"There is a definition {revision.definition} already.", hint="Edit it, or choose a new name.")
    if revision != latest:
        AuditEntry.note(by, "definition.revise", revision.definition.name, revision=revision.number, message=message)
    return revision


def trees(files: Mapping[str, str], main: str) -> dict[tuple[str, str], Tree]:
    """Every variant for every architecture, resolved. Raises InputError with file and line."""
    with _loaded(files, main) as content:
        return _resolved(content)


def _resolved(content: Part) -> dict[tuple[str, str], Tree]:
    pairs = itertools.product(treefile.variants(content), treefile.architectures(content))
    return {pair: treefile.resolve(content, *pair) for pair in pairs}


@contextmanager
def _loaded(files: Mapping[str, str], main: str) -> Iterator[Part]:
    check_names(files)
    with tempfile.TemporaryDirectory(prefix="definition-") as name:
        write_files(files, Path(name))
        yield treefile.load(Path(name) / main)


def check_names(files: Mapping[str, str]) -> None:
    """Raises InputError for too much, and for a name that is none of a treefile."""
    if len(files) > MAX_FILES or sum(map(len, files.values())) > MAX_BYTES:
        raise InputError(f"A definition has at most {MAX_FILES} files with {MAX_BYTES >> 10} KiB together.")
    for name in files:
        if not FILE.fullmatch(name):
            hint = "It ends with .yaml or .json; that of a script with .sh, of a key with .asc."
            raise InputError(f"'{name:.100}' is no name for a treefile.", hint=hint)


def write_files(files: Mapping[str, str], folder: Path) -> None:
    """Lay a revision's files out in a folder. Raises InputError for a name that leads out of it."""
    for name, text in files.items():
        path = (folder / name).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise InputError(f"The definition's file {name} leads out of its folder.")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def text_differences(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """What changed in the files, as the lines of a unified diff."""
    lines: list[str] = []
    for name in sorted({*old, *new}):
        lines += difflib.unified_diff(old.get(name, "").splitlines(), new.get(name, "").splitlines(),
                                      f"a/{name}", f"b/{name}", lineterm="")  # fmt: skip
    return lines
