"""`debatomic tag` and `debatomic policy` against a hub that listens."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from builds.models import Build, Tag, Target
from debatomic.access.models import AuditEntry, User
from debatomic.client import account
from hosts.models import State, Task
from tests import scene

POLICY = "path: [trixie, stable]\nrules:\n  aged: {age: {in-tag: 1 day}}\n"


@pytest.fixture
def build(target: Target, somebody: User) -> Build:
    Tag.objects.create(name="stable")
    made = scene.build(somebody, target)
    Task.objects.filter(pk=made.task_id).update(state=State.COMPLETED)
    return made


def test_builds_come_go_and_leave_a_history(
    debatomic: Callable[..., Any], manager: account.Account, build: Build
) -> None:
    for asked in (("add", "trixie", build.pk, "--reason", "a good one"), ("block", "trixie", "cowsay"),
                  ("unblock", "trixie", "cowsay"), ("lock", "stable"), ("unlock", "stable"),
                  ("move", "trixie", build.pk, "--to", "stable")):  # fmt: skip
        said = debatomic("tag", *asked)
        assert said.status == 0, said.err
    assert debatomic("tag", "content", "trixie").out.splitlines()[1:] == []
    assert "figlet" in debatomic("tag", "content", "stable").out
    assert "figlet" not in debatomic("tag", "content", "stable", "--at", "2026-01-01").out
    (entry,) = json.loads(debatomic("tag", "history", "trixie", "--json").out)
    assert (entry["reason"], entry["end_reason"], entry["began_by"]) == (
        "a good one", "moved to stable", "release-manager")  # fmt: skip
    assert "stable" in debatomic("tag", "list").out and "versions:" in debatomic("tag", "show", "stable").out
    said = debatomic("tag", "remove", "trixie", build.pk)
    assert said.status == 1 and "is not in trixie" in said.err


def test_a_policy_is_saved_tested_and_promotes(
    debatomic: Callable[..., Any], manager: account.Account, build: Build, tmp_path: Path
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY.replace("stable", "stabel"))
    said = debatomic("policy", "save", "debian", "--file", file)
    assert said.status == 1 and "policy.yaml:1: there is no tag stabel; did you mean stable?" in said.err
    file.write_text(POLICY)
    assert debatomic("policy", "save", "debian", "--file", file, "--message", "begin").status == 0
    assert debatomic("policy", "save", "debian", "--file", file).out == "debian is at revision 1 as before.\n"
    debatomic("tag", "add", "trixie", build.pk)
    said = debatomic("policy", "test", "debian", build.pk, "--from", "trixie")
    assert said.status == 1
    assert "    - time in the tag: less than a minute (wanted: at least 1 day)" in said.out
    assert "is held back" in debatomic("policy", "board", "debian", "--show", "held").out
    asked = ("policy", "promote", "debian", build.pk, "--from", "trixie")
    assert debatomic(*asked).status == 1
    said = debatomic(*asked, "--override", "--reason", "security fix")
    assert (said.status, said.out) == (0, f"{build.pk} figlet 2.2.5-3: trixie → stable went.\n")
    assert AuditEntry.objects.get(act="tag.override").details["reason"] == "security fix"
    assert debatomic("policy", "show", "debian").out == POLICY
    assert "begin" in debatomic("policy", "history", "debian").out
