"""One attempt, from its start to its end: a real program, a real hub in the database, every way out."""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.db.models.signals import post_save

from debatomic.access.models import User
from debatomic.tools.errors import InputError
from hosts import hub
from hosts.builder import worker, workplace
from hosts.builder.connection import Beat, ClaimLost, File, Hub, Tick, Unreachable
from hosts.builder.local import LocalHub
from hosts.builder.pump import Pump
from hosts.builder.worker import LOG, Supervisor
from hosts.kept import store
from hosts.live import logs
from hosts.models import Artifact, Attempt, Event, Host, State, Task
from hosts.registry import Job, Method
from tests.hub.site import marked, wait
from tests.hub.tryout.apps import command, outcome

pytestmark = pytest.mark.django_db
Run = Callable[..., Task]


@pytest.fixture(autouse=True)
def without_namespaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Namespaces need root or subordinate ids (tests/hub/test_kills.py has them): here programs run as they are."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "setpriv").write_text(
        '#!/bin/sh\nwhile test "$1" != unshare; do shift; done\nwhile test "$1" != --; do shift; done\n'
        'shift\nexec "$@"\n'
    )
    (programs / "setpriv").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    settings.HEARTBEAT_SECONDS = 0.1
    monkeypatch.setattr(worker, "TICK_SECONDS", 0.02)


@pytest.fixture
def mark() -> str:
    return f"mark-{uuid.uuid4().hex}"


@pytest.fixture
def run(make: Any, host: Host, methods: dict[str, Method], tmp_path: Path) -> Run:
    """Run a script as a task, or a method; `begun` is called with the task when its first line came."""

    def run_one(
        script: str = "true", *, via: type[LocalHub] = LocalHub, begun: Callable[[Task], object] = bool,
        spool: Path = tmp_path / "spool", request: dict[str, Any] | None = None, **columns: Any,
    ) -> Task:  # fmt: skip
        methods.setdefault("script", Method(name="script", command=command, outcome=outcome))
        task: Task = make("a script", request={"script": script, **(request or {})}, **{"method": "script", **columns})
        hub_here = via()
        won = hub.claim(host)
        assert won == task
        job = hub_here.start(str(won.claim))
        assert job
        first = [partial(begun, task)]

        def send(offset: int, data: bytes) -> int:
            if first:
                first.pop()()
            return hub_here.log(job.claim, LOG, offset, data)

        try:
            supervise(hub_here, job, Pump(spool, send))
        finally:
            task.refresh_from_db()
        return task

    return run_one


def supervise(hub_here: Hub, job: Job, pump: Pump) -> None:
    job = replace(job, folder=workplace.folder_of(job.task, job.attempt))
    with pump:
        Supervisor(hub_here, job, pump).supervise()


class Away(LocalHub):
    """A hub that is away for three words of each kind but the log."""

    def __init__(self) -> None:
        self._left = dict.fromkeys(("beat", "upload", "finish", "fail"), 3)

    def _be_away(self, word: str) -> None:
        self._left[word] -= 1
        if self._left[word] >= 0:
            raise Unreachable(f"No answer to {word}.")

    def beat(self, claim: str, progress: Mapping[str, Any] | None) -> Beat:
        self._be_away("beat")
        return super().beat(claim, progress)

    def upload(self, claim: str, path: Path, tick: Tick) -> str:
        self._be_away("upload")
        return super().upload(claim, path, tick)

    def finish(self, claim: str, result: Mapping[str, Any], files: Sequence[File]) -> bool:
        self._be_away("finish")
        return super().finish(claim, result, files)

    def fail(self, claim: str, *, reason: str, kind: str, decisive: Sequence[str], cause: str = "") -> bool:
        self._be_away("fail")
        return super().fail(claim, reason=reason, kind=kind, decisive=decisive, cause=cause)


def log_of(task: Task) -> str:
    return logs.read(task.pk, 1, LOG, 0, 100_000).decode()


def told(reason: str, kind: str = "dep-wait", before: str = "") -> str:
    result = f'{{"ok": false, "reason": "{reason}", "kind": "{kind}", "decisive": ["E: x", "E: y"]}}'
    return f"{before}echo '{result}' > $1/result.json; exit 100"


@pytest.mark.parametrize(("script", "cause"), [
    ('''echo '{"reason": "No.", "kind": "build", "class": "test"}' > $1/result.json; exit 1''', "test"),
    (told("No libfoo."), "dep-wait"), ("exit 3", "build"), ("kill -9 $$", "killed"),
])  # fmt: skip
def test_a_failed_task_has_the_cause_its_program_told(run: Run, script: str, cause: str) -> None:
    assert run(script).cause == cause


