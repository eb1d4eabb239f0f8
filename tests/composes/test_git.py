"""Definitions that follow a git repository: real ones, of the tests' own."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, CGIHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from composes.defining import git_origins
from composes.models import Definition, GitOrigin
from composes.pipeline import gitsource
from composes.pipeline.gitsource import GitSource
from debatomic.access.models import AuditEntry, User
from debatomic.tools import git_servers
from debatomic.tools.errors import InputError, ToolError
from hosts.models import Channel, Host, State, Task
from hosts.schedule import schedules

GOOD = "name: house\nsuite: trixie\ninclude: parts/base.yaml\narchitectures: {amd64: {}}\nvariants: {tiny: {}}\n"
BASE = "packages: [nano]\n"


class Repository:
    """A repository with a work tree."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit({"defs/house.yaml": GOOD, "defs/parts/base.yaml": BASE, "README": "none of it"}, "The house")

    def git(self, *args: str) -> str:
        told = subprocess.run(["git", "-c", "user.name=Ann Other", "-c", "user.email=ann@example.org", *args],
                              cwd=self.folder, check=True, capture_output=True, text=True)  # fmt: skip
        return told.stdout.strip()

    def commit(self, files: dict[str, str], message: str) -> str:
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("add", ".")
        self.git("commit", "--quiet", "-m", message)
        return self.git("rev-parse", "HEAD")

    @property
    def source(self) -> GitSource:
        return GitSource(url=f"file://{self.folder}", branch="main", path="defs/house.yaml")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


def fetched(
    source: GitSource, name: str = "house", protocols: tuple[str, ...] = ("file",), hosts: tuple[str, ...] = ()
) -> gitsource.Fetched:
    return gitsource.fetch(source, name=name, protocols=protocols, hosts=hosts, log=lambda chunk: None)


def test_a_commit_gives_what_its_treefile_includes(repository: Repository) -> None:
    commit = repository.git("rev-parse", "HEAD")
    found = fetched(repository.source)
    assert (found.commit, found.author, found.message) == (commit, "Ann Other <ann@example.org>", "The house")
    assert found.files == {"house.yaml": GOOD, "parts/base.yaml": BASE}


def test_nothing_of_the_repository_runs_or_leads_out(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "secret.yaml").write_text("summary: secret\n")
    (repository.folder / "defs/parts/link.yaml").symlink_to(tmp_path / "secret.yaml")
    repository.commit({
        "defs/house.yaml": GOOD.replace("parts/base.yaml", "parts/link.yaml"),
        ".gitmodules": f'[submodule "x"]\n path = x\n url = file://{tmp_path}\n',
        ".gitattributes": "* filter=evil export-subst\n",
    }, "Tricks")  # fmt: skip
    with pytest.raises(InputError, match=r"house\.yaml:3: there is no file parts/link\.yaml to include"):
        fetched(repository.source)


