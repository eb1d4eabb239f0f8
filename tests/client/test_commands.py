"""Submit, cancel, retry and list over the API of a real server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from builds.models import Build, Target
from chroots.models import Chroot
from debatomic.access.models import User
from debatomic.client import account
from hosts import hub
from hosts.models import Host, State, Task
from tests import scene


def test_a_dsc_is_uploaded_with_its_files(
    debatomic: Callable[..., Any], packager: account.Account, target: Target, tmp_path: Path
) -> None:
    dsc = scene.source_package(tmp_path / "tiny")
    said = debatomic("build", dsc, "--target", "trixie", "--scratch", "--json")
    assert said.status == 0, said.err
    told = json.loads(said.out)
    made = Build.objects.get(pk=told["id"])
    assert (made.source, made.version, made.origin, made.scratch) == ("tiny", "1.0", "upload", True)
    assert made.created_by.username == "packager"
    assert {file["name"] for file in told["files"]} == {"tiny_1.0.dsc", "tiny_1.0.tar.xz"}


def test_a_missing_file_is_named_before_anything_is_sent(
    debatomic: Callable[..., Any], packager: account.Account, target: Target, tmp_path: Path
) -> None:
    dsc = scene.source_package(tmp_path / "tiny")
    (dsc.parent / "tiny_1.0.tar.xz").unlink()
    said = debatomic("build", dsc, "--target", "trixie")
    assert said.status == 1 and "names tiny_1.0.tar.xz, which is not beside it" in said.err
    assert not Build.objects.exists()


def test_an_altered_file_is_named(
    debatomic: Callable[..., Any], packager: account.Account, target: Target, tmp_path: Path
) -> None:
    dsc = scene.source_package(tmp_path / "tiny")
    with (dsc.parent / "tiny_1.0.tar.xz").open("ab") as file:
        file.write(b"more")
    said = debatomic("build", dsc, "--target", "trixie")
    assert said.status == 1 and "its SHA-256 differs" in said.err


def test_what_is_wrong_is_told_with_its_field(
    debatomic: Callable[..., Any], packager: account.Account, target: Target
) -> None:
    said = debatomic("build", "figlet", "--target", "nowhere")
    assert said.status == 1 and said.err.startswith(
        "debatomic: target: There is no target named “nowhere”; there is trixie."
    )


def _try_something(debatomic: Callable[..., Any], host: Host, folder: Path) -> None:
    given = folder / "input.txt"
    given.write_text("given")
    said = debatomic("chroot", "try", "small", "--install", "figlet", "--copy-in", given, "--run", "cat input.txt",
                     "--copy-out", "/build/out.txt", "--as-root", "--json")  # fmt: skip
    assert said.status == 0, said.err
    task = Task.objects.get(pk=json.loads(said.out)["id"])
    assert (task.method, task.request["user"], task.request["network"]) == ("chroot-try", "root", False)
    assert (task.request["packages"], task.request["places"]) == (["figlet"], ["/build/out.txt"])
    assert [file["name"] for file in task.request["files"]] == ["input.txt"]
    said = debatomic("chroot", "try", "small", "--run", "true", "--output", folder / "out")
    assert said.status == 1 and "--watch" in said.err
    said = debatomic("chroot", "try", "small", "--install", "Figlet!")
    assert said.status == 1 and "packages: “Figlet!” is no package's name" in said.err
    assert Task.objects.filter(method="chroot-try").count() == 1


def test_a_chroot_is_added_listed_refreshed_and_removed(
    debatomic: Callable[..., Any], live_server: Any, key_of: Callable[..., str], host: Host, tmp_path: Path
) -> None:
    account.save(account.Account(live_server.url, key_of("administrator")))
    path = tmp_path / "small.yaml"
    path.write_text("suite: trixie\narchitecture: amd64\nvariant: minbse\n")
    said = debatomic("chroot", "add", "small", "--definition", path)
    assert said.status == 1 and "definition: line 3: variant must be one of" in said.err
    path.write_text("suite: trixie\narchitecture: amd64\nvariant: minbase\n")
    said = debatomic("chroot", "add", "small", "--definition", path, "--every", 24)
    assert said.status == 0 and said.out.startswith("Chroot small: trixie amd64 minbase — ")
    small = Chroot.objects.get()
    assert small.refresh_hours == 24
    scene.refreshed(small, host, {"apt": "3.0", "nano": "8.4"}, tmp_path)
    assert debatomic("chroot", "packages", "small", "--search", "na").out == "nano 8.4\n"
    told = json.loads(debatomic("chroot", "refresh", "small", "--json").out)
    assert (told["method"], told["only_on"]) == ("chroot-init", "builder-1")
    hub.cancel(Task.objects.get(pk=told["id"]), by=None)
    assert "--host HOST" in debatomic("chroot", "scrub", "small").err
    scrubbed = json.loads(debatomic("chroot", "scrub", "small", "--host", host, "--json").out)
    assert scrubbed["method"] == "chroot-scrub"
    hub.cancel(Task.objects.get(pk=scrubbed["id"]), by=None)
    _try_something(debatomic, host, tmp_path)
    assert debatomic("chroot", "remove", "small").out == "Chroot small is deleted.\n"
    assert not Chroot.objects.exists()


def test_a_role_that_may_not_is_told_so(
    debatomic: Callable[..., Any], packager: account.Account, users: dict[str, User], target: Target
) -> None:
    scene.compose(users["release-manager"], target.channel)
    said = debatomic("compose", "debian-atomic", "--variant", "minimal")
    assert said.status == 1 and "Your role does not allow this." in said.err


def test_cancel_and_retry(
    debatomic: Callable[..., Any], packager: account.Account, users: dict[str, User], target: Target
) -> None:
    made = scene.build(users["packager"], target)
    assert debatomic("cancel", made.pk).out == f"Build {made.pk} is canceled.\n"
    assert Build.objects.get(pk=made.pk).state == State.CANCELED
    again = debatomic("cancel", "build", made.pk)
    assert again.status == 1 and "It has ended already." in again.err
    assert debatomic("retry", "build", made.pk).status == 0
    assert Build.objects.get(pk=made.pk).is_live
    assert debatomic("cancel", "task", made.task_id).status == 0


def test_what_is_not_there_is_told(debatomic: Callable[..., Any], packager: account.Account) -> None:
    said = debatomic("watch", "compose", 999)
    assert said.status == 1 and "no such thing, or you may not see it" in said.err


def test_lists_in_columns_and_as_json(
    debatomic: Callable[..., Any], packager: account.Account, users: dict[str, User], target: Target, host: Host
) -> None:
    made = [scene.build(users["packager"], target, source=f"source{number}") for number in range(5)]
    head, *rows = debatomic("list", "builds", "--limit", 3).out.splitlines()
    assert head.split()[:4] == ["ID", "SOURCE", "VERSION", "TARGET"]
    assert [row.split()[1] for row in rows] == ["source4", "source3", "source2"]
    told = json.loads(debatomic("list", "builds", "--json", "--by", "packager", "--state", "free").out)
    assert [one["id"] for one in told] == [one.pk for one in reversed(made)]
    assert json.loads(debatomic("list", "builds", "--json", "--state", "failed").out) == []
    for what in ("composes", "tasks", "hosts", "targets", "chroots", "definitions", "artifacts"):
        assert debatomic("list", what).status == 0
    assert host.name in debatomic("list", "hosts").out


def test_lists_go_on_to_the_next_page(
    debatomic: Callable[..., Any], packager: account.Account, users: dict[str, User], target: Target
) -> None:
    for _ in range(110):
        scene.build(users["packager"], target)
    told = json.loads(debatomic("list", "tasks", "--json", "--limit", 205).out)
    assert len({one["id"] for one in told}) == 205


def test_a_hub_that_is_not_there_is_told_in_one_sentence(debatomic: Callable[..., Any], monkeypatch: Any) -> None:
    monkeypatch.setattr("debatomic.client.hub.USUAL_PATIENCE", 0.1)
    monkeypatch.setenv("DEBATOMIC_HUB", "http://127.0.0.1:9")
    said = debatomic("cancel", 1)
    assert said.status == 1 and "The hub at http://127.0.0.1:9 does not answer" in said.err
    assert len(said.err.splitlines()) == 1
