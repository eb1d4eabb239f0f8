"""A small world for tests of the API and its client: a target, builds and composes with tasks, logs and files."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.core.cache import cache
from django.db import transaction
from django.utils import timezone

from builds.models import Build, PromotionPolicy, Repository, Tag, Target
from builds.promotion import policies
from chroots.models import Chroot, Refresh
from chroots.trying import submitting as trying
from chroots.trying.submitting import Wanted
from composes.models import Compose, Definition, ReleaseChannel, Revision
from debatomic.access.models import User
from hosts import hub
from hosts.kept import store
from hosts.live import logs
from hosts.models import Artifact, Channel, Host, Registration, Schedule, State, Task, Window

TREEFILE = """\
name: debian-atomic
suite: trixie
architectures: {amd64: {}}
variants: {minimal: {packages: [systemd]}}
"""


@contextmanager
def undone() -> Iterator[None]:
    """Whoever asks next finds the same scene, and is not throttled for what was asked within."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
    cache.clear()


def target(channel: Channel) -> Target:
    chroot = Chroot.objects.create(name="trixie-amd64", suite="trixie", architecture="amd64", components=["main"])
    made = Target.objects.create(name="trixie", tag=Tag.objects.create(name="trixie"), channel=channel)
    made.chroots.add(chroot)
    return made


def build(by: User, on: Target, *, source: str = "figlet", public: bool = True) -> Build:
    """A build that waits for a host, with its one task."""
    common: dict[str, Any] = {"channel": on.channel, "by": by, "public": public}
    title = f"{source} 2.2.5-3 for {on}"
    parent = hub.submit("build", title, request={}, is_parent=True, **common)
    made = Build.objects.create(
        source=source, version="2.2.5-3", target=on, origin="archive", task=parent, created_by=by,
        files=[{"name": f"{source}_2.2.5-3.dsc", "sha256": "0" * 64, "size": 5}],
    )  # fmt: skip
    request = {"source": source, "chroot": "trixie-amd64", "build_type": "binary"}
    task = hub.submit("build-arch", f"{title}, amd64", request=request, parent=parent, architecture="amd64", **common)
    on.chroots.order_by("pk")[0].uses.create(task=task)
    return made


def compose(by: User, channel: Channel, *, number: int = 0, public: bool = True) -> Compose:
    """A compose that waits for a host."""
    definition = Definition.objects.get_or_create(name="debian-atomic")[0]
    variants = {"minimal": {"title": "Minimal", "architectures": ["amd64"]}}
    revision = Revision.objects.get_or_create(
        definition=definition,
        number=1,
        defaults={"digest": "0" * 64, "files": {"a.yaml": TREEFILE}, "main": "a.yaml", "variants": variants},
    )[0]
    common: dict[str, Any] = {"channel": channel, "by": by, "public": public}
    parent = hub.submit("compose", f"debian-atomic minimal {number}", request={}, is_parent=True, **common)
    made = Compose.objects.create(
        identity=f"debian-atomic-minimal-20260101.{number}", revision=revision, variant="minimal", task=parent,
        architectures=["amd64"], version=f"20260101.{number}", created_by=by,
    )  # fmt: skip
    hub.submit("compose-arch", f"{parent}, amd64", request={}, parent=parent, architecture="amd64", **common)
    return made


def schedule(by: User) -> Schedule:
    """A schedule that refreshes a chroot every night; its owner may not."""
    later = timezone.now() + timedelta(hours=1)
    parameters = {"chroot": "trixie-amd64"}
    return Schedule.objects.create(
        name="nightly", order="chroot-refresh", parameters=parameters, cron="30 4 * * *", next_at=later, created_by=by
    )


def policy(by: User, tag: Tag) -> PromotionPolicy:
    """A promotion policy from a tag to another, which holds everything back for a day."""
    Tag.objects.create(name="stable")
    text = f"path: [{tag}, stable]\nrules:\n  aged: {{age: {{in-tag: 1 day}}}}\n"
    return policies.create("debian", text, message="begin", by=by).policy


