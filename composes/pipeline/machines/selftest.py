"""Test scripts of a treefile: how they get into the booted machine, and what they said there.

They travel as a tar on a disk of their own. Each one's output stands between `test NAME` and `ended STATUS SECONDS`,
every line of it behind a bar, so that no script can speak for another.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from composes.pipeline.machines.machine import DATA_SERIAL
from composes.pipeline.treefiles.checks import Script

FOLDER = "/run/debatomic-tests"
OUTPUT_BYTES = 16384  # of each, its end
TIMED_OUT = (124, 137)  # as timeout(1) ends
COMMAND = (
    f'echo "[tests]"; mkdir -p {FOLDER}; tar -xf /dev/disk/by-id/virtio-{DATA_SERIAL} -C {FOLDER}; sh {FOLDER}/run;'
)
ENDED = re.compile(r"ended (\d+) (\d+)")


@dataclass(frozen=True, kw_only=True)
class ScriptRun:
    """What became of a test: its status, how many seconds it took, the end of its output."""

    name: str
    ok: bool
    sentence: str
    seconds: float
    output: tuple[str, ...]


def write_tar(tests: Sequence[Script], path: Path) -> None:
    """The scripts, and the one that runs them in their order."""
    with tarfile.open(path, "w") as tar:
        for name, text in (*((f"{number}.sh", test.script) for number, test in enumerate(tests)), ("run", run(tests))):
            content = text.encode()
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            tar.addfile(member, io.BytesIO(content))


def run(tests: Sequence[Script]) -> str:
    return "\n".join(_run(number, test) for number, test in enumerate(tests)) + "\n"


def _run(number: int, test: Script) -> str:
    return (
        f'echo "test {test.name}"; began=$(date +%s); cd /\n'
        f"timeout --kill-after=5 {test.time_limit} sh {FOLDER}/{number}.sh >{FOLDER}/output 2>&1 </dev/null\n"
        f'status=$?; echo; tail -c {OUTPUT_BYTES} {FOLDER}/output | sed "s/^/| /"; echo\n'
        'echo "ended $status $(($(date +%s)-began))"'
    )


def read_runs(lines: Sequence[str], tests: Sequence[Script]) -> list[ScriptRun]:
    """What the machine said of each test; one of which nothing is said has failed."""
    said: dict[str, list[str]] = {}
    current: list[str] = []
    for line in lines:
        if line.startswith("test "):
            current = said.setdefault(line.removeprefix("test "), [])
        else:
            current.append(line)
    return [_read(test, said.get(test.name, [])) for test in tests]


def _read(test: Script, lines: Sequence[str]) -> ScriptRun:
    output = tuple(line[2:] for line in lines if line.startswith("| "))
    ended = next((found for line in lines if (found := ENDED.fullmatch(line))), None)
    if ended is None:
        return ScriptRun(name=test.name, ok=False, sentence="did not end", seconds=0.0, output=output)
    status, seconds = int(ended[1]), float(ended[2])
    how = f"took longer than {test.time_limit} s" if status in TIMED_OUT and seconds >= test.time_limit else (
        f"ended with status {status}")  # fmt: skip
    return ScriptRun(name=test.name, ok=status == 0, sentence="passed" if status == 0 else how, seconds=seconds,
                   output=output)  # fmt: skip
