"""The upgrade gate without a machine: its script, what is read from its console, and what serves the new commit."""

from __future__ import annotations

import socket
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from composes.pipeline.machines import journey, machine
from composes.pipeline.machines.candidate import served
from composes.pipeline.machines.guide import Guide
from composes.pipeline.machines.journey import DONE, DOWN, REFUSED, Step
from composes.pipeline.machines.machine import GATE_ADDRESS, MachineSpec, Monitor
from composes.pipeline.machines.previous import read
from composes.pipeline.machines.proof import BEGIN, END, WORD
from debatomic.tools.errors import InputError, TimedOut, ToolError

OLD, NEW = "0" * 64, "1" * 64
STEPS = [Step(name="start", commands=(), commit=OLD), Step(name="upgrade", commands=("echo one", "true"), commit=NEW),
         Step(name="rollback", commands=("false", "echo never"), commit=OLD)]  # fmt: skip


def proof(commit: str, *, state: str = "running", failed: str = "") -> str:
    lines = ["kernel: 6.12", f"state: {state}", "[status]", f"* debian {commit}.0", "[failed]", failed, "[mounts]"]
    return "\n".join([BEGIN, *(f"{WORD} {line}" for line in lines), END, ""])


def acted(number: int, *said: str) -> str:
    lines = [f"{WORD} step {number}", *(f"{WORD} {line}" for line in said), DONE, "dracut-shutdown", DOWN, "SeaBIOS"]
    return "\n".join(["", *lines, ""])


def guide(folder: Path, console: str, timeout: float = 60) -> Guide:
    spec = MachineSpec(disk=folder / "d", disk_format="raw", firmware="bios", accelerator="tcg", memory=1,
                       folder=folder)  # fmt: skip
    spec.serial.write_text(console)
    monitor = Monitor()
    monitor.theirs.close()
    return Guide(spec=spec, monitor=monitor, steps=STEPS, timeout=timeout, reached=lambda *_: None)


def test_every_boot_is_proved_and_belongs_to_its_step(tmp_path: Path) -> None:
    console = f"GRUB\n{proof(OLD)}{acted(1, 'Receiving objects')}Linux version 6\n{proof(NEW)}{acted(2)}{proof(OLD)}"
    watching = guide(tmp_path, console)
    watching.look()
    assert [(leg.name, leg.proof.commit) for leg in watching.legs] == [
        ("start", OLD), ("upgrade", NEW), ("rollback", OLD)]  # fmt: skip
    assert watching.legs[1].said == ("Receiving objects",)


def test_half_a_journey_is_at_its_step(tmp_path: Path) -> None:
    watching = guide(tmp_path, f"GRUB\n{proof(OLD)}{acted(1)}Linux version 6\n")
    watching.look()
    watching.look()
    assert watching.at.name == "upgrade"
    assert list(watching.seen[1]) == ["boot loader", "kernel"]


@pytest.mark.parametrize(("console", "sentence"), [
    (proof(NEW), f"After the step start the machine booted {NEW} instead of {OLD}."),
    (proof(OLD, failed="a.service failed"), "After the step start 1 units failed: a.service failed."),
    (proof(OLD, state="starting"), "After the step start the system is starting, not running."),
    (f"{proof(OLD)}\n{WORD} step 1\n{WORD} error: 404\n{REFUSED}\n", "The step upgrade failed in the machine"),
    (f"{proof(OLD)}{acted(1)}Kernel panic - not syncing\n", "does not boot after the step upgrade: Kernel panic"),
])  # fmt: skip
def test_what_goes_wrong_ends_it_at_once(tmp_path: Path, console: str, sentence: str) -> None:
    watching = guide(tmp_path, console)
    with pytest.raises(ToolError) as caught:
        for _ in range(3):
            watching.look()
    assert sentence in str(caught.value)


def test_a_step_that_takes_too_long_says_how_far_it_came(tmp_path: Path) -> None:
    with pytest.raises(TimedOut, match="The step start did not end in -1 s; last seen: kernel"):
        guide(tmp_path, "Linux version 6\n", timeout=-1).look()


