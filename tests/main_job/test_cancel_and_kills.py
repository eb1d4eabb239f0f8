"""Whatever dies while a build runs, it ends once, honestly, with its whole log; a cancel leaves nothing at all."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.application import Application, left_of, processes_with, wait
from tests.hub.site import kill
from tests.main_job.packages import source_package

pytestmark = pytest.mark.integration
LINES = 12
COUNTED = re.compile(rb"^counted (\d+) of 12$", re.MULTILINE)


def counting(folder: Path, mark: str) -> Path:
    """Writes a line a second, so that there is time to kill something; takes 12 s."""
    script = f"for n in $$(seq {LINES}); do echo counted $$n of {LINES}; : {mark}; sleep 1; done"
    return source_package(folder, "counting", build=script)


def endless(folder: Path, mark: str) -> Path:
    """Never ends, and leaves a process that has left its session and its parent."""
    script = f"echo begun; (setsid sh -c ': {mark}; sleep 3000' &); sh -c ': {mark}; sleep 3000'"
    return source_package(folder, "endless", build=script)


def test_a_canceled_build_is_gone_within_three_seconds(application: Application, tmp_path: Path, mark: str) -> None:
    build = application.upload(endless(tmp_path, mark))
    task = application.until_log(build, b"begun")
    assert len(processes_with(mark)) >= 2
    assert [one for one in left_of(mark) if one.startswith("mount") or one.startswith("file")]

    asked = time.monotonic()
    application.post(f"builds/{build['id']}/cancel/")
    application.until(f"builds/{build['id']}/", "canceled", seconds=3)
    wait(lambda: not left_of(mark), 3 - (time.monotonic() - asked), lambda: left_of(mark))

    canceled = application.get(f"tasks/{task['id']}/")
    assert (canceled["state"], canceled["attempt"]) == ("canceled", 1)
    assert application.get(f"builds/{build['id']}/artifacts/") == [] or _only_logs(application, build)


def _only_logs(application: Application, build: dict[str, Any]) -> bool:
    return {one["kind"] for one in application.get(f"builds/{build['id']}/artifacts/")} == {"log"}


def test_a_build_that_waits_is_canceled_at_once(application: Application, tmp_path: Path, mark: str) -> None:
    running = [application.upload(endless(tmp_path / str(n), mark)) for n in range(2)]
    for build in running:
        application.until_log(build, b"begun")
    third = application.upload(endless(tmp_path / "third", mark))
    assert "here" in application.task(third)["why_waiting"], application.task(third)["why_waiting"]
    for build in (third, *running):
        application.post(f"builds/{build['id']}/cancel/")
    for build in (third, *running):
        application.until(f"builds/{build['id']}/", "canceled", seconds=60)
    assert application.task(third)["attempts"] == []
    wait(lambda: not left_of(mark), 60, lambda: left_of(mark))


def sentinel(application: Application) -> psutil.Process:
    parent = application.workers("pusher")[0].parent()
    assert parent is not None
    return parent


VICTIMS = {
    "worker": lambda application: application.workers("processing")[0],
    "sentinel": sentinel,
    "builder": Application.builder,
    "web": Application.web,
}


@pytest.mark.parametrize("victim", VICTIMS)
def test_whatever_is_killed_the_build_ends_once_with_its_whole_log(
    application: Application, tmp_path: Path, mark: str, victim: str
) -> None:
    wait(lambda: application.workers("pusher"), 90, application.output)
    build = application.upload(counting(tmp_path, mark))
    application.until_log(build, b"counted 2 of")
    kill(VICTIMS[victim](application))
    wait(application.answers, 90, application.output)

    ended = application.until(f"builds/{build['id']}/", "completed", seconds=150)
    task = application.task(build)
    wait(lambda: all(log["sealed"] for log in application.task(build)["logs"]), 90, application.output)
    outcomes = [attempt["outcome"] for attempt in task["attempts"]]
    assert outcomes == (["completed"] if victim == "web" else ["lost", "completed"])
    _has_one_result(application, ended)
    _log_is_whole(application, task)
    wait(lambda: not left_of(mark), 60, lambda: left_of(mark))


def _has_one_result(application: Application, build: dict[str, Any]) -> None:
    names = [one["name"] for one in application.get(f"builds/{build['id']}/artifacts/") if one["kind"] != "log"]
    assert sorted(names) == sorted(set(names))
    assert names.count("counting_1.0_amd64.deb") == 1
    assert [one["name"] for one in build["binaries"]] == ["counting"]


def _log_is_whole(application: Application, task: dict[str, Any]) -> None:
    """Every line of the last attempt once and in order; what an earlier one wrote begins at its first."""
    last = task["attempt"]
    for attempt in range(1, last + 1):
        found = [int(number) for number in COUNTED.findall(application.log(task, attempt))]
        assert found == list(range(1, (LINES if attempt == last else len(found)) + 1))
