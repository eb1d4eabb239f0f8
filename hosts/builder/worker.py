"""What a django-q worker runs: one attempt of one task, from its start to its end, whatever happens."""

from __future__ import annotations

import json
import logging
import time
import traceback
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from django.conf import settings

from debatomic.tools.errors import Canceled, CommandFailed, Kind, TimedOut, ToolError
from debatomic.tools.run import Completed, contained
from debatomic.tools.run import run as run_program
from hosts import registry
from hosts.builder import bell, cluster, lifeline, workplace
from hosts.builder.connection import ClaimLost, File, Hub, Unreachable
from hosts.builder.hubs import connect
from hosts.builder.pump import Pump
from hosts.builder.workplace import Note
from hosts.registry import Job, Outcome

logger = logging.getLogger(__name__)
T = TypeVar("T")

LOG = "log"  # the name of the one log of an attempt
TICK_SECONDS = 0.1
PATIENCE_SECONDS = 3600.0  # how long an end is kept for a hub that does not answer
LONGEST_PAUSE_SECONDS = 10.0


def run(task_id: int, claim: str) -> None:
    """Run one attempt. Never raises: whatever went wrong is the task's reason, or in this host's own log."""
    note = workplace.note_of_mine(claim, cluster.name())
    lifeline.adopt()
    try:
        note.write()  # before the hub calls it running: who dies after this is known by it
        hub = connect()
        if job := _started(hub, claim):
            _attempt(hub, note, job)
    except BaseException:  # SystemExit of a program part, too: this process belongs to django-q
        logger.exception("Task %s, claim %s", task_id, claim)
    finally:
        lifeline.reap()
        note.forget()
        bell.ring()


def _started(hub: Hub, claim: str) -> Job | None:
    """The job, or None when the claim is lost; a start that was not answered is said again."""
    asked = False

    def start() -> Job | None:
        nonlocal asked
        again, asked = asked, True
        return hub.start(claim, again=again)

    return patiently(start, settings.LEASE.total_seconds())


def patiently(
    say: Callable[[], T], seconds: float = PATIENCE_SECONDS, between: Callable[[], object] = lambda: None
) -> T:
    """Say something to the hub until it answers; `between` is called while waiting. Raises Unreachable in the end."""
    until = time.monotonic() + seconds
    pause = TICK_SECONDS
    while True:
        try:
            return say()
        except Unreachable:
            if time.monotonic() > until:
                raise
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        wake = time.monotonic() + pause
        while time.monotonic() < wake:
            time.sleep(TICK_SECONDS)
            between()


def _attempt(hub: Hub, note: Note, job: Job) -> None:
    job = replace(job, folder=workplace.folder_of(job.task, job.attempt))
    note = replace(note, job=workplace.plain(job))
    note.write()
    with Pump(note.spool, partial(hub.log, note.claim, LOG)) as pump:
        supervisor = Supervisor(hub, job, pump)
        try:
            supervisor.supervise()
        except ClaimLost:
            logger.warning("Task %s, attempt %s: the claim is lost, nothing more is written", job.task, job.attempt)
        finally:
            workplace.clean(job)


