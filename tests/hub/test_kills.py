"""Real processes, killed at any point: nothing is lost, nothing is left, and every task ends."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.hub.site import Site, called, kill, marked, wait

pytestmark = pytest.mark.integration


@pytest.fixture
def builder(site: Site) -> Iterator[subprocess.Popen[bytes]]:
    process = site.builder()
    wait(lambda: len(called(process.pid, "idle")) == 2, otherwise=site.output)
    yield process


@pytest.fixture
def mark() -> str:
    """Words by which the processes of one test are known."""
    return f"mark-{uuid.uuid4().hex}"


def long_script(mark: str) -> str:
    """Three processes, one of which left its session and its parent, and a first line of log."""
    return f": {mark}; echo begun; (setsid sh -c ': {mark}; sleep 600' &) ; sh -c ': {mark}; sleep 600'; echo never"


def first_attempt_only(folder: Path, mark: str) -> str:
    """Runs long the first time and ends at once the second time."""
    return f"if test -e {folder}/again; then echo done; else touch {folder}/again; {long_script(mark)}; fi"


def runs(process: psutil.Process) -> bool:
    """Whether it does; it may end between two looks."""
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and bool(process.status() != psutil.STATUS_ZOMBIE)
    return False


def begun(site: Site, script: str, mark: str) -> int:
    task: int = site.ask(f"submit({script!r})")[0]
    site.until(task, "running")
    wait(lambda: len(marked(mark)) >= 3 and site.ask(f"logs.size({task}, 1, 'log')"), otherwise=site.output)
    return task


def nothing_left(site: Site, mark: str) -> bool:
    state = site.home / "host"
    left = [*(state / "tasks").glob("*"), *(state / "attempts").glob("*")]
    return not marked(mark) and not left and str(state) not in Path("/proc/mounts").read_text()


def test_a_builder_runs_what_is_submitted(site: Site, builder: object) -> None:
    good = site.ask("submit('echo hello; echo 1 > $1/a.txt')")[0]
    bad = site.ask("submit('echo error: no >&2; exit 3')")[0]
    told = """submit('echo \\'{"ok": false, "reason": "No libfoo.", "kind": "dep-wait", "decisive": ["E: x"]}\\' """
    told = site.ask(told + "> $1/result.json; exit 1')")[0]
    assert site.until(good, "completed")["host__name"] == "here"
    assert site.ask(f"list(Artifact.objects.filter(task={good}, kind='other').values_list('name', 'size'))") == [
        ["a.txt", 2]
    ]
    assert site.ask(f"logs.read({good}, 1, 'log', 0, 99).decode()") == "hello\n"
    failed = site.until(bad, "failed")
    assert (failed["kind"], failed["reason"]) == ("build", "script exited with status 3.")
    failed = site.until(told, "failed")
    assert (failed["kind"], failed["reason"], failed["decisive"]) == ("dep-wait", "No libfoo.", ["E: x"])


def test_limits_end_a_task(site: Site, builder: object, mark: str) -> None:
    task = site.ask(f"submit({long_script(mark)!r}, limits={{'time_limit': 1}})")[0]
    quiet = site.ask(f"submit({long_script(mark)!r}, limits={{'idle_limit': 1}})")[0]
    assert site.until(task, "failed")["kind"] == "timeout"
    assert site.until(quiet, "failed")["kind"] == "silence"
    wait(lambda: nothing_left(site, mark))


def test_cancel_ends_a_running_task_within_three_seconds_and_leaves_nothing(
    site: Site, builder: object, mark: str
) -> None:
    task = begun(site, long_script(mark), mark)
    asked = time.monotonic()
    site.ask(f"hub.cancel(Task.objects.get(pk={task}), None)")
    site.until(task, "canceled", seconds=3)
    wait(lambda: nothing_left(site, mark), 3 - (time.monotonic() - asked))
    assert site.until(site.ask("submit('true')")[0], "completed")


def worker_of(builder: Any, words: str) -> psutil.Process:
    return wait(lambda: called(builder.pid, words))[0]  # type: ignore[no-any-return]


def sentinel_of(builder: Any) -> psutil.Process:
    parent = worker_of(builder, "pusher").parent()
    assert parent is not None
    return parent


@pytest.mark.parametrize("victim", ["worker", "sentinel", "main", "pusher", "monitor"])
def test_a_killed_process_of_the_cluster_loses_nothing(
    site: Site, builder: subprocess.Popen[bytes], mark: str, victim: str, tmp_path: Path
) -> None:
    task = begun(site, first_attempt_only(tmp_path, mark), mark)
    sentinel = sentinel_of(builder)
    main = sentinel.parent()
    assert main is not None
    known = {"sentinel": sentinel, "main": main}
    kill(known.get(victim) or worker_of(builder, "processing" if victim == "worker" else victim))
    if victim in ("pusher", "monitor"):  # the task goes on; so does the claiming
        assert site.until(site.ask("submit('true')")[0], "completed", seconds=90)
        assert site.state(task) == "running"
        return
    ended = site.until(task, "completed", seconds=90)
    assert ended["attempt"] == 2
    assert site.ask("list(Attempt.objects.order_by('number').values_list('outcome', flat=True))") == [
        "lost",
        "completed",
    ]
    wait(lambda: nothing_left(site, mark))
    assert site.until(site.ask("submit('true')")[0], "completed", seconds=90)


def test_a_killed_idle_worker_does_not_stop_the_host(site: Site, builder: subprocess.Popen[bytes], mark: str) -> None:
    """django-q dead-locks here: the dead worker held the queue's lock. What runs goes on, a new cluster takes over."""
    running = begun(site, long_script(mark), mark)
    kill(*called(builder.pid, "idle"))
    assert site.until(site.ask("submit('true')")[0], "completed", seconds=90)
    assert site.ask(f"task({running})")["attempt"] == 1
    assert site.state(running) == "running", site.output()


def test_all_idle_workers_killed(site: Site, builder: subprocess.Popen[bytes]) -> None:
    kill(*called(builder.pid, "idle"))
    assert site.until(site.ask("submit('true')")[0], "completed", seconds=90)


def test_a_stopped_claim_loop_is_noticed(site: Site, builder: subprocess.Popen[bytes]) -> None:
    pusher = worker_of(builder, "pusher")
    folder = next((site.home / "host" / "run").glob("cluster-*"))
    pusher.send_signal(signal.SIGSTOP)
    time.sleep(0.3)
    os.utime(folder / "polled", (0, 0))
    wait(lambda: not psutil.pid_exists(pusher.pid), 60, site.output)
    assert site.until(site.ask("submit('true')")[0], "completed", seconds=90)


def test_a_killed_builder_takes_everything_with_it_and_the_next_one_goes_on(
    site: Site, builder: subprocess.Popen[bytes], mark: str, tmp_path: Path
) -> None:
    task = begun(site, first_attempt_only(tmp_path, mark), mark)
    beneath = called(builder.pid, "")
    kill(builder)
    builder.wait()
    wait(lambda: not marked(mark) and not any(map(runs, beneath)))
    assert site.state(task) == "running"
    site.builder()
    assert site.until(task, "completed", seconds=90)["attempt"] == 2
    wait(lambda: nothing_left(site, mark))


def test_a_builder_that_never_returns_is_replaced_by_another_host(
    site: Site, builder: subprocess.Popen[bytes], mark: str, tmp_path: Path
) -> None:
    task = begun(site, first_attempt_only(tmp_path, mark), mark)
    kill(builder)
    builder.wait()
    site.builder(DEBATOMIC_HOST_NAME="there", DEBATOMIC_STATE=str(tmp_path / "there"))
    ended = site.until(task, "completed", seconds=90)
    assert (ended["host__name"], ended["attempt"]) == ("there", 2)


def test_sigterm_gives_back_what_runs(site: Site, builder: subprocess.Popen[bytes], mark: str) -> None:
    task = begun(site, long_script(mark), mark)
    builder.terminate()
    assert builder.wait(60) == 0
    assert site.state(task) == "free"
    wait(lambda: nothing_left(site, mark))


def test_a_second_builder_of_the_same_folder_is_refused(site: Site, builder: subprocess.Popen[bytes]) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        site.manage("builder")
    assert f"Process {builder.pid} is the builder of" in refused.value.output


def test_a_worker_that_slept_past_its_lease_writes_nothing(
    site: Site, builder: subprocess.Popen[bytes], mark: str, tmp_path: Path
) -> None:
    task = begun(site, first_attempt_only(tmp_path, mark), mark)
    worker = worker_of(builder, "processing")
    worker.suspend()
    assert site.until(task, "completed", seconds=90)["attempt"] == 2
    before = site.ask(f"task({task})")
    worker.resume()
    wait(lambda: nothing_left(site, mark), otherwise=site.output)
    assert site.ask(f"task({task})") == before
    assert site.ask("list(Attempt.objects.order_by('number').values_list('outcome', flat=True))") == [
        "lost",
        "completed",
    ]