@pytest.mark.parametrize(("change", "sentence"), [
    ({"branch": "nothing"}, "There is no branch nothing in "),
    ({"path": "defs/nothing.yaml"}, "There is no file defs/nothing.yaml in the branch main"),
    ({"url": "file:///nowhere/at/all"}, "There is no repository at file:///nowhere/at/all"),
    ({"url": "git://example.org/x"}, "begins with https://"),
    ({"url": "ssh://example.org/x"}, "Repositories are fetched by file here, not by ssh."),
    ({"url": "--upload-pack=touch /tmp/x"}, "begins with https://"),
    ({"branch": "--all"}, "is no name of a branch"), ({"branch": "a..b"}, "is no name of a branch"),
    ({"path": "../x.yaml"}, "is no path of a treefile"), ({"path": "a/../../x.yaml"}, "is no path of a treefile"),
    ({"path": "/etc/passwd"}, "is no path of a treefile"),
])  # fmt: skip
def test_what_cannot_be_fetched_is_said(repository: Repository, change: dict[str, str], sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        fetched(replace(repository.source, **change))
    assert sentence in str(caught.value)


def test_an_address_with_a_password_is_refused() -> None:
    source = GitSource(url="https://me:secret@example.org/x.git", branch="main", path="a.yaml")
    with pytest.raises(InputError, match="password"):
        gitsource.check(source, ("https",))


def test_another_definition_and_a_repository_too_large_are_refused(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"house\.yaml names the definition house, not barn\."):
        fetched(repository.source, name="barn")
    (repository.folder / "large").write_bytes(os.urandom(3 << 20))
    repository.commit({}, "A large file")
    monkeypatch.setattr(gitsource, "REPOSITORY_BYTES", 1 << 20)
    with pytest.raises(InputError, match="larger than the 1 MiB"):
        fetched(repository.source)


class _Backend(CGIHTTPRequestHandler):
    """git's own server side."""

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def is_cgi(self) -> bool:
        self.cgi_info = "", "git-http-backend" + self.path
        return True

    def translate_path(self, path: str) -> str:
        return "/usr/lib/git-core/git-http-backend"


@pytest.fixture
def address(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The repository over HTTP."""
    for name, value in {"GIT_PROJECT_ROOT": os.fspath(repository.folder), "GIT_HTTP_EXPORT_ALL": "1"}.items():
        monkeypatch.setenv(name, value)
    _Backend.have_fork = False
    with ThreadingHTTPServer(("127.0.0.1", 0), _Backend) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/.git"
        server.shutdown()


def test_it_is_fetched_over_http_where_that_is_allowed(repository: Repository, address: str) -> None:
    found = fetched(replace(repository.source, url=address), protocols=("http",), hosts=("127.0.0.0/8",))
    assert found.commit == repository.git("rev-parse", "HEAD")
    with pytest.raises(InputError, match="not by http"):
        fetched(replace(repository.source, url=address), protocols=("https",))


@pytest.mark.parametrize("server", ["a.example?", "a.example#", "a\\b", "a.example.", "-x", "[::1%25lo]", "%31", "a:b"])
def test_an_address_with_two_readings_is_refused(server: str) -> None:
    with pytest.raises(InputError, match="names no server"):
        git_servers.check_address(f"https://{server}/x.git", ("https",))


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the names of this test's servers stand for; the machine has no proxy."""
    known: dict[str, str] = {}
    real = socket.getaddrinfo

    def looked_up(host: str, port: Any, flags: int = 0, **kwargs: Any) -> Any:
        if host in known and not flags:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (known[host], 0))]
        return real(host, port, flags=flags | socket.AI_NUMERICHOST, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return known


@pytest.mark.parametrize("host", [
    "127.0.0.1", "127.1", "2130706433", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
    "10.1.2.3", "169.254.169.254", "100.64.0.1", "224.0.0.1", "[fe80::1]", "[fd00::1]", "[ff02::1]", "0.0.0.0",
    "inside.example", "none.example",
])  # fmt: skip
def test_only_public_servers_are_asked(host: str, names: dict[str, str]) -> None:
    names["inside.example"] = "192.168.0.7"
    with pytest.raises(InputError, match="has no public address") as caught:
        git_servers.way(f"https://{host}/x.git", ("mirror.example", "172.16.0.0/12"))
        raise AssertionError(host)
    assert "192.168" not in caught.value.sentence


def test_servers_of_the_house_are_asked_where_they_are_named(names: dict[str, str]) -> None:
    names |= {"inside.example": "192.168.0.7", "outside.example": "1.1.1.1"}
    for hosts in (("Inside.example",), ("192.168.0.0/24",), ("192.168.0.7",)):
        assert git_servers.way("https://inside.example/x", hosts).options[1].endswith("=inside.example:443:192.168.0.7")
    assert git_servers.way("http://outside.example:81/x", ()).options[1].endswith("=outside.example:81:1.1.1.1")
    assert "-oHostName=1.1.1.1" in git_servers.way("ssh://git@outside.example/x", ()).variables["GIT_SSH_COMMAND"]
    assert git_servers.way("file:///x", ()) == git_servers.Way()


def test_a_proxy_looks_names_up_itself(names: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", ".house.example")
    names["git.house.example"] = "10.0.0.1"
    assert git_servers.way("https://anywhere.example/x", ()).variables["https_proxy"] == "http://proxy.example:3128"
    for url in ("https://10.0.0.1/x", "https://git.house.example/x"):
        with pytest.raises(InputError, match="no public address"):
            git_servers.way(url, ())


def test_git_goes_to_the_address_that_was_looked_at(
    repository: Repository, address: str, names: dict[str, str]
) -> None:
    names["git.house.example"] = "127.0.0.1"  # no other resolver knows it
    url = address.replace("127.0.0.1", "git.house.example")
    found = fetched(replace(repository.source, url=url), protocols=("http",), hosts=("git.house.example",))
    assert found.commit == repository.git("rev-parse", "HEAD")


class _Elsewhere(BaseHTTPRequestHandler):
    """A server that sends everybody on."""

    to = ""

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self.send_response(302)
        self.send_header("Location", self.to + self.path.removeprefix("/.git"))
        self.end_headers()


def test_nobody_is_sent_on_to_another_server(repository: Repository, address: str) -> None:
    _Elsewhere.to = address
    with ThreadingHTTPServer(("127.0.0.1", 0), _Elsewhere) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/.git"
        with pytest.raises(InputError, match="sends on to another address"):
            fetched(replace(repository.source, url=url), protocols=("http",), hosts=("127.0.0.1",))
        server.shutdown()


@pytest.fixture
def followed(
    repository: Repository, users: dict[str, User], host: Host, default_channel: Channel, settings: Any
) -> Definition:
    settings.GIT_PROTOCOLS = ["file"]
    source = repository.source
    return git_origins.follow("house", url=source.url, branch="main", path=source.path, by=users["release-manager"])


def test_following_is_checked_and_noted(users: dict[str, User], db: None) -> None:
    for name, url, field in (("House", "https://example.org/x", "name"), ("house", "file:///x", "url")):
        with pytest.raises(InputError) as caught:
            git_origins.follow(name, url=url, branch="main", path="a.yaml", by=users["administrator"])
        assert caught.value.field == field
    assert not AuditEntry.objects.filter(act="definition.follow").exists()


def ended(task: Task, result: dict[str, Any] | None = None, reason: str = "") -> None:
    """What the hub does when the host tells how it ended, without the host."""
    task.state, task.result, task.reason = (State.COMPLETED, result or {}, "") if result else (State.FAILED, {}, reason)
    task.save()
    git_origins.changed(task)


def result_of(source: GitSource) -> dict[str, Any]:
    return vars(fetched(source)).copy()


def test_a_commit_becomes_a_revision_once_and_a_bad_one_leaves_it(
    followed: Definition, repository: Repository, users: dict[str, User]
) -> None:
    task = git_origins.sync(followed, by=users["release-manager"])
    with pytest.raises(ToolError, match="is being synchronised already"):
        git_origins.sync(followed, by=users["release-manager"])
    ended(task, result_of(repository.source))
    first = followed.latest
    assert first
    assert (first.author, first.message) == ("Ann Other <ann@example.org>", "The house")
    assert first.commit == GitOrigin.objects.get().commit == repository.git("rev-parse", "HEAD")

    ended(git_origins.sync(followed, by=None), result_of(repository.source))
    assert followed.latest == first

    repository.commit({"defs/parts/base.yaml": "pakages: [nano]\n"}, "A slip")
    with pytest.raises(InputError) as caught:
        fetched(repository.source)
    ended(git_origins.sync(followed, by=None), reason=str(caught.value))
    assert GitOrigin.objects.get().fault == "parts/base.yaml:1: unknown key pakages; did you mean packages?"
    assert followed.latest == first

    repository.commit({"defs/parts/base.yaml": "packages: [vim]\n"}, "Mended")
    ended(git_origins.sync(followed, by=None), result_of(repository.source))
    assert followed.latest
    assert (followed.latest.number, followed.latest.message) == (2, "Mended")
    assert GitOrigin.objects.get().fault == ""


def test_the_page_and_the_api_say_the_same(
    followed: Definition, client_of: Callable[[str], Client], repository: Repository
) -> None:
    manager, packager = client_of("release-manager"), client_of("packager")
    assert manager.get("/api/v1/definitions/house/origin/").json()["branch"] == "main"
    assert packager.post("/api/v1/definitions/house/sync/").status_code == 403
    assert packager.post("/definitions/house/sync/").status_code == 403
    answer = manager.post("/api/v1/definitions/house/sync/")
    assert (answer.status_code, answer.json()["method"]) == (201, "definition-sync")
    assert manager.post("/api/v1/definitions/house/sync/").status_code == 409
    page = manager.get("/definitions/house/")
    assert repository.source.url in page.content.decode()
    assert "/definitions/house/edit/" not in page.content.decode()
    refused = manager.post("/api/v1/definitions/house/revise/", {"files": {"house.yaml": GOOD}, "base": 0},
                           content_type="application/json")  # fmt: skip
    assert "follows file://" in str(refused.json())
    assert manager.post("/definitions/house/unfollow/").status_code == 302
    assert "/definitions/house/edit/" in manager.get("/definitions/house/").content.decode()


def test_the_form_makes_a_definition_and_synchronises_it(
    client_of: Callable[[str], Client], default_channel: Channel, settings: Any
) -> None:
    manager = client_of("release-manager")
    said = {"name": "barn", "url": "https://git.example.org/barn.git", "branch": "main", "path": "barn.yaml"}
    bad = manager.post("/definitions/follow/", {**said, "branch": "a b"})
    assert (bad.status_code, "is no name of a branch" in bad.content.decode()) == (422, True)
    done = manager.post("/definitions/follow/", said)
    task = Task.objects.get(method="definition-sync")
    assert done.headers["Location"] == task.get_absolute_url()
    assert task.request["url"] == said["url"]


def test_a_schedule_synchronises(followed: Definition, users: dict[str, User]) -> None:
    by = users["release-manager"]
    schedule = schedules.create(name="house", order="definition-sync", parameters={"definition": "house"},
                                cron_line="5 4 * * *", by=by)  # fmt: skip
    occurrence = schedules.run_now(schedule, by=by)
    assert occurrence.task
    assert occurrence.task.method == "definition-sync"
