"""A machine led through several boots: what it does before each, and what must be booted then.

The machine keeps in its own /var which step is next; the script that reads it is handed in as a systemd credential.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from composes.pipeline.machines.proof import ANSWER, BEGIN, END, PROVE, WAIT, WORD, Proof, read_proof

DONE, REFUSED = f"{WORD} done", f"{WORD} refused"
SCRIPT, UNIT_NAME = "debatomic.journey", "debatomic-journey.service"
UNIT = f"""\
[Unit]
Description=Journey of the upgrade gate
After=multi-user.target
[Service]
Type=simple
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
ExecStart=/bin/sh /run/credentials/@system/{SCRIPT}
"""
DOWN = "reboot: Restarting system"  # the kernel's last words; not on every console
PAUSE = 3  # seconds in which the console is pictured


@dataclass(frozen=True, kw_only=True)
class Step:
    """`commands` are run in the machine before it boots again; then `commit` must be what runs."""

    name: str
    commands: tuple[str, ...]
    commit: str


@dataclass(frozen=True, kw_only=True)
class Leg:
    """What was seen of one step on the console: what its commands said, and the proof of the boot after them."""

    name: str
    said: tuple[str, ...]
    proof: Proof


def credentials(steps: Sequence[Step]) -> dict[str, str]:
    """What systemd in the machine is handed."""
    return {f"systemd.extra-unit.{UNIT_NAME}": UNIT, SCRIPT: script(steps),
            "systemd.unit-dropin.multi-user.target": f"[Unit]\nWants={UNIT_NAME}\n"}  # fmt: skip


def script(steps: Sequence[Step]) -> str:
    """The shell script that proves what is booted, does what the next step needs and boots again."""
    cases = "\n".join(_case(number, step) for number, step in enumerate(steps) if number)
    return f"""\
at=/var/lib/debatomic-journey
number=$(cat $at 2>/dev/null || echo 1)
say() {{ tee /dev/tty1 | sed "s/^/{WORD} /"; }}
finish() {{ sleep {PAUSE}; systemctl poweroff --force; exit; }}
{WAIT}
echo; echo "{BEGIN}"
{{ {PROVE} }} 2>&1 | say
echo; echo "{END}"
sleep {PAUSE}
case $number in
{cases}
*) finish ;;
esac
echo; echo "{WORD} step $number"
{{ ( act ) 2>&1; echo $? >/run/debatomic-status; }} | say
if [ "$(cat /run/debatomic-status)" != 0 ]; then echo; echo "{REFUSED}"; finish; fi
echo $((number+1)) >$at
sync
echo; echo "{DONE}"
systemctl reboot
"""


def _case(number: int, step: Step) -> str:
    commands = "\n".join(step.commands)
    return f"{number}) act() {{ set -e\n{commands}\n}} ;;"


def boots(text: str) -> list[str]:
    """The console's text, boot by boot: each ends where its proof ends, the commands before the next belong to that."""
    parts = text.split(END)
    return [f"{part}{END}" for part in parts[:-1]] + [parts[-1]]


def booting(part: str) -> str:
    """Of the console between two proofs what comes from the boot, not from the commands and the shutdown before it."""
    before = part.rpartition(DONE)[2]
    down = before.find(DOWN)
    start = down if down >= 0 else max(before.find("GRUB"), before.find("BdsDxe"))
    return before[start:] if start >= 0 else ""


def legs(text: str, steps: Sequence[Step]) -> list[Leg]:
    """What the console says of those steps that came to their proof."""
    found = []
    for step, part in zip(steps, boots(text), strict=False):
        if proof := read_proof(part):
            found.append(Leg(name=step.name, said=tuple(_said(part)), proof=proof))
    return found


def _said(part: str) -> list[str]:
    """What the commands of a step printed, without the marks around it."""
    before = part.split(BEGIN, 1)[0]
    lines = (line.rstrip() for line in ANSWER.findall(before))
    return [line for line in lines if line and not re.fullmatch(r"step \d+|done|refused", line)]


def refusal(text: str) -> list[str]:
    """What a command said that ended with another status than 0; nothing if none did."""
    last = boots(text)[-1]
    return (_said(last.split(REFUSED, 1)[0]) or ["nothing"]) if REFUSED in last else []
