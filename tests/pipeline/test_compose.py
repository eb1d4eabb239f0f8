"""A real compose: from our treefile to a disk that boots by BIOS and by UEFI, with every tool in its place.

Minutes of work: results are kept in `$DEBATOMIC_TEST_STATE` (default var/test-state), but the machines boot each time.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from composes.pipeline.container import archive
from tests.machine import trusted_keys
from tests.pipeline.registry import serving

pytestmark = pytest.mark.integration
TOP = Path(__file__).parents[2]
DEFINITIONS = TOP / "composes/definitions"
HOUSE = DEFINITIONS / "debian-atomic.yaml"
TRACKER = Path(__file__).with_name("tracker.json")
STATE = Path(os.environ.get("DEBATOMIC_TEST_STATE") or TOP / "var/test-state").absolute()


@dataclass(frozen=True)
class Ran:
    """A run of the command: its status, the last line it wrote, everything it wrote, its `result.json`."""

    status: int
    text: str
    output: Path

    @property
    def last(self) -> str:
        return self.text.strip().splitlines()[-1]

    @property
    def result(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.output / "result.json").read_text())
        return content


def command(output: Path, *more: str, treefile: Path = HOUSE, state: Path = STATE) -> list[str]:
    return [sys.executable, "-m", "composes.pipeline", "run", os.fspath(treefile), "--variant", "minimal",
            "--security-tracker", os.fspath(TRACKER), "--output", os.fspath(output), "--state", os.fspath(state),
            "--trusted-keys", os.fspath(trusted_keys()), *more]  # fmt: skip


def ran(output: Path, args: list[str]) -> Ran:
    done = subprocess.run(args, cwd=TOP, capture_output=True, text=True, timeout=1800, check=False)
    return Ran(done.returncode, done.stdout + done.stderr, output)


def changed(folder: Path, more: str) -> Path:
    """Our treefile with a line more, its sixth, beside its common parts."""
    shutil.copytree(DEFINITIONS, folder, dirs_exist_ok=True)
    (folder / "house.yaml").write_text(f"{HOUSE.read_text()}{more}\n")
    return folder / "house.yaml"


@pytest.fixture(scope="module")
def compose(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    output = tmp_path_factory.mktemp("compose") / "out"
    result = ran(output, command(output, "--again", "test"))
    assert result.status == 0, result.text[-3000:]
    return result


def test_it_says_what_it_made(compose: Ran) -> None:
    result = compose.result
    assert result["ok"]
    assert result["version"].startswith("13.")
    assert result["version"].endswith(".0")
    assert len(result["commit"]) == len(result["content_checksum"]) == 64
    kinds = {"lock", "contents", "objects", "repository", "oci", "oci-manifest", "raw", "qcow2", "spdx",
             "cyclonedx", "vulnerabilities", "serial-log", "screenshot"}  # fmt: skip
    assert {each["kind"] for each in result["deliverables"]} == kinds
    assert [each["phase"] for each in result["stages"]][-1] == "test"
    assert [each for each in result["lint"] if each["fatal"]] == []


@pytest.mark.parametrize("firmware", ["bios", "uefi"])
def test_the_disk_boots_and_proves_its_commit(compose: Ran, firmware: str) -> None:
    proof = compose.result["boot"][firmware]
    assert proof["commit"] == compose.result["commit"]
    assert (proof["failed"], proof["state"]) == ([], "running")
    assert "ro" in proof["mounts"]["/usr"].split(",")
    assert 0 < proof["milestones"]["kernel"] < proof["seconds"]
    assert proof["disk"] == {"bios": "disk.raw", "uefi": "disk.qcow2"}[firmware]
    console = (compose.output / f"serial-{firmware}.log").read_text(errors="replace")
    assert f"* debian {compose.result['commit']}.0" in console
    picture = (compose.output / f"console-{firmware}.png").read_bytes()
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert picture.rstrip().endswith(b"IEND\xaeB`\x82")


def test_the_gates_said_yes_and_the_treefiles_tests_ran(compose: Ran) -> None:
    verdicts = {each["name"]: each["verdict"] for each in compose.result["gates"]}
    passed = ("lint", "container", "boot-bios", "boot-uefi", "tests")
    assert verdicts == {**dict.fromkeys(passed, "passed"), "upgrade": "skipped"}
    runs = {each["name"]: each for each in compose.result["boot"]["bios"]["tests"]}
    assert "Read-only file system" in "".join(runs["system-is-read-only"]["output"])
    assert "Status: install ok installed" in runs["packages-are-whole"]["output"]
    assert compose.result["boot"]["uefi"]["tests"] == []


def test_what_is_delivered_is_what_is_said(compose: Ran) -> None:
    for each in compose.result["deliverables"]:
        path = compose.output / each["path"]
        with path.open("rb") as file:
            assert hashlib.file_digest(file, "sha256").hexdigest() == each["sha256"], each["name"]
        assert path.stat().st_size == each["size"]


def test_the_images_are_disks(compose: Ran) -> None:
    with (compose.output / "disk.raw").open("rb") as file:
        sectors = file.read(34 * 512)
    assert sectors[510:512] == b"\x55\xaa"
    assert sectors[512:520] == b"EFI PART"
    assert (compose.output / "disk.raw").stat().st_blocks * 512 < 1 << 30
    assert (compose.output / "disk.qcow2").read_bytes()[:4] == b"QFI\xfb"


def test_the_repository_holds_this_commit_and_nothing_of_ours_is_left(compose: Ran) -> None:
    ref = compose.output / "repo/refs/heads" / compose.result["ref"]
    assert ref.read_text().strip() == compose.result["commit"]
    assert (compose.output / "repo/summary").exists()
    with tarfile.open(compose.output / "repo.tar") as tar:
        assert f"refs/heads/{compose.result['ref']}" in tar.getnames()
    assert [path.name for path in compose.output.iterdir() if path.name.startswith(".")] == []
    assert list((STATE / "composes/work").iterdir()) == []


def test_the_container_holds_what_the_commit_holds_by_every_rule_of_bootc(compose: Ran) -> None:
    container = compose.result["container"]
    assert container["content_checksum"] == compose.result["content_checksum"]
    assert {"kernel", "baseimage-root", "image-labels"} <= {each["rule"] for each in container["rules"]}
    assert [each for each in container["rules"] if each["details"]] == []
    layers = archive.layers_of(archive.read_manifest(compose.output / "container.oci.tar"))
    assert len(layers) == container["layers"] <= 64
    assert sum(each.size for each in layers) == container["bytes"]
    assert any(each.packages == ("coreutils",) for each in layers)


def test_the_container_goes_to_a_registry_and_comes_back_the_same(compose: Ran, tmp_path: Path) -> None:
    digest = compose.result["container"]["digest"]
    (tmp_path / "registry").mkdir()
    with serving(tmp_path / "registry") as address:
        names = [f"{address}/debian-atomic/minimal:{tag}" for tag in (compose.result["version"], "latest")]
        args = ["--from", os.fspath(compose.output / "container.oci.tar"), *(f"--to={name}" for name in names)]
        pushed = ran(tmp_path, [sys.executable, "-m", "composes.pipeline", "push", "--plain-http", *args])
        assert (pushed.status, pushed.last) == (0, f"{', '.join(names)} is now {digest}")
        back = ["skopeo", "copy", "--quiet", "--src-tls-verify=false", f"docker://{names[1]}", f"oci:{tmp_path}/back:x"]
        subprocess.run(back, check=True)
    (described,) = json.loads((tmp_path / "back/index.json").read_text())["manifests"]
    assert described["digest"] == digest


def test_the_bills_are_valid_and_hold_every_package(compose: Ran) -> None:
    packages = json.loads((compose.output / "lock.json").read_text())["packages"]
    document = parse_file(os.fspath(compose.output / "sbom.spdx.json"))
    assert validate_full_spdx_document(document) == []
    text = (compose.output / "sbom.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_5).validate_str(text) is None
    told = {(each["name"], each["version"], each["hashes"][0]["content"]) for each in json.loads(text)["components"]}
    assert told == {(each["name"], each["version"], each["sha256"]) for each in packages}
    assert len(document.packages) == len(packages) + 1


def test_what_is_known_against_it_is_listed(compose: Ran) -> None:
    listed = json.loads((compose.output / "vulnerabilities.json").read_text())
    assert (listed["asked"], listed["counts"]) == (True, {"high": 1})
    assert [(each["id"], each["source"]) for each in listed["vulnerabilities"]] == [("CVE-2099-0001", "openssl")]


def test_a_tracker_that_is_silent_is_said_and_stops_nothing(compose: Ran, tmp_path: Path) -> None:
    silent = ("--security-tracker", "http://127.0.0.1:9/data", "--skip", "test", "--skip", "container")
    again = ran(tmp_path / "out", command(tmp_path / "out", *silent))
    assert again.status == 0, again.text[-3000:]
    listed = json.loads((tmp_path / "out/vulnerabilities.json").read_text())
    assert (listed["asked"], listed["vulnerabilities"]) == (False, [])
    assert "The security tracker could not be asked: " in listed["reason"]


def test_other_formats_are_made_of_the_same_disk_and_tree(compose: Ran, tmp_path: Path) -> None:
    output = tmp_path / "out"
    treefile = changed(tmp_path / "definition", "image: {formats: [vmdk, vhd, tar]}")
    done = ran(output, command(output, "--skip", "test", treefile=treefile))
    assert done.status == 0, done.text[-3000:]
    digests = {each["kind"]: each["sha256"] for each in done.result["deliverables"]}
    assert digests["raw"] == next(e["sha256"] for e in compose.result["deliverables"] if e["kind"] == "raw")
    assert (output / "disk.vmdk").open("rb").read(4) == b"KDMV"
    with (output / "disk.vhd").open("rb") as disk, (output / "disk.raw").open("rb") as raw:
        disk.seek(-512, os.SEEK_END)
        assert disk.read(8) == b"conectix"
        disk.seek(0)
        assert disk.read(64 << 20) == raw.read(64 << 20)
    listed = subprocess.run(
        ["tar", "--zstd", "-tf", output / "root.tar.zst"], capture_output=True, text=True, check=True
    )
    assert {"etc/passwd", "usr/bin/apt", "sysroot/"} <= set(listed.stdout.splitlines())


def test_the_iso_installs_to_an_empty_disk_and_that_boots(compose: Ran, tmp_path: Path) -> None:
    output = tmp_path / "out"
    image = "image: {formats: [iso], remove-formats: [qcow2, oci], remove-firmware: [uefi], iso: {start: install}}"
    remote = "remote: {name: house, url: 'http://repo.example.org/ostree'}"
    treefile = changed(tmp_path / "definition", f"{image}\n{remote}\ngates: {{boot: off}}")
    done = ran(output, command(output, treefile=treefile))
    assert done.status == 0, done.text[-3000:]
    assert (output / "disk.iso").read_bytes()[0x8001:0x8006] == b"CD001"
    proof = done.result["boot"]["iso-bios"]
    assert (proof["commit"], proof["state"], proof["failed"]) == (compose.result["commit"], "running", [])
    assert [each["name"] for each in proof["tests"]] == ["install", "installed"]
    installed = [" ".join(line.split()) for line in proof["tests"][1]["output"]]
    assert "remote house http://repo.example.org/ostree" in installed
    assert "debatomic: done: /dev/vda holds" in (output / "serial-iso-bios.log").read_text(errors="replace")
    verdicts = {each["name"]: each["verdict"] for each in done.result["gates"]}
    assert verdicts["boot-iso-bios"] == "passed"


def test_done_again_it_reuses_everything_and_gives_the_same(compose: Ran, tmp_path: Path) -> None:
    again = ran(tmp_path / "out", command(tmp_path / "out"))
    assert again.status == 0, again.text[-3000:]
    assert [each["name"] for each in again.result["stages"] if not each["reused"]] == ["releases", "tracker"]
    for name in ("commit", "version", "deliverables", "boot"):
        assert again.result[name] == compose.result[name]


def test_built_anew_from_its_lock_commit_and_container_are_the_same(compose: Ran, tmp_path: Path) -> None:
    lock = os.fspath(compose.output / "lock.json")
    phases = [word for name in ("rootfs", "ostree", "container") for word in ("--only", name, "--again", name)]
    again = ran(tmp_path / "out", command(tmp_path / "out", "--lock", lock, *phases))
    assert again.status == 0, again.text[-3000:]
    assert again.result["commit"] == compose.result["commit"]
    assert again.result["container"]["digest"] == compose.result["container"]["digest"]
    assert "initramfs made" in again.text and "packages are in layer-" not in again.text
    assert not any(each["reused"] for each in again.result["stages"] if each["phase"] not in ("init", "gather"))


def publish(source: Path, target: Path, ref: str, *more: str) -> Ran:
    said = target.parent / "said"
    args = [sys.executable, "-m", "composes.pipeline", "publish", "--from", str(source), "--to", str(target),
            "--ref", ref, "--state", str(STATE), "--output", str(said), *more]  # fmt: skip
    return ran(said, args)


def test_publishing_moves_the_ref_last_and_only_for_the_right_commit(compose: Ran, tmp_path: Path) -> None:
    served, ref, commit = tmp_path / "served", compose.result["ref"], compose.result["commit"]
    wrong = publish(compose.output / "repo.tar", served, ref, "--commit", "0" * 64)
    assert (wrong.status, wrong.result["ok"]) == (1, False)
    assert f"not {'0' * 64}" in wrong.last
    assert not (served / "refs/heads" / ref).exists()
    other = publish(compose.output / "repo.tar", served, "other/ref")
    assert "no machine could pull it" in other.last
    done = publish(compose.output / "repo.tar", served, ref, "--commit", commit)
    assert (done.status, done.result["commit"]) == (0, commit), done.text[-2000:]
    assert (served / "refs/heads" / ref).read_text().strip() == commit
    assert (served / "summary").stat().st_mtime >= (served / "refs/heads" / ref).stat().st_mtime


def test_a_damaged_repository_is_not_published(compose: Ran, tmp_path: Path) -> None:
    copy, ref = tmp_path / "repo", compose.result["ref"]
    shutil.copytree(compose.output / "repo", copy)
    victim = max((copy / "objects").rglob("*.filez"), key=lambda path: path.stat().st_size)
    victim.write_bytes(victim.read_bytes()[:-100] + b"x" * 100)
    told = publish(copy, tmp_path / "served", ref)
    assert told.status == 1
    assert "damaged" in told.last
    assert not (tmp_path / "served/refs/heads" / ref).exists()


@pytest.mark.parametrize(("more", "sentence"), [
    ("variants: {minimal: {packages: [opensssh-server]}}", "house.yaml:6: there is no package opensssh-server"),
    ("variants: {minimal: {units: {enable: [no.service]}}}", "house.yaml:6: the unit no.service cannot be enabled: "),
    ("image: {size: 500M}", "house.yaml:6: image.size is too small: 500M, but this system"),
    ("exclude: [libc6]", "These packages cannot be installed together: "),
])  # fmt: skip
def test_what_cannot_work_is_said(compose: Ran, tmp_path: Path, more: str, sentence: str) -> None:
    treefile = changed(tmp_path / "definition", more)
    told = ran(tmp_path / "out", command(tmp_path / "out", "--skip", "test", treefile=treefile))
    assert told.status == 1
    assert told.last.startswith(sentence)
    assert (told.result["kind"], told.result["ok"]) == ("input", False)
    assert not (tmp_path / "out/disk.raw").exists()


def test_a_policy_that_blocks_is_told_and_all_is_delivered(compose: Ran, tmp_path: Path) -> None:
    more = "policies: {forbidden-packages: [openssh-*], maximum-image-size: 1G, signed-sources: yes}"
    treefile = changed(tmp_path / "definition", f"{more}\ngates: {{maximum-image-size: warn}}")
    told = ran(tmp_path / "out", command(tmp_path / "out", "--skip", "test", treefile=treefile))
    assert told.status == 1
    assert told.last.startswith("The gate forbidden-packages blocks: It contains what the policy forbids: openssh-")
    verdicts = {each["name"]: each["verdict"] for each in told.result["gates"]}
    assert (verdicts["maximum-image-size"], verdicts["signed-sources"]) == ("warned", "passed")
    assert (tmp_path / "out/disk.raw").exists()
    deferred = ran(tmp_path / "out", command(tmp_path / "out", "--skip", "test", "--defer-gates", treefile=treefile))
    assert (deferred.status, deferred.result["ok"]) == (0, True)


def test_a_package_that_is_gone_is_named(compose: Ran, tmp_path: Path) -> None:
    lock = json.loads((compose.output / "lock.json").read_text())
    package = lock["packages"][0]
    package["sha256"], package["uri"] = "0" * 64, package["uri"] + ".gone"
    (tmp_path / "lock.json").write_text(json.dumps(lock))
    told = ran(tmp_path / "out", command(tmp_path / "out", "--lock", os.fspath(tmp_path / "lock.json")))
    assert told.status == 1
    assert told.last.startswith(f"{package['name']} {package['version']} of the lock cannot be had any more: ")


def test_no_network_is_said(compose: Ran, tmp_path: Path) -> None:
    told = ran(tmp_path / "out", command(tmp_path / "out", "--mirror", "http://127.0.0.1:9/debian"))
    assert told.status == 1
    assert "127.0.0.1:9 cannot be reached" in told.last
    assert told.result["kind"] == "infrastructure"


def test_a_full_disk_is_said(compose: Ran, tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.mkdir()
    small = 'mount -t tmpfs -o size=8m none "$1" && shift && exec "$@"'
    inner = [os.fspath(output), *command(output, "--skip", "test")]
    told = ran(output, ["unshare", "--mount", "sh", "-c", small, "sh", *inner])
    assert told.status == 1
    assert told.last.startswith("The disk is full")


def whose(word: str) -> list[str]:
    """Processes and mounts that have to do with `word`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "mountinfo"):
            try:
                if word in (process / name).read_text(errors="replace") and process.name != str(os.getpid()):
                    found.append(f"{process.name} {name}")
            except OSError:
                continue
    return found


def test_killed_it_leaves_no_process_and_no_mount_and_the_next_one_sweeps(compose: Ran, tmp_path: Path) -> None:
    treefile = changed(tmp_path / "definition", f"kargs: [debatomic.test={os.getpid()}]")
    args = command(tmp_path / "out", "--skip", "test", treefile=treefile)
    with subprocess.Popen(args, cwd=TOP, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            if "initramfs" in line:
                break
        scratch = [path.name for path in (STATE / "composes/work").iterdir()]
        process.send_signal(signal.SIGKILL)
    assert scratch
    until = time.monotonic() + 60
    while (left := whose(scratch[0])) and time.monotonic() < until:
        time.sleep(0.1)
    assert left == []
    after = ran(tmp_path / "out", command(tmp_path / "out", "--only", "gather"))
    assert f"Swept {len(scratch)} folders of interrupted composes." in after.text
    assert list((STATE / "composes/work").iterdir()) == []
