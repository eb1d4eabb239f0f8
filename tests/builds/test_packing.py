"""Source packages out of git repositories of our own: native, upstream's tag, pristine-tar; and refusals."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import subprocess
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from builds.models import Build, Target
from builds.packing.cli import main
from builds.packing.upstream import Upstream
from builds.submitting import from_git
from debatomic.access.models import User
from debatomic.tools.errors import CommandFailed, InputError
from debatomic.tools.git import MIB, Jail, jailed
from hosts import hub
from hosts.kept import store
from hosts.models import Host, State, Task
from hosts.registry import Job

pytestmark = pytest.mark.integration  # git and dpkg-source in their jail

CONTROL = "Source: tidy\nMaintainer: Ann <ann@example.org>\n\nPackage: tidy\nArchitecture: all\nDescription: tidy\n"
ENTRY = "tidy ({}) trixie; urgency=low\n\n  * It.\n\n -- Ann <ann@example.org>  Thu, 01 Jan 2026 00:00:00 +0000\n"


class Repository:
    """A package kept in git."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")

    @property
    def url(self) -> str:
        return f"file://{self.folder}"

    def git(self, *args: str) -> str:
        told = subprocess.run(["git", "-c", "user.name=Ann", "-c", "user.email=ann@example.org", *args],
                              cwd=self.folder, check=True, capture_output=True, text=True)  # fmt: skip
        return told.stdout.strip()

    def commit(self, files: dict[str, str]) -> str:
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("add", ".")
        self.git("commit", "--quiet", "-m", "It")
        return self.git("rev-parse", "HEAD")

    def package(self, version: str, layout: str, **more: str) -> str:
        files = {"debian/control": CONTROL, "debian/changelog": ENTRY.format(version),
                 "debian/rules": "#!/usr/bin/make -f\n", "debian/source/format": f"{layout}\n"}  # fmt: skip
        return self.commit(files | more)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


def packed(repository: Repository, output: Path, ref: str = "main") -> dict[str, Any]:
    status = main([repository.url, "--ref", ref, "--protocol", "file", "--output", str(output)])
    told: dict[str, Any] = json.loads((output / "result.json").read_text())
    assert status == (0 if told["ok"] else 1)
    return told


def test_a_native_package_of_a_commit(repository: Repository, tmp_path: Path) -> None:
    first = repository.package("1.0", "3.0 (native)", a="one\r\n", **{".gitattributes": "a export-ignore\n"})
    repository.package("1.1", "3.0 (native)")
    told = packed(repository, tmp_path / "output", first)
    assert (told["source"], told["version"], told["commit"], told["upstream"]) == ("tidy", "1.0", first, "")
    assert told["files"] == ["tidy_1.0.dsc", "tidy_1.0.tar.xz"]
    with tarfile.open(tmp_path / "output/tidy_1.0.tar.xz") as tar:
        names = {Path(name).relative_to(tar.getnames()[0]).as_posix() for name in tar.getnames()}
    assert {"a", "debian/control"} <= names  # whatever its attributes say
    assert packed(repository, tmp_path / "head", "HEAD")["version"] == "1.1"


def upstream_and_debian(repository: Repository) -> None:
    repository.commit({"tidy.c": "int main;\n"})
    repository.git("tag", "upstream/2.0_rc1")
    repository.package("1:2.0~rc1-1", "3.0 (quilt)")


def test_upstreams_tag_becomes_the_tarball(repository: Repository, tmp_path: Path) -> None:
    upstream_and_debian(repository)
    repository.git("tag", "debian/2.0_rc1-1")
    told = packed(repository, tmp_path / "output", "debian/2.0_rc1-1")
    assert (told["version"], told["upstream"]) == ("1:2.0~rc1-1", "tag upstream/2.0_rc1")
    assert told["files"] == [
        "tidy_2.0~rc1-1.dsc", "tidy_2.0~rc1.orig.tar.xz", "tidy_2.0~rc1-1.debian.tar.xz"]  # fmt: skip
    again = packed(repository, tmp_path / "again", "debian/2.0_rc1-1")
    bytes_of = [(tmp_path / name / told["files"][1]).read_bytes() for name in ("output", "again")]
    assert bytes_of[0] == bytes_of[1] and again["files"] == told["files"]


