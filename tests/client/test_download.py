"""Downloads: verified, whole or absent, going on where the network broke."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings

from builds.models import Build, Target
from debatomic.access.models import User
from debatomic.client import account
from hosts.kept import store
from hosts.models import Artifact, Host
from tests import scene, storage

CONTENT = bytes(range(256)) * 5000


@pytest.fixture
def artifact(users: dict[str, User], target: Target, host: Host, tmp_path: Path) -> Artifact:
    made = scene.build(users["packager"], target)
    return scene.complete(scene.begin(made, host), tmp_path, content=CONTENT)


def build_of(artifact: Artifact) -> Build:
    assert artifact.task is not None
    return Build.objects.get(task=artifact.task.parent_id)


def test_every_file_arrives_as_it_was_kept(
    debatomic: Callable[..., Any], packager: account.Account, artifact: Artifact, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr("debatomic.client.downloads.PIECE_BYTES", 100_000)
    folder = tmp_path / "out" / "here"
    said = debatomic("download", build_of(artifact).pk, "--output", folder)
    assert said.status == 0, said.err
    assert (folder / artifact.name).read_bytes() == CONTENT
    assert {path.name for path in folder.iterdir()} == {artifact.name, "build-1.log.zst"}
    again = debatomic("download", "build", build_of(artifact).pk, "--output", folder, "--json")
    assert again.err.count("was there already") == 2
    told = {one["name"]: one["sha256"] for one in json.loads(again.out)}
    assert told[artifact.name] == hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.parametrize("thing", ["artifact", "task"])
def test_one_file_or_those_of_a_task(
    debatomic: Callable[..., Any], packager: account.Account, artifact: Artifact, tmp_path: Path, thing: str
) -> None:
    number = artifact.pk if thing == "artifact" else artifact.task_id
    assert debatomic("download", thing, number, "--output", tmp_path / "out", "--kind", "binary").status == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == [artifact.name]


def test_a_damaged_file_is_refused_and_nothing_is_left(
    debatomic: Callable[..., Any], packager: account.Account, artifact: Artifact, tmp_path: Path
) -> None:
    kept = store.path(artifact.sha256)
    kept.chmod(0o600)
    kept.write_bytes(b"x" + CONTENT[1:])
    said = debatomic("download", "artifact", artifact.pk, "--output", tmp_path / "out")
    assert said.status == 1 and "arrived damaged" in said.err
    assert list((tmp_path / "out").iterdir()) == []


def test_a_file_that_is_gone_is_told(
    debatomic: Callable[..., Any], packager: account.Account, artifact: Artifact, tmp_path: Path
) -> None:
    store.path(artifact.sha256).unlink()
    said = debatomic("download", "artifact", artifact.pk, "--output", tmp_path / "out")
    assert said.status == 1 and "no such thing" in said.err


def test_the_hub_does_not_choose_where_files_go(
    debatomic: Callable[..., Any], packager: account.Account, artifact: Artifact, tmp_path: Path
) -> None:
    Artifact.objects.filter(pk=artifact.pk).update(name="../outside")
    said = debatomic("download", "artifact", artifact.pk, "--output", tmp_path / "out")
    assert said.status == 1 and "is no name of a file" in said.err
    assert not (tmp_path / "outside").exists() and django_settings.ARTIFACTS.is_dir()


def test_nothing_to_fetch_is_told(
    debatomic: Callable[..., Any], packager: account.Account, users: dict[str, User], target: Target
) -> None:
    made = scene.build(users["packager"], target)
    said = debatomic("download", made.pk)
    assert said.status == 1 and f"Build {made.pk} has no such files yet." in said.err


def test_files_may_come_from_elsewhere(
    debatomic: Callable[..., Any], packager: account.Account, artifact: Artifact, s3: str, settings: Any,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    store.copy_to(artifact.sha256, tmp_path / "copy")
    storage.use_bucket(s3, "elsewhere", settings, monkeypatch)
    store.put(tmp_path / "copy")
    settings.S3_REDIRECT = True
    monkeypatch.setattr("debatomic.client.downloads.PIECE_BYTES", 500_000)
    said = debatomic("download", "artifact", artifact.pk, "--output", tmp_path / "out")
    assert said.status == 0, said.err
    assert (tmp_path / "out" / artifact.name).read_bytes() == CONTENT
