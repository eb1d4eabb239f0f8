"""Treefiles on disk become definitions and revisions in the database."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path

from django.db import transaction

from composes.models import Definition, Revision
from composes.pipeline import treefile
from composes.pipeline.parts import Part
from debatomic.tools.errors import InputError


def import_folder(folder: Path, *, message: str = "") -> list[Revision]:
    """Make every treefile directly in `folder` a definition; its revision is new only where its text changed.

    Of the files in subfolders it gets those that it includes. Raises InputError with file and line for a bad one, and
    then imports none.
    """
    mains = sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".json"))
    with transaction.atomic():
        return [import_files({name: (folder / name).read_text() for name in treefile.files(main)}, main.name,
                             message=message) for main in mains]  # fmt: skip


def import_files(files: dict[str, str], main: str, *, message: str = "") -> Revision:
    """The revision with exactly these files, made if there is none yet."""
    content = _load(files, main)
    digest = hashlib.sha256(json.dumps([main, files], sort_keys=True).encode()).hexdigest()
    definition, _ = Definition.objects.update_or_create(
        name=content["name"], defaults={"title": str(content.get("summary", ""))[:200]}
    )
    known = definition.revisions.filter(digest=digest).first()
    if known:
        return known
    latest = definition.latest
    architectures = treefile.architectures(content)
    return Revision.objects.create(
        definition=definition, number=latest.number + 1 if latest else 1, digest=digest, files=files, main=main,
        message=message, variants={name: {"title": title, "architectures": architectures}
                                   for name, title in treefile.variants(content).items()},
    )  # fmt: skip


def write_files(files: dict[str, str], folder: Path) -> None:
    """Lay a revision's files out in a folder. Raises InputError for a name that leads out of it."""
    for name, text in files.items():
        path = (folder / name).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise InputError(f"The definition's file {name} leads out of its folder.")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _load(files: dict[str, str], main: str) -> Part:
    """The treefile, with every variant resolved once so that mistakes show now."""
    with tempfile.TemporaryDirectory(prefix="definition-") as name:
        write_files(files, Path(name))
        content = treefile.load(Path(name) / main)
    for variant in treefile.variants(content):
        for architecture in treefile.architectures(content):
            treefile.resolve(content, variant, architecture)
    return content