def test_the_script_goes_from_step_to_step_and_stops_at_a_refusal(tmp_path: Path) -> None:
    """Run as the machine would boot by boot, with programs of a machine that do nothing."""
    for name in ("systemctl", "ostree", "findmnt", "systemd-analyze", "sleep", "sync"):
        (tmp_path / name).write_text(f'#!/bin/sh\n[ "{name} $1" = "systemctl is-system-running" ] && echo running\n:\n')
        (tmp_path / name).chmod(0o755)
    (tmp_path / "tty1").touch()
    script = journey.script(STEPS).replace("/var/lib/", f"{tmp_path}/").replace("/run/", f"{tmp_path}/")
    script = script.replace("/dev/tty1", f"{tmp_path}/tty1").replace("/dev/ttyS0", "/dev/stdout")
    said = [subprocess.run(["sh", "-c", script], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True,
                           text=True, check=True).stdout for _ in range(2)]  # fmt: skip
    assert said[0].index(END) < said[0].index(f"{WORD} one") < said[0].index(DONE)
    assert REFUSED in said[1]
    assert "never" not in said[1]
    assert (tmp_path / "debatomic-journey").read_text() == "2\n"


def test_the_machine_sees_one_address_and_reboots(tmp_path: Path) -> None:
    spec = MachineSpec(disk=tmp_path / "d", disk_format="raw", firmware="bios", accelerator="tcg", memory=1,
                       folder=tmp_path, credentials=journey.credentials(STEPS), relay="/bin/bash /a,b/relay.sh",
                       reboots=True)  # fmt: skip
    command = machine.qemu_command(spec, 7)
    relayed = f"guestfwd=tcp:{GATE_ADDRESS}:80-cmd:/bin/bash /a,,b/relay.sh"
    assert f"user,model=virtio-net-pci,restrict=on,{relayed}" in command
    assert "-no-reboot" not in command


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    (folder / "objects").mkdir(parents=True)
    (folder / "config").write_text("[core]\n")
    (tmp_path / "secret").write_text("outside\n")
    return folder


def test_the_candidate_is_served_below_its_word_and_through_the_relay(repository: Path, tmp_path: Path) -> None:
    with served(repository, tmp_path) as serving:
        port = (tmp_path / "relay.sh").read_text().split("127.0.0.1/")[1].split()[0]
        word = serving.url.split("/")[3]
        base = f"http://127.0.0.1:{port}"
        with urllib.request.urlopen(f"{base}/{word}/config") as answer:
            assert answer.read() == b"[core]\n"
        for hidden in ("config", "x/config", f"{word}/", f"{word}/objects/", f"{word}/../secret", f"{word}/gone"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(f"{base}/{hidden}")
        assert _through_relay(serving.relay.split(), f"/{word}/config").endswith(b"[core]\n")
        assert (serving.files, serving.bytes) == (2, 14)
    assert not (tmp_path / "relay.sh").exists()
    with socket.socket() as closed:
        assert closed.connect_ex(("127.0.0.1", int(port)))


def _through_relay(command: list[str], path: str) -> bytes:
    ours, theirs = socket.socketpair()
    with ours, theirs, subprocess.Popen(command, stdin=theirs.fileno(), stdout=theirs.fileno()) as relay:
        theirs.close()
        ours.settimeout(20)
        ours.sendall(f"GET {path} HTTP/1.1\r\nHost: gate\r\n\r\n".encode())
        received = b""
        while b"[core]\n" not in received:
            more = ours.recv(4096)
            assert more, "the relay ended early"
            received += more
        ours.shutdown(socket.SHUT_WR)
        assert relay.wait(20) is not None
    return received


@pytest.mark.parametrize(("files", "sentence"), [
    ({}, "holds no earlier compose"),
    ({"result.json": "x"}, "is not the result of a compose"),
    ({"result.json": f'{{"ref": "a", "commit": "{OLD}", "version": "1"}}'}, "has no disk to upgrade"),
])  # fmt: skip
def test_what_is_no_earlier_compose_is_said(tmp_path: Path, files: dict[str, str], sentence: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=sentence):
        read(tmp_path)