def test_a_program_that_ends_well_completes_its_task(run: Run) -> None:
    task = run("""echo hello; echo one > $1/a.txt; echo '{"packages": 2}' > $1/result.json""")
    assert (task.state, task.result, task.reason, task.claim) == (State.COMPLETED, {"packages": 2}, "", None)
    kept = Artifact.objects.get(task=task, name="a.txt")
    assert store.path(kept.sha256).read_text() == "one\n"
    assert log_of(task) == "hello\n"
    assert Attempt.objects.get().outcome == "completed"


def test_a_program_gets_the_files_that_its_request_names(run: Run, tmp_path: Path) -> None:
    (tmp_path / "x.dsc").write_text("source")
    sha256, _ = store.put(tmp_path / "x.dsc")
    task = run("cp $1/../x.dsc $1/copy", request={"files": {"x.dsc": sha256}})
    assert Artifact.objects.get(task=task, name="copy").sha256 == sha256


def test_a_program_has_a_folder_for_what_is_temporary(run: Run) -> None:
    task = run('echo "$TMPDIR"; touch "$TMPDIR/x"')
    assert log_of(task) == f"{workplace.folder_of(task.pk, 1)}/tmp\n"


@pytest.mark.parametrize(("script", "columns", "kind", "reason", "decisive", "log"), [
    (told("No libfoo."), {}, "dep-wait", "No libfoo.", ["E: x", "E: y"], "== Failed: No libfoo.\n"),
    (told("No libfoo.", before="echo E: No libfoo.;"), {}, "dep-wait", "No libfoo.", ["E: x", "E: y"],
     "E: No libfoo.\n"),
    (told("No.", kind="unheard-of"), {}, "build", "script exited with status 100.", [],
     "== Failed: script exited with status 100.\n"),
    ("echo no json > $1/result.json; exit 7", {}, "build", "script exited with status 7.", [],
     "== Failed: script exited with status 7.\n"),
    ("echo begun; exit 3", {}, "build", "script exited with status 3.", [],
     "begun\n== Failed: script exited with status 3.\n"),
    ("kill -9 $$", {}, "killed", "script was killed. Perhaps its host has too little memory.", [],
     "== Failed: script was killed. Perhaps its host has too little memory.\n"),
    ("exit 137", {}, "killed", "script was killed. Perhaps its host has too little memory.", [],
     "== Failed: script was killed. Perhaps its host has too little memory.\n"),
    ("kill -11 $$", {}, "build", "script was killed by signal 11.", [],
     "== Failed: script was killed by signal 11.\n"),
    ("sleep 60", {"limits": {"time_limit": 0.1}}, "timeout",
     "script did not end within its limit of 0.1 s and was killed.", [],
     "== Failed: script did not end within its limit of 0.1 s and was killed.\n"),
    ("sleep 60", {"limits": {"idle_limit": 0.1}}, "silence", "script wrote nothing for 0.1 s and was killed.", [],
     "== Failed: script wrote nothing for 0.1 s and was killed.\n"),
])  # fmt: skip
def test_a_task_fails_as_its_program_failed(
    run: Run, script: str, columns: dict[str, Any], kind: str, reason: str, decisive: list[str], log: str
) -> None:
    task = run(script, **columns)
    assert (task.state, task.kind, task.reason, task.decisive) == (State.FAILED, kind, reason, decisive)
    assert log_of(task) == log
    assert not workplace.folder_of(task.pk, 1).exists()
    assert not Artifact.objects.exists()


def test_what_the_infrastructure_did_is_tried_again(run: Run) -> None:
    task = run(told("The archive does not answer.", "infrastructure"))
    assert (task.state, task.attempt, task.claim) == (State.FREE, 1, None)
    assert Attempt.objects.get().outcome == "failed"


def test_a_cancel_ends_the_program_and_the_task(run: Run, mark: str, users: dict[str, User]) -> None:
    task = run(f": {mark}; echo begun; sleep 600; true", begun=lambda task: hub.cancel(task, users["packager"]))
    assert (task.state, task.reason, task.kind) == (State.CANCELED, "Canceled by packager.", "canceled")
    assert log_of(task) == "begun\n"
    wait(lambda: not marked(mark))
    assert not workplace.folder_of(task.pk, 1).exists()


