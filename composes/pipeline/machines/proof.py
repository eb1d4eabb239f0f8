"""What a booted machine is asked to say about itself, and what it said.

The question is a unit that systemd is handed as a credential; each line of the answer on the serial console begins
with a word of its own, because a login prompt may write there at the same time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

WORD = "debatomic-proof:"
BEGIN, END = f"{WORD} begin", f"{WORD} end of proof"  # no other line begins so
ANSWER = re.compile(rf"{WORD} ([^\n]*)")
SECTION = re.compile(r"\[(status|failed|mounts|time|first-boot|tests)\]")
# Shell, in an argument of a unit's command too: $ is doubled there, and ' is not used.
# A login on the console begins when all else has, and hangs up whoever has it open: only then it is opened (anew).
WAIT = (
    'n=0; while [ "$(systemctl is-system-running)" = starting ] && [ $n -lt 300 ]; do sleep 1; n=$((n+1)); done; n=0; '
    'while p=$(systemctl show -P MainPID serial-getty@ttyS0.service) && [ "${p:-0}" != 0 ] && [ $n -lt 30 ] && '
    '[ "$(cat /proc/$p/comm)" != agetty ]; do sleep 1; n=$((n+1)); done; exec >/dev/ttyS0 2>&1'
)
PROVE = (
    'echo "kernel: $(uname -r)"; echo "state: $(systemctl is-system-running)"; echo "[status]"; ostree admin status; '
    'echo "[failed]"; systemctl --failed --no-legend --plain; echo "[mounts]"; '
    'for at in / /usr /etc /var /boot /sysroot; do echo "$at $(findmnt -no OPTIONS --target $at)"; done; '
    'echo "[time]"; systemd-analyze;'
)
UNIT_NAME = "debatomic-proof.service"
UNIT = """\
[Unit]
Description=Proof that this system booted
After=multi-user.target
[Service]
Type=simple
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
ExecStart=/bin/sh -c '{command}'
"""


def credentials(more: str = "") -> dict[str, str]:
    """What systemd in the machine is handed; the shell commands `more` add to the proof."""
    command = (
        f'{WAIT}; echo; echo "{BEGIN}"; {{ {PROVE} {more} }} 2>&1 | tee /dev/tty1 | sed "s/^/{WORD} /"; echo; '
        f'echo "{END}"; sleep 4; systemctl poweroff --force'
    )
    return {f"systemd.extra-unit.{UNIT_NAME}": UNIT.format(command=command.replace("$", "$$")),
            "systemd.unit-dropin.multi-user.target": f"[Unit]\nWants={UNIT_NAME}\n"}  # fmt: skip


CREDENTIALS = credentials()


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What the booted machine said: `commit` is the deployment it runs, `failed` the units that failed."""

    state: str
    kernel: str
    commit: str
    failed: tuple[str, ...]
    mounts: dict[str, str]
    status: tuple[str, ...]
    time: str
    tests: tuple[str, ...] = ()
    first_boot: tuple[str, ...] = ()


def read_proof(text: str) -> Proof | None:
    """The proof on a console; None if there is none, or not all of it."""
    if BEGIN not in text or END not in text:
        return None
    sections = _sections(ANSWER.findall(text.split(BEGIN, 1)[1].split(END, 1)[0]))
    head = _pairs(sections.get("", []), ": ")
    status = sections.get("status", [])
    running = (match[1] for line in status if (match := re.search(r"\* \S+ ([0-9a-f]{64})", line)))
    return Proof(
        state=head.get("state", ""), kernel=head.get("kernel", ""), commit=next(running, ""),
        failed=tuple(sections.get("failed", [])), mounts=_pairs(sections.get("mounts", []), " "), status=tuple(status),
        time=" ".join(sections.get("time", [])[:1]), tests=tuple(sections.get("tests", [])),
        first_boot=tuple(sections.get("first-boot", [])),
    )  # fmt: skip


def _sections(lines: list[str]) -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {}
    current = ""
    for line in lines:
        if match := SECTION.fullmatch(line.strip()):
            current = match[1]
        elif line.strip():
            sections.setdefault(current, []).append(line.rstrip())
    return sections


def _pairs(lines: list[str], separator: str) -> dict[str, str]:
    parted = (line.partition(separator) for line in lines)
    return {name: value for name, found, value in parted if found}
