"""Logs: append-only files on the hub while they grow, artifacts in zstd frames afterwards.

One log per (task, attempt, name). Every process on the hub's disk may append and read at any time.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from debatomic.tools.errors import InputError, Kind, ToolError
from debatomic.tools.files import whole
from hosts.kept import seekable, store
from hosts.live.log_sources import Growing, Sealed
from hosts.models import FINAL, Artifact, Log, State, Task

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,99}")
TAIL_BYTES = 16 * 1024


class NoSuchLog(InputError):
    pass


class LogGap(InputError):
    """Bytes before the sent ones are missing; send again from `size`."""

    def __init__(self, size: int) -> None:
        super().__init__(f"The log has {size} bytes so far: send on from there.", field="offset")
        self.size = size


class LogEnded(InputError):
    """The attempt is over and its log sealed: nothing can be added."""

    def __init__(self) -> None:
        super().__init__("This log has ended: nothing can be added to it.")


def path_of(task_id: int, attempt: int, name: str) -> Path:
    """Where the log grows. Raises NoSuchLog for a name that no log can have."""
    if not NAME.fullmatch(name):
        raise NoSuchLog(f"{name!r} is no name of a log.", hint="Letters, digits and . _ + ~ - only.", field="name")
    return _folder_of(task_id, attempt) / f"{name}.log"


def _folder_of(task_id: int, attempt: int) -> Path:
    folder: Path = settings.LOGS / f"{task_id % 100:02d}" / str(task_id) / str(attempt)
    return folder


def artifact_name(attempt: int, name: str) -> str:
    return f"{name}-{attempt}.log.zst"


# Writing


def append(task_id: int, attempt: int, name: str, offset: int, data: bytes) -> int:
    """Add bytes that begin at `offset`; what is there already changes nothing. Returns where to go on from.

    Raises: LogGap (bytes before `offset` are missing), LogEnded (sealed), NoSuchLog (bad name or task),
    ToolError of kind DISK (no room).
    """
    path = path_of(task_id, attempt, name)
    while True:
        try:
            with _locked(path) as fd:
                return _add(fd, offset, data)
        except FileNotFoundError:
            log = _begin(task_id, attempt, name)
            if log.sealed_at:
                return _repeated(log.size, offset, data)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()


def _begin(task_id: int, attempt: int, name: str) -> Log:
    if not Task.objects.filter(pk=task_id).exists():
        raise NoSuchLog(f"There is no task {task_id}.")
    return Log.objects.get_or_create(task_id=task_id, attempt=attempt, name=name)[0]


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """The growing file, ours alone while the block runs. Raises FileNotFoundError when it is not there any more."""
    fd = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        if os.fstat(fd).st_nlink == 0:
            raise FileNotFoundError(path)
        yield fd
    finally:
        os.close(fd)


def _repeated(size: int, offset: int, data: bytes) -> int:
    if offset + len(data) > size:
        raise LogEnded
    return size


def _add(fd: int, offset: int, data: bytes) -> int:
    status = os.fstat(fd)
    size, most = status.st_size, settings.LOG_LIMIT_BYTES
    if not status.st_mode & stat.S_IWUSR:
        return _repeated(size, offset, data)
    if size > most:  # full: the marker is there, the rest is dropped
        return offset + len(data)
    if not 0 <= offset <= size:
        raise LogGap(size)
    fresh = data[size - offset :]
    if size + len(fresh) > most:
        note = f"\n== This log reached its limit of {most:,} bytes; the rest was not kept.\n"
        fresh = fresh[: most - size] + note.encode()
    _write(fd, size, fresh)
    return max(size, offset + len(data))


def _write(fd: int, offset: int, data: bytes) -> None:
    view = memoryview(data)
    try:
        while view:
            written = os.pwrite(fd, view, offset)
            view, offset = view[written:], offset + written
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise ToolError("The hub's disk is full: the log cannot grow.", kind=Kind.DISK) from error


# Reading


def find(task_id: int, attempt: int, name: str) -> Growing | Sealed:
    """The log to read from, wherever it is; close it afterwards. Raises NoSuchLog."""
    path = path_of(task_id, attempt, name)
    try:
        return Growing(path)
    except FileNotFoundError:
        log = Log.objects.filter(task=task_id, attempt=attempt, name=name).first()
    if log is None:
        raise NoSuchLog(f"Task {task_id} has no log {name} of attempt {attempt}.")
    kept = Artifact.objects.filter(task=task_id, name=artifact_name(attempt, name)).first()
    if kept is None and log.size:
        raise NoSuchLog(f"The log {name} of task {task_id}, attempt {attempt}, is no longer kept.")
    return Sealed(kept.sha256 if kept else "", log.size)


def read(task_id: int, attempt: int, name: str, offset: int, limit: int) -> bytes:
    """At most `limit` bytes from `offset`; nothing when there are none yet. Raises NoSuchLog."""
    with closing(find(task_id, attempt, name)) as source:
        return source.read(offset, limit)


def size(task_id: int, attempt: int, name: str) -> int:
    """Bytes so far; 0 for a log that did not begin."""
    try:
        with closing(find(task_id, attempt, name)) as source:
            return source.size
    except NoSuchLog:
        return 0


def tail(task_id: int, attempt: int, name: str, limit: int = TAIL_BYTES) -> bytes:
    """The last whole lines within `limit` bytes; empty for a log that did not begin."""
    try:
        with closing(find(task_id, attempt, name)) as source:
            start = max(0, source.size - limit)
            data = source.read(start, limit)
    except NoSuchLog:
        return b""
    return data.partition(b"\n")[2] if start and b"\n" in data else data


# Sealing


def seal(task: Task, attempt: int) -> None:
    """End the logs of an attempt: compressed into artifacts, rows final. Safe to repeat, and to interrupt anywhere."""
    if not _folder_of(task.pk, attempt).is_dir():  # no byte ever came; a row without a file is `seal_ended`'s
        return
    for log in Log.objects.filter(task=task, attempt=attempt, sealed_at=None):
        _seal_one(log)


def seal_ended() -> int:
    """Seal the logs of attempts that are over and that nobody sealed; the reaper calls it. Returns how many."""
    over = Q(task__attempt__gt=F("attempt")) | Q(task__attempt=F("attempt"), task__state__in=[*FINAL, State.FREE])
    logs = list(Log.objects.filter(over, sealed_at=None)[:100])
    for log in logs:
        _seal_one(log)
    return len(logs)


def _seal_one(log: Log) -> None:
    path = path_of(log.task_id, log.attempt, log.name)
    with ExitStack() as undo:
        try:
            fd = undo.enter_context(_locked(path))
        except FileNotFoundError:  # another process sealed it, or no byte ever came
            Log.objects.filter(pk=log.pk, sealed_at=None).update(sealed_at=timezone.now())
            return
        os.fchmod(fd, 0o444)  # from here on nothing is added, whatever happens to us
        _keep(log, path)


def _keep(log: Log, path: Path) -> None:
    packed = path.with_suffix(".zst")
    with path.open("rb") as plain, whole(packed) as to:
        plain_size = seekable.pack(plain, to)
    sha256, _ = store.put(packed)
    packed.unlink(missing_ok=True)
    kept = {"name": artifact_name(log.attempt, log.name), "kind": Artifact.Kind.LOG, "media_type": "application/zstd"}
    with transaction.atomic():
        store.record(log.task, **kept, sha256=sha256)
        Log.objects.filter(pk=log.pk).update(size=plain_size, sealed_at=timezone.now())
        transaction.on_commit(lambda: path.unlink(missing_ok=True))