def test_pristine_tar_gives_it_bit_for_bit(repository: Repository, tmp_path: Path) -> None:
    upstream_and_debian(repository)
    orig = tmp_path / "tidy_2.0~rc1.orig.tar.gz"
    with tarfile.open(orig, "w:gz", compresslevel=9) as tar:
        tar.add(repository.folder / "tidy.c", "tidy-2.0/tidy.c")
    who = {f"GIT_{role}_{what}": "ann@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    subprocess.run(["pristine-tar", "commit", orig, "upstream/2.0_rc1"], cwd=repository.folder, check=True,
                   capture_output=True, env={**os.environ, **who})  # fmt: skip
    told = packed(repository, tmp_path / "output")
    assert told["upstream"] == "pristine-tar, upstream/2.0_rc1"
    assert (tmp_path / "output" / orig.name).read_bytes() == orig.read_bytes()


def no_upstream(repository: Repository) -> None:
    repository.package("2.0-1", "3.0 (quilt)")


def odd_format(repository: Repository) -> None:
    repository.package("2.0", "3.0 (git)")


def no_package(repository: Repository) -> None:
    repository.commit({"README": "none"})


def changed_upstream(repository: Repository) -> None:
    upstream_and_debian(repository)
    repository.commit({"tidy.c": "int other;\n"})


def odd_name(repository: Repository) -> None:
    repository.package("2.0", "3.0 (native)", **{"debian/changelog": "../../x (1) trixie; urgency=low\n"})


def huge_changelog(repository: Repository) -> None:
    repository.package("2.0", "3.0 (native)", **{"debian/changelog": ENTRY.format("2.0") + " " * (17 << 20)})


def huge_settings(repository: Repository) -> None:
    repository.package("2.0-1", "3.0 (quilt)", **{"debian/gbp.conf": " " * (2 << 20)})


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (no_upstream, "no tag upstream/2.0, v2.0, 2.0. Push upstream's tag"),
        (odd_format, "debian/source/format says “3.0 (git)”"),
        (no_package, "The commit has no debian/changelog"),
        (changed_upstream, "dpkg-source makes no source package of it: aborting due to unexpected upstream changes"),
        (odd_name, "debian/changelog does not begin with a package and its version"),
        (huge_changelog, "debian/changelog is larger than the 16 MiB"),
        (huge_settings, "debian/gbp.conf is larger than the 1 MiB"),
    ],
)
def test_what_a_repository_lacks_is_named(
    make: Callable[[Repository], None], sentence: str, repository: Repository, tmp_path: Path
) -> None:
    make(repository)
    told = packed(repository, tmp_path / "output")
    assert (sentence in told["reason"], told["kind"]) == (True, "input"), told["reason"]


@pytest.fixture
def jail(repository: Repository) -> Iterator[Jail]:
    with jailed(repository.url, ("file",), size=1 << 30, seconds=60, memory=256 * MIB, disk=64 * MIB) as made:
        yield made


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("'x' x (400 << 20)", "256 MiB of memory"),  # of one program
        ("fork; fork; my $x = 'x' x (120 << 20); sleep 2; wait; wait; exit $?", "256 MiB of memory"),  # of several
        ("for (1..9) {open F, '>', $_; print F 'x' x (20 << 20); close F} sleep 30", "64 MiB of disk"),
        ("print 'x' x (1 << 20) for 1..30; sleep 30", "says more than 17 MiB"),
        ("open F, '>/tmp/x'; print F 'x' x (1 << 20) or die 'full' for 1..90; close F or die 'full'", "full"),
        ("open F, '>/dev/x' or die 'closed'", "closed"),
        ("open F, '>/x' or die 'closed'", "closed"),
    ],
)
def test_a_jail_has_bounds(script: str, sentence: str, jail: Jail) -> None:
    """Of memory, for one program and for all; of the disk, and of what is told."""
    if "fork" in script and not jail.group.version:
        pytest.skip("no control groups here")
    with pytest.raises((InputError, CommandFailed)) as caught:
        jail.run("perl", "-e", script)
    told = caught.value.tail if isinstance(caught.value, CommandFailed) else str(caught.value)
    assert sentence in told


