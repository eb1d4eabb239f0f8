"""The builder: a small process that keeps a django-q cluster at work on this host, and cleans up after what died.

django-q dead-locks when an idle worker is killed, and goes on without a guard when its sentinel is. So no cluster is
trusted: one that shows a sign of trouble is retired (it takes no more work, ends what it has, is killed) and another
takes over. Everything dies with the builder.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil
from django.conf import settings

from debatomic.tools.errors import ToolError
from debatomic.tools.run import run
from hosts import registry
from hosts.builder import lifeline, machine, workplace
from hosts.builder.cluster import show_life, silent_seconds
from hosts.builder.connection import Held, Hub, Unreachable
from hosts.builder.examining import Examiner
from hosts.fleet import tending
from hosts.models import State

logger = logging.getLogger(__name__)

WATCH_SECONDS = 0.5
REPORT_SECONDS = 2.0
REAP_SECONDS = 5.0
STALLED_SECONDS = 60.0  # without asking for work
NOT_STARTED_SECONDS = 15.0  # assigned, but no worker took it
RETIRED_NOT_STARTED_SECONDS = 3.0  # the same, when it may lie in the queue of a retired cluster
LONGEST_PAUSE_SECONDS = 30.0


class RunningCluster:
    """One cluster, seen from outside."""

    def __init__(self, number: int) -> None:
        self.folder = Path(settings.STATE) / "run" / f"cluster-{os.getpid()}-{number}"
        self.folder.mkdir(parents=True)
        show_life(self.folder)
        self.began = time.monotonic()
        self.retired = False
        self._main = subprocess.Popen(
            [sys.executable, Path(settings.BASE_DIR) / "manage.py", "builder", "--as-cluster", self.folder,
             "--of", str(os.getpid())], start_new_session=True, stdin=subprocess.DEVNULL)  # fmt: skip

    @property
    def pid(self) -> int:
        return self._main.pid

    @property
    def has_ended(self) -> bool:
        return self._main.poll() is not None

    def trouble(self) -> str:
        """What is wrong with it; empty if nothing is."""
        for sign in (self.folder / "workers").glob("*"):
            if not workplace.born(int(sign.name)):
                return f"worker {sign.name} was killed"
        silent = silent_seconds(self.folder)
        return f"it did not ask for work for {silent:.0f} s" if silent > STALLED_SECONDS else ""

    def retire(self) -> None:
        """Have it take no more work."""
        self.retired = True
        (self.folder / "retired").touch()

    def kill(self) -> None:
        """End all its processes; the programs they run die with them."""
        with suppress(ProcessLookupError):
            os.killpg(self._main.pid, signal.SIGKILL)
        self._main.wait()
        psutil.wait_procs(_of_group(self._main.pid), timeout=5)
        shutil.rmtree(self.folder, ignore_errors=True)  # one that is slow to die may still write there


def _of_group(group: int) -> list[psutil.Process]:
    members = []
    for process in psutil.process_iter():
        with suppress(ProcessLookupError, psutil.Error):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                members.append(process)
    return members


class Builder:
    """Runs until `stop` is called, then ends within `grace` seconds."""

    def __init__(self, hub_here: Hub, *, grace: float) -> None:
        self.hub = hub_here
        self.grace = grace
        self.clusters: list[RunningCluster] = []
        self.held: list[Held] = []
        self.examiner = Examiner(registry.examinations(Path(settings.STATE)), seconds=settings.EXAMINE_SECONDS)
        self._started = 0
        self._start_at = 0.0
        self._report_at = 0.0
        self._reap_at = 0.0
        self._stopping = False

    def stop(self, *_: object) -> None:
        self._stopping = True

    def serve(self) -> None:
        """Do all of it until told to stop."""
        self._begin()
        try:
            while not self._stopping:
                self._watch()
                self._look_after()
                time.sleep(WATCH_SECONDS)
            self._drain()
        finally:
            self._end()

    # Begin and end

    def _begin(self) -> None:
        """Clean up what an earlier life left, before any work is taken."""
        lifeline.adopt()
        self._bury()
        self._report()
        self._release(self.held, "The builder was started anew.")
        workplace.remove_strays()
        for command in registry.commands_at_start(Path(settings.STATE)):
            try:
                run(command, check=True, time_limit=300, log=_to_stderr, cwd=Path(settings.BASE_DIR))
            except ToolError as error:
                logger.error("Cleaning up at start did not work: %s", error.sentence)

    def _drain(self) -> None:
        """Take no more work, and give what runs its time."""
        for cluster in self.clusters:
            cluster.retire()
        until = time.monotonic() + self.grace
        while time.monotonic() < until and any(note.is_alive for note in workplace.notes()):
            self._look_after()
            time.sleep(WATCH_SECONDS / 2)

    def _end(self) -> None:
        for cluster in self.clusters:
            cluster.kill()
        self._bury()
        self._report_at = 0.0
        self._report()
        self._release(self.held, "The builder was stopped.")

    # Clusters

    def _watch(self) -> None:
        """Keep one cluster at work, and end those that are done for."""
        for cluster in list(self.clusters):
            if not cluster.retired and not cluster.has_ended and (trouble := cluster.trouble()):
                self._retire(cluster, trouble)
            if cluster.has_ended or (cluster.retired and not self._works(cluster)):
                self._remove(cluster)
        if not any(not cluster.retired for cluster in self.clusters) and time.monotonic() >= self._start_at:
            self._started += 1
            self.clusters.append(RunningCluster(self._started))

    def _retire(self, cluster: RunningCluster, trouble: str) -> None:
        logger.warning("%s is retired: %s", cluster.folder.name, trouble)
        cluster.retire()

    def _works(self, cluster: RunningCluster) -> bool:
        return any(note.cluster == cluster.folder.name and note.is_alive for note in workplace.notes())

    def _remove(self, cluster: RunningCluster) -> None:
        if not cluster.retired:
            logger.warning("%s ended unasked; another one takes over", cluster.folder.name)
        lived = time.monotonic() - cluster.began
        self._start_at = time.monotonic() + (0 if lived > 10 else min(LONGEST_PAUSE_SECONDS, 0.5 * self._started))
        cluster.kill()
        self.clusters.remove(cluster)
        self._report_at = 0.0

    # Tasks

    def _look_after(self) -> None:
        """Bury the dead, tell the hub how this host is, and reap where the hub is here."""
        if not self.examiner.is_running:
            lifeline.reap(but=[cluster.pid for cluster in self.clusters])
        self.examiner.look()
        self._bury()
        self._report()
        if not settings.IS_REMOTE_BUILDER and time.monotonic() >= self._reap_at:
            self._reap_at = time.monotonic() + REAP_SECONDS
            tending.tick()

    def _bury(self) -> None:
        """Clean up after attempts whose process is dead, and give their tasks back."""
        for note in list(workplace.notes()):
            if not note.is_alive:
                note.clean()
                if self._give_back(note.claim, "The process that ran it on this host was killed."):
                    note.forget()

    def _report(self) -> None:
        """Tell how this host is; give back what it should run but does not."""
        if time.monotonic() < self._report_at:
            return
        self._report_at = time.monotonic() + REPORT_SECONDS
        try:
            self.held = self.hub.report(machine.report(self.examiner.problems))
        except ToolError as error:
            logger.warning("The hub was not told how this host is: %s", error.sentence)
            return
        enough = RETIRED_NOT_STARTED_SECONDS if any(one.retired for one in self.clusters) else NOT_STARTED_SECONDS
        late = [one for one in self.held if one.state == State.ASSIGNED and one.seconds > enough]
        if late and self._release(late, "No worker took it."):
            for cluster in self.clusters:
                if not cluster.retired and time.monotonic() - cluster.began > NOT_STARTED_SECONDS:
                    self._retire(cluster, "its workers take no tasks")
        known = {note.claim for note in workplace.notes()}
        running = [one for one in self.held if one.state == State.RUNNING and one.claim not in known]
        self._release(running, "The process that ran it on this host is gone.")

    def _release(self, held: Iterable[Held], reason: str) -> int:
        """Give tasks back that nobody here runs; the number of those that were still ours."""
        alive = {note.claim for note in workplace.notes() if note.is_alive}
        return sum(self._give_back(one.claim, reason) for one in held if one.claim not in alive)

    def _give_back(self, claim: str, reason: str) -> bool:
        """True when the hub knows it."""
        try:
            self.hub.release(claim, reason)
        except Unreachable as error:
            logger.warning("A task was not given back yet: %s", error.sentence)
            return False
        return True


def _to_stderr(chunk: bytes) -> None:
    sys.stderr.buffer.write(chunk)
    sys.stderr.flush()
