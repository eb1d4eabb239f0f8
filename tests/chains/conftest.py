"""A target whose builds take packages from its tag's repository, and three source packages that need each other."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from builds import keys
from builds.chains import submitting
from builds.chains.chain_models import Chain
from builds.models import Build, Holding, Repository, Snapshot, Target
from builds.sources import Upload
from builds.tagging import content
from builds.tagging.tag_models import Tag
from debatomic.access.models import User
from hosts import hub
from hosts.kept import store
from hosts.models import Artifact, Host, State, Task
from tests.main_job.packages import source_package

SOURCES = {"libtiny": "", "tool": "libtiny", "both": "libtiny, tool"}


def uploads(folder: Path, wanted: dict[str, str]) -> list[Upload]:
    """The files of source packages, by what each needs."""
    for name, needs in wanted.items():
        source_package(folder, name, needs=needs)
    return [(path.name, path.open("rb")) for path in sorted(folder.iterdir())]


@pytest.fixture
def house(target: Target, home: Path) -> Target:
    """The target, with a repository that has nothing yet."""
    keys.path().parent.mkdir(parents=True, exist_ok=True)
    keys.path().write_text("public keys\n")
    task = Task.objects.create(method="repository", channel=target.channel, state=State.COMPLETED)
    repository = Repository.objects.create(tag=target.tag, suite="house", enabled=True)
    repository.current = Snapshot.objects.create(repository=repository, name="20261122T000000Z", task=task)
    repository.save()
    Target.objects.filter(pk=target.pk).update(with_repository=True)
    target.refresh_from_db()
    return target


@pytest.fixture
def chain(house: Target, somebody: User, tmp_path: Path) -> Chain:
    found, order = submitting.prepare(house, [], uploads(tmp_path / "sources", SOURCES))
    return submitting.create(house, found, order, by=somebody)


@pytest.fixture
def work(host: Host, tmp_path: Path) -> Callable[..., str]:
    """Have the host do the next task: what it built, or nothing; it fails with `reason`, if one is given."""

    def next_one(reason: str = "") -> str:
        task = hub.claim(host)
        if task is None or task.claim is None or not hub.start(task.claim):
            return ""
        source: str = task.request["source"]
        if reason:
            hub.fail(task.claim, reason=reason, kind="build")
        else:
            sha256, _ = store.add(io.BytesIO(source.encode()))
            kept = hub.File(name=f"{source}_1.0_amd64.deb", kind=Artifact.Kind.BINARY, sha256=sha256)
            hub.finish(task.claim, {"needs": SOURCES.get(source, "").replace(",", "").split()}, [kept])
        return source

    return next_one


def published(tag: Tag, source: str) -> None:
    """The repository has what the newest build of this source made."""
    repository = tag.repository
    build = Build.objects.filter(source=source).order_by("-pk")[0]
    assert repository.current is not None
    for binary in build.binaries.all():
        Holding.objects.create(repository=repository, build=build, binary=binary, first=repository.current)
    wanted = content.state_of(tag.pk, content.lines_at(), dict(Tag.objects.values_list("pk", "revision")))
    Repository.objects.filter(pk=repository.pk).update(seen=wanted)
