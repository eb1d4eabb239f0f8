"""What a compose says when archives, packages or single stages fail, and what goes on all the same."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from chroots.engine.archives.fetch import Store
from chroots.engine.isolation.mounts import mounted
from chroots.engine.state import State
from composes.pipeline.failures import Failures
from composes.pipeline.graph import Facts, Stage
from composes.pipeline.job import Job, Log, Order
from composes.pipeline.packages import indexes, lock, solve
from composes.pipeline.packages.indexes import Source, field, packages_text, stanzas
from composes.pipeline.packages.lock import Lock
from composes.pipeline.pipeline import Compose
from composes.pipeline.stages import gather
from composes.pipeline.tools import Tools
from composes.pipeline.treefiles import treefile
from composes.pipeline.treefiles.marks import Text
from debatomic.tools.errors import CommandFailed, InputError, Kind, ToolError
from debatomic.tools.progress import Progress
from tests.pipeline import signed
from tests.pipeline.signed import Archive

TOP = Path(__file__).parents[2]
HOUSE = TOP / "composes/definitions/debian-atomic.yaml"
STATE = Path(os.environ.get("DEBATOMIC_TEST_STATE") or TOP / "var/test-state").absolute()


@dataclass
class Mirror:
    """An archive over HTTP whose package files come as they are, or `gone`, `altered`, `cut` or `busy`."""

    address: str = ""
    fault: str = ""


@contextmanager
def mirrored(folder: Path) -> Iterator[Mirror]:
    mirror = Mirror()

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if not mirror.fault or not self.path.endswith(".deb"):
                super().do_GET()
            elif mirror.fault in ("gone", "busy"):
                self.send_error(404 if mirror.fault == "gone" else 503)
            else:
                content = Path(self.translate_path(self.path)).read_bytes()
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[:100] if mirror.fault == "cut" else content[:-9] + b"x" * 9)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    handler = functools.partial(Handler, directory=os.fspath(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        mirror.address = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield mirror
        finally:
            server.shutdown()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    folder = tmp_path_factory.mktemp("archives") / "house"
    folder.mkdir()
    signed.deb(folder, "house-data")
    signed.deb(folder, "house-tools", depends="house-data")
    return signed.archive(folder)


@pytest.fixture
def mirror(archive: Archive) -> Iterator[Mirror]:
    with mirrored(archive.folder) as made:
        yield made


def repositories(archive: Archive, address: str) -> str:
    key = textwrap.indent(archive.key, "      ")
    return f"repositories:\n  - name: house\n    uri: {address}\n    suite: house\n    key: |\n{key}\n"


def tree(folder: Path, more: str) -> treefile.Tree:
    (folder / "house.yaml").write_text(f"suite: house\narchitectures: {{amd64: {{}}}}\nvariants: {{v: {{}}}}\n{more}")
    return treefile.resolve(treefile.load(folder / "house.yaml"), "v", "amd64")


def job(folder: Path, of: treefile.Tree) -> Job:
    order = Order(tree=of, state=State(folder / "state"), output=folder, mirror="", keyring=folder)
    log = Log(lambda chunk: None)
    return Job(order=order, folder=folder, inputs={}, log=log, progress=Progress(1),
               tools=Tools(root=folder, identity="", log=log))  # fmt: skip


def locked(source: Source, store: Store) -> Lock:
    """A lock of everything the archive lists."""
    found = [solve._package(each, source) for each in stanzas(packages_text(source, "amd64", store))
             if field(each, "Package")]  # fmt: skip
    return Lock(suite="house", architecture="amd64", debian_version="", date=1, packages=tuple(found), releases={})


def signed_source(archive: Archive, address: str, folder: Path) -> Source:
    of = tree(folder, repositories(archive, address))
    (folder / "keys").mkdir()
    keyring = folder / "debian.gpg"
    with keyring.open("wb") as file:
        subprocess.run(["gpg", "--homedir", archive.home, "--batch", "--export"], check=True, stdout=file)
    return indexes.sources(of, address, keyring, folder / "keys")[1]


@pytest.mark.parametrize(("fault", "kind", "sentence"), [
    ("gone", Kind.INPUT, r"house-\w+ 1\.0 of the lock cannot be had any more: .*404"),
    ("altered", Kind.INFRASTRUCTURE, r"house-\w+_1\.0_all\.deb is not what the signed index lists: "),
    ("cut", Kind.INFRASTRUCTURE, r"cannot be reached|is not what the signed index lists"),
    ("busy", Kind.INFRASTRUCTURE, r"answers 503 .* for .*\.deb"),
])  # fmt: skip
def test_a_mirror_that_fails_between_its_lists_and_its_packages(
    archive: Archive, mirror: Mirror, tmp_path: Path, fault: str, kind: Kind, sentence: str
) -> None:
    store = Store(tmp_path / "state/files")
    wanted = locked(signed_source(archive, mirror.address, tmp_path), store)
    mirror.fault = fault
    with pytest.raises(ToolError, match=sentence) as caught:
        gather.fetch(job(tmp_path, tree(tmp_path, "")), wanted)
    assert caught.value.kind == kind
    assert not any(store.path(each.sha256).exists() for each in wanted.packages)
    mirror.fault = ""
    gather.fetch(job(tmp_path, tree(tmp_path, "")), wanted)  # the retry
    assert all(store.path(each.sha256).exists() for each in wanted.packages)


def test_an_archive_that_changed_since_its_lists_is_told(archive: Archive, tmp_path: Path) -> None:
    copy = tmp_path / "archive"
    copy.mkdir()
    for path in archive.folder.rglob("*"):
        if path.is_file():
            (copy / path.relative_to(archive.folder)).parent.mkdir(parents=True, exist_ok=True)
            (copy / path.relative_to(archive.folder)).write_bytes(path.read_bytes())
    with mirrored(copy) as mirror:
        source = signed_source(archive, mirror.address, tmp_path)
        packages = copy / "dists/house/main/binary-amd64/Packages"
        packages.write_bytes(packages.read_bytes().replace(b"1.0", b"1.1"))
        with pytest.raises(ToolError, match=r"Packages is not what the signed index lists: ") as caught:
            packages_text(source, "amd64", Store(tmp_path / "state/files"))
    assert caught.value.kind == Kind.INFRASTRUCTURE


def test_an_archive_without_a_signature_is_told(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "dists/house").mkdir(parents=True)
    (tmp_path / "dists/house/Release").write_text("Suite: house\n")
    with mirrored(tmp_path) as mirror, pytest.raises(InputError, match=r"is not signed: its suite 'house' has Release"):
        signed_source(archive, mirror.address, tmp_path)


CONFLICT = """\
E: Unable to correct problems, you have held broken packages.
1. dpkg:amd64=1.22.22 is selected for install
2. dpkg:amd64 PreDepends libc6 (>= 2.38)
but none of the choices are installable:
- libc6:amd64 is not selected for install
"""


def test_a_conflict_names_the_lines_that_asked() -> None:
    house = treefile.resolve(treefile.load(HOUSE), "minimal", "amd64")
    asked = replace(house, packages=(Text("dpkg", "a.yaml:3"), Text("apt", "a.yaml:4")),
                    exclude=(Text("libc6", "a.yaml:9"),))  # fmt: skip
    told = solve._no_solution(CommandFailed(["apt-get"], 100, tail=CONFLICT), asked)
    assert told.sentence.endswith("The treefile: a.yaml:3 asks for dpkg; a.yaml:9 excludes libc6.")


def nothing(job: Job) -> Facts:
    return {}


def stage(name: str, *needs: str) -> Stage:
    return Stage(name=name, phase="image", make=nothing, needs=needs)


def test_a_failed_stage_takes_those_with_it_that_need_it() -> None:
    failures = Failures()
    with failures.noting(stage("disk")):
        raise InputError("It is too small.")
    others = (stage("qcow2", "disk"), stage("boot", "qcow2"), stage("oci", "tree"))
    assert [failures.missing(each) for each in others] == ["disk", "disk", ""]
    assert failures.as_json() == [{"stage": "disk", "reason": "It is too small.", "kind": "input", "decisive": [],
                                   "left_out": ["qcow2", "boot"]}]  # fmt: skip
    with pytest.raises(InputError, match="too small"):
        failures.check(failable=["qcow2"])
    failures.check(failable=["disk"])


def test_a_disk_that_is_full_before_there_is_a_tree_ends_all() -> None:
    failures = Failures()
    with pytest.raises(ToolError, match="full"), failures.noting(replace(stage("tree"), phase="rootfs")):
        raise ToolError("The disk is full.", kind=Kind.DISK)
    assert list(failures.errors) == ["tree"]


def writes(size: int) -> Callable[[Job], Facts]:
    def make(job: Job) -> Facts:
        (job.folder / "image").write_bytes(bytes(size))
        return {"size": size}

    return make


def test_an_image_for_which_there_is_no_room_fails_alone_and_its_retry_reuses_the_others(tmp_path: Path) -> None:
    """A disk of 4 MiB takes one image and no second one; with more room only what failed is made."""
    (tmp_path / "small").mkdir()
    names = ("qcow2", "vhd", "tar")
    sizes = dict(zip(names, (1 << 20, 9 << 20, 1 << 20), strict=True))
    with mounted("tmpfs", tmp_path / "small", "size=4m"):
        of = tree(tmp_path, "image: {formats: [qcow2, vhd, tar]}")
        order = Order(tree=of, state=State(tmp_path / "small"), output=tmp_path, mirror="", keyring=tmp_path)
        stages = [replace(stage(name, *needs), make=writes(sizes[name]))
                  for name, needs in (("qcow2", ()), ("vhd", ()), ("tar", ("qcow2",)))]  # fmt: skip
        first = tried(order, stages)
        assert (set(first.results), first.failures.errors["vhd"].kind) == ({"qcow2", "tar"}, Kind.DISK)
        with pytest.raises(ToolError, match=r"^The disk is full"):
            first.failures.check()
        first.failures.check(failable=["vhd"])
        assert list(first.store.work.iterdir()) == [] and len(list(first.store.results.iterdir())) == 2
        subprocess.run(["mount", "-o", "remount,size=40m", tmp_path / "small"], check=True)
        again = tried(order, stages)
        assert {name: each.reused for name, each in again.results.items()} == {
            "qcow2": True, "vhd": False, "tar": True}  # fmt: skip


def tried(order: Order, stages: Sequence[Stage]) -> Compose:
    """These stages in their order, as far as they can be made."""
    run = Compose(order, Log(), Progress(1), store_limit=1 << 30)
    tools = Tools(root=order.output, identity="", log=run.log)
    with ExitStack() as stack:
        scratch = stack.enter_context(run.store.scratch())
        for each in stages:
            run._try(each, tools, scratch, stack)
    return run


@pytest.mark.integration
def test_a_repository_that_fails_in_the_middle_is_told_and_the_retry_goes_on(
    archive: Archive, mirror: Mirror, tmp_path: Path
) -> None:
    definitions = tmp_path / "definition"
    subprocess.run(["cp", "-r", HOUSE.parent, definitions], check=True)
    more = f"{repositories(archive, mirror.address)}variants: {{minimal: {{packages: [house-tools]}}}}\n"
    (definitions / "house.yaml").write_text(f"{HOUSE.read_text()}{more}")
    command = [sys.executable, "-m", "composes.pipeline", "run", str(definitions / "house.yaml"), "--variant",
               "minimal", "--output", str(tmp_path / "out"), "--state", str(STATE), "--only", "gather"]  # fmt: skip
    mirror.fault = "gone"
    told = subprocess.run(command, cwd=TOP, capture_output=True, text=True, timeout=600, check=False)
    result = json.loads((tmp_path / "out/result.json").read_text())
    assert (told.returncode, result["kind"], result["deliverables"]) == (1, "input", [])
    assert result["reason"].startswith("house-data 1.0 of the lock cannot be had any more: "), result["reason"]
    assert [each["stage"] for each in result["failures"]] == ["gather"]
    mirror.fault = ""
    told = subprocess.run(command, cwd=TOP, capture_output=True, text=True, timeout=600, check=False)
    assert told.returncode == 0, told.stdout[-3000:]
    names = {each.name: each.origin for each in lock.read(tmp_path / "out/lock.json").packages}
    assert (names["house-data"], names["house-tools"], names["dpkg"]) == ("house", "house", "debian")