def test_who_lost_the_claim_ends_the_program_and_writes_nothing(run: Run, mark: str) -> None:
    before: dict[str, Any] = {}

    def lose(task: Task) -> None:
        claim = Task.objects.values_list("claim", flat=True).get(pk=task.pk)
        assert claim and hub.release(claim, "The host was thought dead.")
        before.update(Task.objects.values().get(pk=task.pk))

    with pytest.raises(ClaimLost):
        run(f": {mark}; echo begun; sleep 600; true", begun=lose)
    assert before["state"] == State.FREE
    assert Task.objects.values().get() == before
    wait(lambda: not marked(mark))
    assert Attempt.objects.get().outcome == "lost"


def raise_it(error: BaseException) -> Callable[..., Any]:
    def fault(*_: object) -> Any:
        raise error

    return fault


@pytest.mark.parametrize(("part", "fault"), [
    ("command", KeyError("source")), ("outcome", KeyError("source")), ("outcome", SystemExit(1)),
    ("changed", KeyError("source")),
])  # fmt: skip
def test_our_own_fault_has_a_reference_and_a_traceback(
    run: Run, methods: dict[str, Method], part: str, fault: BaseException
) -> None:
    parts = {"command": command, "outcome": outcome, part: raise_it(fault)}
    methods["faulty"] = Method(name="faulty", **parts)  # type: ignore[arg-type]
    task = run("echo hello", method="faulty")
    assert (task.state, task.kind) == (State.FAILED, "internal")
    found = re.fullmatch(rf"Internal error, reference [0-9a-f]{{8}}: {type(fault).__name__}\. The end .*", task.reason)
    assert found, task.reason
    assert "Traceback" in log_of(task)
    assert log_of(task).endswith(f"== Failed: {task.reason}\n")


def test_a_method_that_cannot_take_a_success_fails_with_its_sentence(run: Run, methods: dict[str, Method]) -> None:
    def refuse(task: Task) -> None:
        if task.state == State.COMPLETED:
            raise InputError("This result has no package.", hint="Look at the log.")

    methods["picky"] = Method(name="picky", command=command, outcome=outcome, changed=refuse)
    task = run("echo 1 > $1/a.txt", method="picky")
    assert (task.state, task.kind, task.reason) == (
        State.FAILED,
        "input",
        "This result has no package. Look at the log.",
    )
    assert not Artifact.objects.filter(name="a.txt").exists()


def test_a_host_that_does_not_know_the_method_says_so(run: Run, methods: dict[str, Method]) -> None:
    """It runs another version than the hub."""

    def forget(task: Task) -> None:
        methods.pop(task.method, None)

    methods["new"] = Method(name="new", changed=forget)
    task = run(method="new")
    assert (task.state, task.kind) == (State.FAILED, "input")
    assert task.reason == "This installation has no task method 'new'. Is every host on one version?"


def test_what_is_not_there_is_no_result(run: Run) -> None:
    task = run("mkdir $1/folder")
    assert (task.state, task.kind) == (State.FAILED, "internal")
    assert "IsADirectoryError" in log_of(task)


@pytest.mark.parametrize(("script", "state"), [("echo 1 > $1/a.txt", State.COMPLETED), ("exit 3", State.FAILED)])
def test_a_hub_that_is_away_is_told_the_end_later(run: Run, script: str, state: str) -> None:
    task = run(f"echo hello; {script}", via=Away)
    assert (task.state, task.attempt) == (state, 1)
    assert log_of(task).startswith("hello\n")
    assert task.artifacts.filter(name="a.txt").exists() is (state == State.COMPLETED)


def test_the_hub_learns_how_far_the_program_is(run: Run, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    told = {"phase": "build", "done": 3}

    def look(**_: object) -> None:
        if Task.objects.values_list("progress", flat=True).get() == told:
            seen.touch()

    post_save.connect(look, sender=Event)
    try:
        tell = f"echo '{json.dumps(told)}' > /dev/fd/$DEBATOMIC_PROGRESS_FD"
        task = run(f"{tell}; until test -e {seen}; do sleep 0.05; done")
    finally:
        post_save.disconnect(look, sender=Event)
    assert (task.state, task.progress) == (State.COMPLETED, {})


def test_a_full_disk_on_the_host_is_the_reason(run: Run) -> None:
    task = run("echo hello", spool=Path("/dev/full"))
    assert task.state == State.FREE  # tried once more: another host may have more room
    assert task.reason == "This host's disk is full: the log cannot be kept."