def release_channel() -> ReleaseChannel:
    """A channel that carries nothing yet."""
    definition = Definition.objects.get(name="debian-atomic")
    return ReleaseChannel.objects.create(definition=definition, variant="minimal", name="nightly", position=0)


def carried(compose: Compose, *, somebody: User) -> None:
    """A channel of the compose's own that carries it."""
    row = ReleaseChannel.objects.create(
        definition=compose.revision.definition, variant="minimal", name=f"n{compose.pk}", position=0)  # fmt: skip
    facts = {"compose": compose, "by": somebody, "task": compose.task, "done_at": timezone.now()}
    row.current = row.moves.create(kind="publish", **facts)
    row.save(update_fields=["current"])


def window(host: Host) -> Window:
    """A maintenance window of the host, long past."""
    day = datetime(2026, 1, 1, tzinfo=UTC)
    return Window.objects.create(host=host, reason="New memory.", starts_at=day, ends_at=day + timedelta(hours=1))


def begin(thing: Build | Compose, host: Host) -> Task:
    """Have the host claim and start the thing's task; it writes two lines of log."""
    task = hub.claim(host)
    assert task is not None and task.parent_id == thing.task_id and task.claim is not None
    assert hub.start(task.claim)
    logs.append(task.pk, task.attempt, "build", 0, b"unpacking\nbuilding\n")
    return Task.objects.get(pk=task.pk)


def complete(
    task: Task,
    folder: Path,
    *,
    name: str = "figlet_2.2.5-3_amd64.deb",
    content: bytes = b"a package",
    result: dict[str, Any] | None = None,
) -> Artifact:
    """Have the host finish the task with one file."""
    path = folder / "content"
    path.write_bytes(content)
    sha256, _ = store.put(path)
    assert task.claim is not None
    kept = hub.File(name=name, kind=Artifact.Kind.BINARY, sha256=sha256)
    assert hub.finish(task.claim, result or {}, [kept])
    return Artifact.objects.get(task=task, name=name)


def fail(task: Task, reason: str = "dpkg-buildpackage exited with status 2.", cause: str = "compile") -> None:
    assert task.claim is not None
    assert hub.fail(task.claim, reason=reason, kind="build", cause=cause, decisive=["error: no such file"])
    assert Task.objects.get(pk=task.pk).state == State.FAILED


def refreshed(chroot: Chroot, host: Host, packages: dict[str, str], folder: Path) -> Refresh:
    """Have the host refresh the chroot: these are its packages now. Nothing else may wait for a host."""
    chroot.refresh(by=None)
    task = hub.claim(host)
    assert task is not None and task.method == "chroot-init" and task.claim is not None
    assert hub.start(task.claim)
    path = folder / "packages.json"
    path.write_text(json.dumps(packages))
    sha256, _ = store.put(path)
    base = {"identity": sha256, "packages": len(packages), "size": 5 << 20, "made_at": int(time.time())}
    kept = hub.File(name="packages.json", kind=Artifact.Kind.METADATA, sha256=sha256)
    assert hub.finish(task.claim, {"base": base}, [kept])
    return Refresh.objects.get(task=task)


def tried(chroot: Chroot, host: Host, folder: Path, *, by: User) -> Task:
    """Have the host try a script in the chroot, which ended with status 3. Nothing else may wait for a host."""
    wanted = Wanted(packages=("figlet",), script="figlet hi > out.txt\nexit 3\n", places=("/build/out.txt", "/no"))
    trying.submit(chroot, wanted, [("input.txt", io.BytesIO(b"given"))], by=by)
    task = hub.claim(host)
    assert task is not None and task.method == trying.TRY and task.claim is not None
    assert hub.start(task.claim)
    difference = {"added": ["/build/out.txt"], "changed": ["/etc/<b>"], "removed": [], "untold": 7, "packages": {
        "added": {"figlet": "2.2.5-3"}, "removed": {}, "upgraded": {"apt": ["3.0", "3.1"]}}}  # fmt: skip
    path = folder / "difference.json"
    path.write_text(json.dumps(difference))
    files = [hub.File(name=name, kind=Artifact.Kind.OTHER, sha256=store.put(path)[0])
             for name in ("difference.json", "out.txt")]  # fmt: skip
    copied = {"name": "out.txt", "path": "/build/out.txt", "left_out": ["/build/x (a link to /etc/passwd)"]}
    result = {"status": 3, "installed": 1, "missing": ["/no"], "changes": {"added": 1}, "files": [copied]}
    assert hub.finish(task.claim, result, files)
    return Task.objects.get(pk=task.pk)


