"""The machine that boots an image: its command, what is read from its console, what that proves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from composes.pipeline.machines import machine
from composes.pipeline.machines.machine import MachineSpec, Monitor, Watcher
from composes.pipeline.machines.proof import BEGIN, CREDENTIALS, END, WORD, read_proof
from debatomic.tools.errors import Kind, TimedOut, ToolError

COMMIT = "0d02bfdf9650dae0019289b7e648134909f841ffd3f6c1bb87dc78beb9d08a63"
CONSOLE = f"""\
[  OK  ] Reached target multi-user.target - Multi-User System.
{BEGIN}
{WORD} kernel: 6.12.107+deb13-cloud-amd64
Debian GNU/Linux 13 localhost ttyS0

localhost login: {WORD} state: running
{WORD} [status]
{WORD} * debian {COMMIT}.0
{WORD}     Version: 13.20260912.0
{WORD} [failed]
{WORD} [mounts]
{WORD} / rw,relatime
{WORD} /usr ro,relatime
{WORD} [time]
{WORD} Startup finished in 4.7s (kernel) + 13.6s (initrd) + 32.4s (userspace) = 50.8s
{END}
"""


def spec(folder: Path, **changes: object) -> MachineSpec:
    known = {"disk": folder / "disk.raw", "disk_format": "raw", "firmware": "bios", "accelerator": "tcg", "memory": 512,
             "folder": folder}  # fmt: skip
    return MachineSpec(**{**known, **changes})  # type: ignore[arg-type]


def watcher(folder: Path, console: str, timeout: float = 60) -> Watcher:
    made = spec(folder)
    made.serial.write_text(console)
    return Watcher(spec=made, monitor=Monitor(), timeout=timeout, pictured=True,
                   reached=lambda name, fraction, seconds: None)  # fmt: skip


def test_a_login_prompt_does_not_disturb_the_proof() -> None:
    proof = read_proof(CONSOLE)
    assert proof
    assert (proof.state, proof.commit, proof.failed) == ("running", COMMIT, ())
    assert proof.mounts == {"/": "rw,relatime", "/usr": "ro,relatime"}
    assert proof.status[1].strip() == "Version: 13.20260912.0"
    assert proof.time.startswith("Startup finished in 4.7s")


def test_failed_units_are_named() -> None:
    proof = read_proof(CONSOLE.replace("[failed]\n", f"[failed]\n{WORD} a.service loaded failed failed A\n"))
    assert proof
    assert proof.failed == ("a.service loaded failed failed A",)


@pytest.mark.parametrize("console", ["", "Linux version 6", CONSOLE.replace(END, ""), CONSOLE.replace(BEGIN, "")])
def test_half_a_proof_is_none(console: str) -> None:
    assert read_proof(console) is None


def test_another_deployment_is_not_the_running_one() -> None:
    proof = read_proof(CONSOLE.replace("* debian", "  debian"))
    assert proof
    assert proof.commit == ""


def test_the_disk_is_never_written_and_the_proof_comes_from_outside(tmp_path: Path) -> None:
    command = machine.qemu_command(spec(tmp_path), 7)
    drive = next(each for each in command if each.startswith("file=") and "disk.raw" in each)
    assert "snapshot=on" in drive
    assert "virtio-blk-pci,drive=disk,bootindex=0" in command, "no other disk is booted"
    assert "pflash" not in " ".join(command)
    strings = [each for each in command if each.startswith("type=11,path=")]
    assert len(strings) == len(CREDENTIALS)
    assert Path(strings[0].split("path=")[1]).read_text().startswith("io.systemd.credential.binary:systemd.extra-unit.")


def test_uefi_has_its_own_variables(tmp_path: Path) -> None:
    command = " ".join(machine.qemu_command(spec(tmp_path, firmware="uefi", accelerator="kvm"), 7))
    assert f"if=pflash,format=raw,file={tmp_path}/vars.fd" in command
    assert "readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd" in command
    assert "-cpu host" in command


def test_milestones_are_seen_in_order(tmp_path: Path) -> None:
    watching = watcher(tmp_path, "GNU GRUB version 2.12\n\x1b[0;32m[    0.0] Linux version 6.12\n" + CONSOLE)
    watching.look()
    assert list(watching.seen) == ["boot loader", "kernel", "multi-user.target", "proof"]


@pytest.mark.parametrize(("console", "sentence"), [
    ("Linux version 6\nKernel panic - not syncing: VFS: no root\n", "does not boot (bios): Kernel panic - not syncing"),
    ("You are in emergency mode. After logging in\n", "You are in emergency mode"),
    ("error: no such device: 1234.\ngrub rescue>", "error: no such device: 1234."),
    ("error: ../../grub-core/loader/i386/linux.c:697:invalid magic number.\n", "invalid magic number"),
])  # fmt: skip
def test_a_boot_that_can_only_fail_ends_at_once(tmp_path: Path, console: str, sentence: str) -> None:
    with pytest.raises(ToolError) as caught:
        watcher(tmp_path, console).look()
    assert sentence in str(caught.value)
    assert caught.value.lines


def test_a_boot_that_takes_too_long_says_how_far_it_came(tmp_path: Path) -> None:
    with pytest.raises(TimedOut, match="the last thing seen was: kernel") as caught:
        watcher(tmp_path, "Linux version 6\n", timeout=-1).look()
    assert caught.value.kind == Kind.TIMEOUT


def test_the_monitor_skips_events_and_tells_errors() -> None:
    answers = [{"QMP": {}}, {"return": {}}, {"event": "RTC_CHANGE"}, {"return": {"status": "running"}},
               {"error": {"desc": "no"}}]  # fmt: skip
    with Monitor() as monitor:
        monitor.theirs.sendall(b"".join(json.dumps(each).encode() + b"\n" for each in answers))
        assert monitor.ask("query-status") == {"status": "running"}
        with pytest.raises(OSError, match="no"):
            monitor.ask("screendump")
        sent = [json.loads(line)["execute"] for line in monitor.theirs.recv(4096).splitlines()]
    assert sent == ["qmp_capabilities", "query-status", "screendump"]
