"""Checks after a build: what becomes a task, what a verdict means for the tag, how one is retried or overridden."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from django.test import Client
from django.utils import timezone

from builds.models import Build, CheckResult, Tag, TagEntry, Target
from builds.promotion import readers
from builds.quality import check_methods, gates, policies
from builds.quality.check_models import results_of
from builds.quality.requests import submit
from debatomic.access.models import AuditEntry, User
from debatomic.tools.errors import InputError
from hosts import hub
from hosts.kept import store
from hosts.models import Artifact, Event, Host, State, Task
from hosts.registry import Job
from tests import scene

pytestmark = pytest.mark.django_db

WARNS = {"verdict": "warn", "summary": "lintian found 0 errors and 1 warnings.", "decisive": ["W: figlet: old"]}
FAILS = {"verdict": "fail", "summary": "lintian found 1 errors and 0 warnings.", "decisive": ["E: figlet: <b>"]}
TESTS = [{"name": "upstream", "result": "FAIL", "detail": "non-zero exit status 2"}]
SKIPS = {"verdict": "skip", "summary": "The source package has no tests for autopkgtest."}
Built = Callable[..., Build]


@pytest.fixture
def built(users: dict[str, User], target: Target, host: Host, tmp_path: Path) -> Built:
    """A completed build of the target, whose policy is this."""

    def make(*, scratch: bool = False, **levels: str) -> Build:
        policies.set_policy(target, levels, by=users["release-manager"])
        made = scene.build(users["packager"], target)
        Build.objects.filter(pk=made.pk).update(scratch=scratch)
        scene.complete(scene.begin(made, host), tmp_path)
        return Build.objects.get(pk=made.pk)

    return make


def said(build: Build, host: Host, result: dict[str, Any], folder: Path) -> CheckResult:
    """The host does the waiting check of the build, and says this."""
    task = hub.claim(host)
    assert task and task.method == "build-check" and task.claim and hub.start(task.claim)
    path = folder / "report"
    path.write_text("all of it")
    report = hub.File(name="lintian.txt", kind=Artifact.Kind.OTHER, sha256=store.put(path)[0], media_type="text/plain")
    assert hub.finish(task.claim, result, [report])
    return CheckResult.objects.get(build=build, task=task)


def tagged(build: Build) -> bool:
    return TagEntry.objects.at().filter(build=build, tag=build.target.tag).exists()


def test_without_a_policy_a_build_enters_its_tag_unchecked(built: Built) -> None:
    build = built()
    assert tagged(build) and not build.checks.exists()


def test_what_informs_lets_a_build_in_what_blocks_keeps_it_out(built: Built, host: Host, tmp_path: Path) -> None:
    informed = built(lintian="informs")
    assert tagged(informed) and informed.checks.get().verdict == "waiting"
    assert said(informed, host, FAILS, tmp_path).shown == "failed"
    blocked = built(lintian="blocks")
    task = blocked.checks.get().task
    assert task and not tagged(blocked)
    assert (task.architecture, task.request["check"], task.request["chroot"]) == ("amd64", "lintian", "trixie-amd64")
    assert [one["name"] for one in task.request["before"]] == ["figlet_2.2.5-3_amd64.deb"]  # of the first one
    assert said(blocked, host, WARNS, tmp_path).blocks is False
    assert tagged(blocked) and not tagged(informed)
    assert Event.objects.filter(kind="build", key=str(blocked.pk), what="check-completed").exists()
    untested = built(autopkgtest="blocks")
    assert said(untested, host, SKIPS, tmp_path).shown == "skipped" and tagged(untested)
    assert readers.results([untested.pk])[untested.pk]["autopkgtest"].verdict == "skipped"


def test_a_failed_check_blocks_until_somebody_overrides_it(
    built: Built, host: Host, tmp_path: Path, users: dict[str, User]
) -> None:
    build, by = built(lintian="blocks"), users["release-manager"]
    result = said(build, host, FAILS, tmp_path)
    assert result.blocks and not tagged(build)
    assert results_of([build.pk]) == {build.pk: [result]}
    assert list(CheckResult.objects.blocking()) == [result]
    with pytest.raises(InputError, match="Say why, in 5 to 500 characters") as refused:
        gates.override(result, by=by, reason=" no ")
    assert refused.value.field == "reason" and not result.can_override(users["packager"])
    gates.override(result, by=by, reason="The tag is wrong.")
    noted = AuditEntry.objects.get(act="check.override")
    assert noted.user == by and noted.details["reason"] == "The tag is wrong." and noted.details["verdict"] == "fail"
    result.refresh_from_db()
    assert tagged(build) and result.shown == "overridden"
    with pytest.raises(InputError, match="does not block"):
        gates.override(result, by=by, reason="once more")


def test_who_overrides_is_told_what_is_still_missing(
    built: Built, host: Host, tmp_path: Path, client_of: Callable[[str], Client]
) -> None:
    build, client = built(lintian="blocks", debdiff="blocks"), client_of("release-manager")

    def told() -> str:
        check = said(build, host, FAILS, tmp_path)
        answer: Any = client.post(f"/checks/{check.pk}/override/", {"reason": "It is known."}, follow=True)
        return " ".join(str(each) for each in answer.context["messages"])

    first = told()
    assert f"It is not in trixie yet: {build.checks.blocking().get()} blocks it." in first
    Tag.objects.update(locked=True)
    assert "It is not in trixie yet: trixie is locked." in told()
    assert not tagged(build)
    Tag.objects.update(locked=False)
    gates.take(build)
    assert gates.missing(build) == ""


def test_a_check_is_tried_again_alone(built: Built, host: Host, tmp_path: Path, users: dict[str, User]) -> None:
    build = built(lintian="blocks")
    result = said(build, host, FAILS, tmp_path)
    first = result.task_id
    gates.retry(result, by=users["packager"])
    result.refresh_from_db()
    assert result.task_id != first and result.verdict == "waiting" and result.decisive == []
    with pytest.raises(InputError, match="has not ended yet"):
        gates.retry(result, by=users["packager"])
    assert said(build, host, WARNS, tmp_path).pk == result.pk and tagged(build)


def test_a_check_that_could_not_be_done_blocks_and_says_why(built: Built, host: Host, users: dict[str, User]) -> None:
    build = built(lintian="blocks")
    task = hub.claim(host)
    assert task and task.claim and hub.start(task.claim)
    assert hub.fail(task.claim, reason="lintian cannot be installed.", kind="dep-wait", decisive=["no lintian"])
    result = build.checks.get()
    assert (result.verdict, result.summary, result.blocks) == ("error", "lintian cannot be installed.", True)
    task.refresh_from_db()
    hub.retry(task, users["packager"])  # the task's own page
    result.refresh_from_db()
    assert (result.verdict, result.summary) == ("waiting", "")


def test_of_two_checks_the_last_one_opens_the_tag(built: Built, host: Host, tmp_path: Path) -> None:
    build = built(lintian="blocks", debdiff="blocks")
    said(build, host, WARNS, tmp_path)
    assert not tagged(build)
    said(build, host, WARNS, tmp_path)
    assert tagged(build)


def test_a_late_check_does_not_put_an_older_build_before_a_newer_one(
    built: Built, host: Host, tmp_path: Path, users: dict[str, User]
) -> None:
    old = built(lintian="blocks")
    result = said(old, host, FAILS, tmp_path)
    new = built()
    gates.override(result, by=users["release-manager"], reason="too late anyway")
    assert tagged(new) and not tagged(old)


def test_a_scratch_build_is_checked_and_never_tagged(built: Built, host: Host, tmp_path: Path) -> None:
    build = built(scratch=True, lintian="blocks")
    said(build, host, WARNS, tmp_path)
    assert not tagged(build)


def test_a_check_that_reads_the_log_waits_until_it_is_packed(built: Built, target: Target) -> None:
    build = built(hardening="informs")
    result = build.checks.get()
    made = build.task.children.get()
    assert result.task is None
    gates.tend()
    assert CheckResult.objects.get().task is None  # the log is packed once the end is committed
    made.logs.update(sealed_at=timezone.now())
    Artifact.objects.create(task=made, name="build-1.log.zst", kind="log", sha256="7" * 64, size=1)
    gates.tend()
    task = CheckResult.objects.get().task
    assert task and task.request["log"] == "7" * 64


def test_what_cannot_be_checked_any_more_is_said(built: Built) -> None:
    build = built(hardening="blocks")
    Task.objects.filter(parent=build.task).update(state=State.CANCELED)
    gates.tend()
    result = build.checks.get()
    assert (result.verdict, result.summary) == ("error", "The build's tasks are not kept any more.")


@pytest.mark.parametrize(
    "levels, sentence",
    [({"lintain": "blocks"}, "There is no check 'lintain'; did you mean lintian?"),
     ({"lintian": "stops"}, "A check either blocks or informs; “stops” is neither.")],
)  # fmt: skip
def test_a_policy_of_unknown_words_is_refused(
    levels: dict[str, str], sentence: str, target: Target, users: dict[str, User]
) -> None:
    with pytest.raises(InputError) as refused:
        policies.set_policy(target, levels, by=users["release-manager"])
    assert str(refused.value).startswith(sentence) and refused.value.field == "checks"


def test_the_host_runs_the_engine(tmp_path: Path, settings: Any) -> None:
    settings.MIRROR = ""
    content = {"1" * 64: b"deb", "2" * 64: b"old", "3" * 64: zstandard.ZstdCompressor().compress(b"cc -O2\n")}

    def fetch(sha256: str, to: Path) -> None:
        to.write_bytes(content[sha256])

    request = {
        "check": "hardening", "made": [{"name": "a_1_amd64.deb", "sha256": "1" * 64}], "log": "3" * 64,
        "before": [{"name": "a_0_amd64.deb", "sha256": "2" * 64}], "chroot": "trixie-amd64", "origin": "archive",
        "source": "a", "version": "1", "files": [{"name": "a_1.dsc", "sha256": "4" * 64}],
        "siblings": [{"name": "b_1_all.deb", "sha256": "1" * 64}], "profiles": ["noudeb", "nocheck"],
        "before_siblings": [{"name": "b_0_all.deb", "sha256": "2" * 64}],
        "repository": {"name": "tag", "path": "/repositories/tag", "keys": "KEYS"},
    }  # fmt: skip
    for name in ("hardening", "debdiff", "install", "reproducible"):
        job = Job(task=1, attempt=1, claim="c", method="build-check", title="t", architecture="amd64", limits={},
                  request={**request, "check": name}, folder=tmp_path / name, fetch=fetch)  # fmt: skip
        job.folder.mkdir()
        command = check_methods.check_command(job)
        words = ["chroots.engine", "check", name, str(job.folder / "made"), "--chroot", "trixie-amd64"]
        assert command[command.index("-m") + 1 :][:6] == words
        assert (job.folder / "made/a_1_amd64.deb").read_bytes() == b"deb"
        assert (job.folder / "made/build.log").exists() == (name == "hardening")
        assert ("--before" in command) == (name in ("debdiff", "install"))
        assert ("--source" in command) == (name == "reproducible")
        for path in ("made/b_1_all.deb", "before/b_0_all.deb"):
            assert (job.folder / path).exists() == (name == "install"), path
        assert {"--profiles=noudeb,nocheck", "--nocheck", "--repository"} <= set(command)
    job.output.mkdir()
    (job.output / "result.json").write_text(json.dumps({**WARNS, "ok": True, "reports": ["x.html", "x.txt"]}))
    outcome = check_methods.check_outcome(job)
    assert outcome.result == WARNS and [file.media_type for file in outcome.files] == ["text/html", "text/plain"]


def test_pages_and_api_say_what_came_out(
    built: Built, host: Host, tmp_path: Path, client_of: Callable[[str], Client], users: dict[str, User]
) -> None:
    build = built(lintian="blocks")
    result = said(build, host, {**FAILS, "facts": {"tests": TESTS}}, tmp_path)
    page = client_of("visitor").get(build.get_absolute_url()).content.decode()
    assert "lintian found 1 errors" in page and "E: figlet: &lt;b&gt;" in page and "lintian.txt" in page
    assert "<code>upstream</code> <strong>FAIL</strong> non-zero exit status 2" in page
    assert "Override" not in page and "Check again" not in page
    assert "Check again" in client_of("packager").get(build.get_absolute_url()).content.decode()
    assert "Override" in client_of("release-manager").get(build.get_absolute_url()).content.decode()
    client = client_of("visitor")
    for address, there in (("/builds/?verdict=fail", True), ("/builds/?verdict=blocked", True),
                           ("/builds/?verdict=pass", False), ("/checks/?verdict=fail&source=fig", True),
                           ("/checks/?level=informs", False)):  # fmt: skip
        assert ("/builds/" + str(build.pk) in client.get(address).content.decode()) == there, address
    [told] = client.get("/api/v1/checks/?verdict=fail&check=lintian").json()["results"]
    assert (told["build"], told["blocks"], told["summary"]) == (build.pk, True, FAILS["summary"])
    assert [one["name"] for one in told["reports"]] == ["lintian.txt"] and told["tests"] == TESTS
    [listed] = client.get("/api/v1/builds/?verdict=blocked").json()["results"]
    assert [one["check"] for one in listed["checks"]] == ["lintian"]
    manager = client_of("release-manager")
    answer = manager.post(f"/api/v1/checks/{result.pk}/override/", {"reason": "wrong tag"})
    assert answer.json()["overridden_by"] == "release-manager" and tagged(build)
    assert manager.post(f"/api/v1/checks/{result.pk}/override/", {"reason": "wrong tag"}).status_code == 409
    assert manager.post(f"/checks/{result.pk}/retry/").status_code == 302
    assert manager.post(f"/api/v1/checks/{result.pk}/retry/").status_code == 409  # it runs


def test_packages_for_all_architectures_are_checked_with_on_the_others(
    built: Built, host: Host, tmp_path: Path
) -> None:
    build = built()
    made = build.task.children.get()
    shared = {"kind": Artifact.Kind.BINARY, "sha256": "8" * 64, "size": 1}
    Artifact.objects.create(task=made, name="figlet-data_2.2.5-3_all.deb", **shared)
    other = Task.objects.create(
        method="build-arch", title="on arm64", parent=build.task, architecture="arm64", state=State.COMPLETED,
        created_by=made.created_by, request=made.request, channel=made.channel,
    )  # fmt: skip
    result = build.checks.create(check_name="install", level="informs", architecture="arm64")
    assert [each["name"] for each in submit(result, other, by=build.created_by).request["siblings"]] == [
        "figlet-data_2.2.5-3_all.deb"
    ]
    build.checks.update(task=None)
    assert submit(result, made, by=build.created_by).request["siblings"] == []


def test_the_policy_of_a_target_is_set_by_form_and_by_api(target: Target, client_of: Callable[[str], Client]) -> None:
    address, told = "/targets/trixie/checks/", "/api/v1/targets/trixie/checks/"
    assert client_of("viewer").post(f"{address}set/", {"lintian": "blocks"}).status_code == 403
    manager = client_of("release-manager")
    assert manager.post(f"{address}set/", {"lintian": "blocks", "debdiff": ""}).status_code == 302
    assert manager.post(f"{address}set/", {"lintian": "stops"}).status_code == 422
    assert "blocks" in client_of("visitor").get(address).content.decode()
    assert client_of("visitor").get(told).json() == [{"check": "lintian", "level": "blocks"}]
    wanted = [{"check": "debdiff", "level": "informs"}]
    assert client_of("packager").put(told, wanted, content_type="application/json").status_code == 403
    assert manager.put(told, wanted, content_type="application/json").json() == wanted
    assert manager.put(told, [{"check": "x", "level": "blocks"}], content_type="application/json").status_code == 400