def source_package(folder: Path) -> Path:
    """The .dsc of a native source package `tiny` 1.0 (Architecture: all), its tarball beside it."""
    folder.mkdir(exist_ok=True)
    content = {
        "control": "Source: tiny\nMaintainer: Tests <tests@example.org>\n\nPackage: tiny\nArchitecture: all\n"
        "Description: tiny\n",
        "changelog": "tiny (1.0) trixie; urgency=low\n\n  * Tiny.\n\n"
        " -- Tests <tests@example.org>  Thu, 01 Jan 2026 00:00:00 +0000\n",
        "rules": "#!/usr/bin/make -f\n",
    }
    with tarfile.open(folder / "tiny_1.0.tar.xz", "w:xz") as tar:
        for name, text in content.items():
            entry = tarfile.TarInfo(f"tiny-1.0/debian/{name}")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    data = (folder / "tiny_1.0.tar.xz").read_bytes()
    dsc = folder / "tiny_1.0.dsc"
    dsc.write_text(
        "Format: 3.0 (native)\nSource: tiny\nBinary: tiny\nArchitecture: all\nVersion: 1.0\n"
        "Maintainer: Tests <tests@example.org>\n"
        f"Checksums-Sha256:\n {hashlib.sha256(data).hexdigest()} {len(data)} tiny_1.0.tar.xz\n"
        f"Files:\n {hashlib.md5(data).hexdigest()} {len(data)} tiny_1.0.tar.xz\n"
    )
    return dsc


def world(by: User, on: Target, host: Host, folder: Path) -> dict[str, int | str]:
    """The ids of a waiting, failed, finished and private build, of their tasks, an artifact, and composes alike."""
    chroot = on.chroots.get()
    before = refreshed(chroot, host, {"apt": "3.0", "dpkg": "1.22", "nano": "8.4"}, folder)
    after = refreshed(chroot, host, {"apt": "3.1", "dpkg": "1.22", "sed": "4.9"}, folder)
    trial = tried(chroot, host, folder, by=by)
    failed = build(by, on)
    failed_task = begin(failed, host)
    fail(failed_task)
    finished = build(by, on)
    finished_task = begin(finished, host)
    artifact = complete(finished_task, folder)
    failed_compose = compose(by, on.channel, number=2)
    fail(begin(failed_compose, host))
    waiting, private = build(by, on), build(by, on, public=False)
    Target.objects.filter(pk=on.pk).update(once=False)  # they are all of one version
    Repository.objects.create(tag=on.tag, suite=on.tag.name)
    check = finished.checks.create(check_name="lintian", level="informs", architecture="amd64", verdict="fail")
    return {
        "check": check.pk,
        "waiting": waiting.pk, "failed": failed.pk, "finished": finished.pk, "private": private.pk,
        "waiting_task": waiting.task.children.get().pk, "failed_task": failed_task.pk,
        "finished_task": finished_task.pk, "private_task": private.task.children.get().pk,
        "artifact": artifact.pk, "binary": finished.binaries.get().pk, "artifact_name": artifact.name,
        "failed_compose": failed_compose.pk,
        "compose": compose(by, on.channel).pk, "secret_compose": compose(by, on.channel, number=1, public=False).pk,
        "host": host.name, "definition": "debian-atomic", "revision": 1, "variant": "minimal",
        "architecture": "amd64", "form": "yaml", "before": before.pk, "after": after.pk,
        "trial": trial.pk,
        "registration": Registration.objects.issue(by=None)[0].pk, "schedule": schedule(by).name,
        "policy": policy(by, on.tag).name, "window": window(host).pk,
        "release": release_channel().pk, "metadata": "composeinfo",
    }  # fmt: skip
