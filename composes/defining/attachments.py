"""Packages that people give a definition: kept by content, laid out beside its treefiles where it is composed."""

from __future__ import annotations

import re
from collections.abc import Set
from typing import IO, Any

from django.apps import apps
from django.db import transaction

from debatomic.access.models import AuditEntry, User
from debatomic.tools.errors import InputError
from hosts.kept import store
from hosts.registry import Job

NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+_[A-Za-z0-9.+~%:-]+_[a-z0-9-]+\.deb")
MAGIC = b"!<arch>\ndebian-binary"
FOLDER = "debs"
MOST = 200  # of one definition
BATCH = 500


def add(definition: Any, name: str, file: IO[bytes], *, by: User) -> Any:
    """Keep a package. Raises InputError (field file) for what is none."""
    if not NAME.fullmatch(name):
        raise InputError(f"“{name:.80}” is no name of a package, such as figlet_2.2.5-3_amd64.deb.", field="file")
    if file.read(len(MAGIC)) != MAGIC:
        raise InputError(f"{name} is not a Debian package.", field="file")
    file.seek(0)
    sha256, size = store.add(file)
    with transaction.atomic():
        if definition.attachments.count() >= MOST:
            raise InputError(f"A definition has at most {MOST} packages.", hint="Remove some.", field="file")
        made, _ = definition.attachments.get_or_create(
            name=name, sha256=sha256, defaults={"size": size, "created_by": by}
        )
        AuditEntry.note(by, "definition.attach", definition.name, file=name, sha256=sha256)
    return made


@transaction.atomic
def remove(attachment: Any, *, by: User) -> None:
    """Forget a package; a compose that was submitted with it goes on as long as the content is kept."""
    AuditEntry.note(by, "definition.detach", attachment.definition.name, file=attachment.name)
    attachment.delete()


def of(revision: Any) -> dict[str, str]:
    """The attached packages that a revision's treefiles name: their SHA-256 by file."""
    text = "\n".join(revision.files.values())
    attached = revision.definition.attachments.all()
    return {f"{FOLDER}/{each.name}": each.sha256 for each in attached if each.sha256 in text}


def lay_out(job: Job, folder: Any) -> None:
    """The task's packages, fetched from the hub."""
    for name, sha256 in job.request.get("attachments", {}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        job.fetch(sha256, folder / name)


def contents(among: Set[str]) -> set[str]:
    """Those of these SHA-256 that are attached: they are kept."""
    ordered = sorted(among)
    rows = apps.get_model("composes", "Attachment").objects.order_by()
    found: set[str] = set()
    for start in range(0, len(ordered), BATCH):
        found.update(rows.filter(sha256__in=ordered[start : start + BATCH]).values_list("sha256", flat=True))
    return found