def test_a_small_pack_that_names_much_is_refused(repository: Repository, jail: Jail) -> None:
    """Two kilobytes whose delta makes half a gigabyte."""
    (repository.folder / "base").write_bytes(b"x" * (1 << 16))
    repository.package("1.0", "3.0 (native)")
    base = bytes.fromhex(repository.git("rev-parse", "HEAD:base"))
    copies = (512 << 20) >> 16
    delta = b"\x80\x80\x04" + b"\x80\x80\x80\x80\x02" + b"\x80" * copies  # sizes, then all of the base each time
    body = b"PACK" + struct.pack(">II", 2, 2)
    for kind, name, content in ((3, b"", b"x" * (1 << 16)), (7, base, delta)):
        size, first = len(content) >> 4, kind << 4 | len(content) & 15
        while size:
            body += bytes([first | 0x80])
            first, size = size & 0x7F, size >> 7
        body += bytes([first]) + name + zlib.compress(content)
    (jail.folder / "x.pack").write_bytes(body + hashlib.sha1(body).digest())
    assert len(body) < 2000
    with pytest.raises(InputError, match="256 MiB of memory"):
        jail.git("index-pack", "/work/x.pack")


def test_a_ref_that_is_not_there(repository: Repository, tmp_path: Path) -> None:
    repository.package("1.0", "3.0 (native)")
    assert "There is no branch or tag nowhere" in packed(repository, tmp_path / "output", "nowhere")["reason"]
    assert (
        "no name of a branch or tag" in packed(repository, tmp_path / "other", "--upload-pack=x".strip("-"))["reason"]
    )


def test_tags_are_named_as_git_buildpackage_does() -> None:
    wanted = Upstream(name="a", version="1:2.0~rc1-3", settings={"upstream-tag": "release-%(version)s"})
    assert list(wanted.tags()) == ["release-2.0_rc1", "upstream/2.0_rc1", "v2.0_rc1", "2.0_rc1"]


@pytest.mark.django_db
def test_a_commit_becomes_a_build(
    repository: Repository, tmp_path: Path, target: Target, host: Host, users: dict[str, User], settings: Any
) -> None:
    """Submitted, packed as the host does it, and built as if it had been uploaded; a second time it is refused."""
    settings.GIT_PROTOCOLS = ["file"]
    commit = repository.package("1.0", "3.0 (native)")
    for number in range(2):
        task = from_git.from_git(target, repository.url, "main", by=users["packager"], scratch=False)
        claimed = hub.claim(host)
        assert claimed is not None and claimed.pk == task.pk and claimed.claim and hub.start(claimed.claim)
        folder = tmp_path / str(number)
        job = Job(task=task.pk, attempt=1, claim="", method=task.method, title="", architecture="",
                  request=task.request, limits={}, folder=folder)  # fmt: skip
        assert "builds.packing" in from_git.command(job)
        packed(repository, job.output)
        outcome = from_git.outcome(job)
        files = [hub.File(name=one.name, kind=one.kind, sha256=store.put(one.path)[0]) for one in outcome.files]
        with pytest.raises(InputError, match="already: build") if number else nullcontext():  # and the host fails it
            hub.finish(claimed.claim, outcome.result, files)
        Task.objects.filter(method="build-arch").update(state=State.CANCELED)  # nothing else waits
    build = Build.objects.get()
    assert (build.source, build.origin, build.git_commit, build.git_url) == ("tidy", "git", commit, repository.url)
    assert {file["name"] for file in build.files} == {"tidy_1.0.dsc", "tidy_1.0.tar.xz"}
    first = Task.objects.filter(method="source-git").earliest("pk")
    assert (first.state, first.result["build"]) == (State.COMPLETED, build.pk)


@pytest.mark.django_db
def test_what_is_not_to_be_fetched_is_refused_at_its_field(target: Target, client_of: Callable[[str], Client]) -> None:
    client = client_of("packager")
    page = client.post("/builds/git/", {"url": "file:///etc", "ref": "main", "target": "trixie"})
    assert page.status_code == 422 and "fetched by https here, not by file" in page.context["form"].errors["url"][0]
    asked = {"url": "https://example.org/x", "ref": "-x", "target": "trixie"}
    told = client.post("/api/v1/builds/git/", asked, content_type="application/json")
    assert told.status_code == 400 and "no name of a branch" in told.json()["ref"][0]
    Target.objects.update(signatures="required")
    with pytest.raises(InputError, match="takes only what is signed"):
        target.refresh_from_db()
        from_git.from_git(target, "https://example.org/x", "main", by=User.objects.get(username="packager"),
                          scratch=False)  # fmt: skip