class Supervisor:
    """Runs one job and tells the hub: the log as it grows, a heartbeat, and the end. Any of it may raise ClaimLost."""

    def __init__(self, hub: Hub, job: Job, pump: Pump) -> None:
        self.hub = hub
        self.pump = pump
        self.job = replace(job, fetch=self._fetch)
        self._progress: dict[str, Any] | None = None
        self._beat_at = 0.0
        self._beat_pause = settings.HEARTBEAT_SECONDS
        self._ending = False

    def supervise(self) -> None:
        """Bring the job to its end."""
        try:
            result, files = self._run()
        except ClaimLost:
            raise
        except ToolError as error:
            self._failed(error)
        except BaseException as error:  # noqa: BLE001 - django-q's SystemExit, too: a task always ends
            self._broken(error)
        else:
            self._completed(result, files)

    # The work

    def _run(self) -> tuple[dict[str, Any], list[File]]:
        self._prepare()
        method = registry.method(self.job.method)
        assert method.command and method.outcome, f"{method.name} is a parent's method"
        completed = self._run_program(method.name, method.command(self.job))
        if completed.returncode:
            raise failure(self.job, method.name, completed.returncode)
        outcome = method.outcome(self.job)
        return outcome.result, self._kept(outcome)

    def _run_program(self, name: str, command: list[str]) -> Completed:
        limits = self.job.limits
        try:
            return run_program(
                contained(command), log=self.pump.write, cwd=Path(settings.BASE_DIR), check=False,
                env={"TMPDIR": str(self.job.folder / "tmp")}, progress=self._take_progress,
                time_limit=limits.get("time_limit"), idle_limit=limits.get("idle_limit"),
                tick=self.tick, tick_seconds=TICK_SECONDS,
            )  # fmt: skip
        except TimedOut as error:
            raise over_limit(name, limits, error.kind) from error

    def _prepare(self) -> None:
        workplace.remove(self.job.folder)
        self.job.output.mkdir(parents=True)
        temporary = self.job.folder / "tmp"
        temporary.mkdir()
        temporary.chmod(0o1777)

    def _kept(self, outcome: Outcome) -> list[File]:
        """Put the files of the outcome into the store."""
        kept = []
        for file in outcome.files:
            sha256 = patiently(partial(self.hub.upload, self.job.claim, file.path, self.tick), between=self.tick)
            kept.append(File(name=file.name, kind=file.kind, media_type=file.media_type, sha256=sha256))
        return kept

    def _fetch(self, sha256: str, to: Path) -> None:
        patiently(partial(self.hub.fetch, self.job.claim, sha256, to, self.tick), between=self.tick)

    # Meanwhile

    def _take_progress(self, report: dict[str, Any]) -> None:
        self._progress = report

    def tick(self) -> None:
        """Send what is due of the log, and the heartbeat. Raises Canceled when somebody asked for that."""
        self.pump.flush()
        moment = time.monotonic()
        if moment < self._beat_at:
            return
        try:
            beat = self.hub.beat(self.job.claim, self._progress)
            self._beat_pause = settings.HEARTBEAT_SECONDS
        except Unreachable as error:
            logger.warning("Task %s goes on without the hub: %s", self.job.task, error)
            self._beat_pause = min(self._beat_pause * 2, LONGEST_PAUSE_SECONDS)
            self._beat_at = time.monotonic() + self._beat_pause
            return
        self._beat_at = moment + self._beat_pause
        if not beat.keep:
            raise ClaimLost
        if beat.cancel and not self._ending:
            raise Canceled("Canceled.")

    # The end

    def _completed(self, result: dict[str, Any], files: list[File]) -> None:
        try:
            self._tell(lambda: self.hub.finish(self.job.claim, result, files))
        except ToolError as error:
            self._failed(error)
        except ClaimLost:
            raise
        except Exception as error:  # noqa: BLE001 - the hub's part of the method did not take it
            self._broken(error)

    def _failed(self, error: ToolError) -> None:
        if not isinstance(error, Canceled) and not self.pump.has_just_said(error.sentence):
            self._note(f"== Failed: {error.sentence}\n")
        workplace.clean(self.job)
        self._tell(lambda: self.hub.fail(
            self.job.claim, reason=error.sentence, kind=error.kind, decisive=error.lines,
            cause=error.cause if isinstance(error, Told) else ""))  # fmt: skip

    def _broken(self, error: BaseException) -> None:
        """Our own fault: people get a reference, the log and this host's log the traceback."""
        reference = uuid.uuid4().hex[:8]
        logger.error("Task %s: internal error, reference %s", self.job.task, reference, exc_info=error)
        self._note("".join(traceback.format_exception(error)))
        reason = f"Internal error, reference {reference}: {type(error).__name__}."
        self._failed(ToolError(reason, hint="The end of the log says more.", kind=Kind.INTERNAL))

    def _note(self, text: str) -> None:
        """Add to the log, if it takes more: a full disk does not keep a task from ending."""
        with suppress(ToolError):
            self.pump.write(text.encode())

    def _tell(self, end: Callable[[], bool]) -> None:
        """Tell the end after the whole of the log, as long as it takes."""
        self._ending = True
        until = time.monotonic() + PATIENCE_SECONDS
        while not self.pump.is_empty and time.monotonic() < until:
            self.tick()
            if not self.pump.is_empty:
                time.sleep(TICK_SECONDS / 2)
        if not patiently(end, between=self.tick):
            raise ClaimLost


class Told(ToolError):
    """A failure as the program itself told it; `cause` is the class it gave, or empty."""

    def __init__(self, message: str, *, kind: Kind, lines: Sequence[str], cause: str) -> None:
        super().__init__(message, kind=kind, lines=lines)
        self.cause = cause


def over_limit(program: str, limits: Mapping[str, float], kind: Kind) -> TimedOut:
    """Which limit ended the program."""
    if kind == Kind.SILENCE:
        return TimedOut(f"{program} wrote nothing for {limits['idle_limit']:g} s and was killed.", kind=kind)
    return TimedOut(f"{program} did not end within its limit of {limits['time_limit']:g} s and was killed.", kind=kind)


def failure(job: Job, program: str, returncode: int) -> ToolError:
    """Why the program ended with this status, by its own result.json where it wrote one."""
    try:
        told = json.loads((job.output / "result.json").read_text())
        reason, kind, lines = str(told["reason"]), Kind(told.get("kind") or Kind.BUILD), told.get("decisive") or []
        cause = str(told.get("class") or "")
    except (OSError, ValueError, KeyError, TypeError):
        return _unexplained(program, returncode)
    return Told(reason, kind=kind, lines=[str(line) for line in lines], cause=cause)


def _unexplained(program: str, returncode: int) -> ToolError:
    killed_by = -returncode if returncode < 0 else returncode - 128 if returncode > 128 else 0
    if killed_by == 9:
        return ToolError(f"{program} was killed.", hint="Perhaps its host has too little memory.", kind=Kind.KILLED)
    return CommandFailed([program], returncode)
