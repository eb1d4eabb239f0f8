"""Submitting a trial: what is asked is checked, what was uploaded is kept, then all rows are made at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any

from django.db import transaction

from chroots.models import Chroot
from chroots.refreshing import channel_of
from debatomic.access.checks import may
from debatomic.access.models import AuditEntry
from debatomic.tools.errors import InputError
from hosts import hub
from hosts.kept import store
from hosts.models import Artifact, Task

TRY = "chroot-try"
LIMITS = {"time_limit": 3600, "idle_limit": 1800, "disk": 8 << 30}  # seconds, seconds, bytes
LONGEST_TIME = 12 * 3600  # seconds
PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]{1,99}(:[a-z0-9-]{2,20})?(=[A-Za-z0-9.+:~-]{1,100})?")
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+~-]{0,199}")
MOST_PACKAGES, MOST_FILES, MOST_PLACES = 200, 50, 50
LONGEST_SCRIPT = 20_000  # characters
GIVEN = "given-"  # and the name: an uploaded file among the files of its task

Upload = tuple[str, IO[bytes]]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What to try; at least one of packages, script and places."""

    packages: tuple[str, ...] = ()
    script: str = ""
    places: tuple[str, ...] = ()  # to copy out
    as_root: bool = False
    network: bool = False
    time_limit: int = LIMITS["time_limit"]  # seconds

    def check(self) -> None:
        """Raises InputError with its field."""
        _check_packages(self.packages)
        _check_places(self.places)
        if not (self.packages or self.script.strip() or self.places):
            raise InputError("Say what to do: packages to install, a script to run or places to copy out.",
                             field="script")  # fmt: skip
        if len(self.script) > LONGEST_SCRIPT or "\0" in self.script:
            raise InputError(f"A script is text of at most {LONGEST_SCRIPT} characters.", field="script")
        if self.network and not self.script.strip():
            raise InputError("Only a script has the network, and there is none.", field="network")
        if not 0 < self.time_limit <= LONGEST_TIME:
            raise InputError(f"A time limit is from 1 to {LONGEST_TIME} seconds.", field="time_limit")


def _check_packages(names: Sequence[str]) -> None:
    if len(names) > MOST_PACKAGES:
        raise InputError(f"{len(names)} packages are more than the {MOST_PACKAGES} of one trial.", field="packages")
    for name in names:
        if not PACKAGE.fullmatch(name):
            raise InputError(f"“{name[:80]}” is no package's name; write for example figlet or jq=1.7.1-6.",
                             field="packages")  # fmt: skip


def _check_places(places: Sequence[str]) -> None:
    if len(places) > MOST_PLACES:
        raise InputError(f"{len(places)} places are more than the {MOST_PLACES} of one trial.", field="places")
    for place in places:
        if not place.startswith("/") or not place.isprintable() or len(place) > 400 or ".." in place.split("/"):
            raise InputError(f"“{place[:80]}” is no place in the chroot; write for example /build/report.txt.",
                             field="places")  # fmt: skip


def submit(chroot: Chroot, wanted: Wanted, uploads: Sequence[Upload] = (), *, by: Any) -> Task:
    """Have any host that can do it try this in a fresh buildroot. Raises InputError with its field."""
    if not chroot.enabled:
        raise InputError(f"{chroot} is disabled.", hint="Enable it first.")
    wanted.check()
    if wanted.network and not may(by, "chroots.network"):
        raise InputError("Your role does not allow a trial with the network of a host.", field="network")
    files = _kept(uploads)
    return _create(chroot, wanted, files, by=by)


def _kept(uploads: Sequence[Upload]) -> list[dict[str, Any]]:
    """Keep what was uploaded: {name, sha256, size} of each. A refused one keeps nothing for longer than a day."""
    if len(uploads) > MOST_FILES:
        raise InputError(f"{len(uploads)} files are more than the {MOST_FILES} of one trial.", field="files")
    names = [name.rpartition("/")[2] for name, _ in uploads]
    for number, name in enumerate(names):
        if not FILE_NAME.fullmatch(name):
            raise InputError(f"“{name[:80]}” is not a plain file name.", field="files")
        if name in names[:number]:
            raise InputError(f"{name} was given twice.", field="files")
    found = (store.add(file) for _, file in uploads)
    return [{"name": name, "sha256": sha256, "size": size} for name, (sha256, size) in zip(names, found, strict=True)]


@transaction.atomic
def _create(chroot: Chroot, wanted: Wanted, files: list[dict[str, Any]], *, by: Any) -> Task:
    request = {
        **chroot.request, "packages": list(wanted.packages), "script": wanted.script, "places": list(wanted.places),
        "user": "root" if wanted.as_root else "builder", "network": wanted.network, "files": files,
    }  # fmt: skip
    what = " ".join(wanted.packages) or wanted.script.strip().partition("\n")[0] or wanted.places[0]
    task = hub.submit(
        TRY, f"try in {chroot}: {what}"[:120], request=request, architecture=chroot.architecture,
        channel=channel_of(None), limits={**LIMITS, "time_limit": wanted.time_limit}, by=by, public=False,
    )  # fmt: skip
    chroot.uses.create(task=task)
    for file in files:
        store.record(task, name=f"{GIVEN}{file['name']}", kind=Artifact.Kind.OTHER,
                     media_type="application/octet-stream", sha256=file["sha256"])  # fmt: skip
    AuditEntry.note(by, "chroot.try", chroot.name, task=task.pk, network=wanted.network)
    return task
