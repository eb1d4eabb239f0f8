"""`make test`: every check in groups, the fast ones first; the first group that fails ends it.

usage: scripts/check.py [GROUP...]      (all groups without a name; GROUPS="style quick" with make)
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
PYTHON = sys.executable
MANAGE = [PYTHON, "manage.py"]
PYTEST = [PYTHON, "-m", "pytest"]
WITH_POSTGRES = [PYTHON, "scripts/with_postgres.py"]
# What uses no database is not run with the second one (tests/conftest.py marks what does).
ONCE_MORE = ["-m", "(database or postgres) and not integration and not browser"]
INTEGRATION = ["-n", "0", "-m", "integration", "-v", "--timeout=900"]
# What does not depend on the database, and takes long.
SAME_ANYWHERE = [f"--ignore-glob=*test_{name}*" for name in ("composes", "chroots", "scaling", "bucket")]

GROUPS: dict[str, list[list[str]]] = {
    "style": [[str(BIN / "ruff"), "check"], [str(BIN / "ruff"), "format", "--check"]],
    "layers": [[str(BIN / "lint-imports"), "--no-logo"]],
    "models": [
        [*MANAGE, "makemigrations", "--check", "--dry-run"],
        [*MANAGE, "check", "--deploy", "--fail-level", "WARNING"],
    ],
    "types": [[str(BIN / "mypy"), "."]],
    "quick": [PYTEST],
    "postgres": [[*WITH_POSTGRES, *PYTEST, *ONCE_MORE]],
    "browser": [[*PYTEST, "-n", "0", "-m", "browser", "--durations=5"]],
    "integration": [
        [*PYTEST, *INTEGRATION, "--durations=10"],
        [*WITH_POSTGRES, *PYTEST, *INTEGRATION, "tests/hub", "tests/main_job", *SAME_ANYWHERE],
    ],
}  # fmt: skip


def environment(group: str, home: Path) -> dict[str, str]:
    """What the checks see: a state folder of their own, and nothing that a developer's shell sets for DebAtomic."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("DEBATOMIC_")}
    mine.pop("DATABASE_URL", None)
    mine.pop("PYTHONDONTWRITEBYTECODE", None)  # hundreds of processes start here: each would compile everything again
    mine |= {"DEBATOMIC_HOME": str(home), "DJANGO_SETTINGS_MODULE": "debatomic.settings", "PYTHONUNBUFFERED": "1"}
    if group == "models":
        mine["DEBATOMIC_ADDRESS"] = "https://debatomic.example.org"
    if group == "browser":
        mine["DEBATOMIC_TEST_DATABASE"] = str(home / "browser.db")  # a live server's thread needs a file
    return mine


def run_group(name: str) -> bool:
    """Run the commands of a group until one fails; tells whether all passed, and how long it took."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="debatomic-check-") as home:
        for command in GROUPS[name]:
            print(
                f"── {name}: {' '.join(Path(word).name if word == command[0] else word for word in command)}",
                flush=True,
            )
            status = subprocess.run(
                command, cwd=TOP, env=environment(name, Path(home)), stdin=subprocess.DEVNULL, check=False
            ).returncode
            if status:
                print(f"── {name}: failed (status {status}) after {time.monotonic() - started:.0f} s. "
                      f'Again, alone: make test GROUPS="{name}"', flush=True)  # fmt: skip
                return False
    print(f"── {name}: passed in {time.monotonic() - started:.0f} s", flush=True)
    return True


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in GROUPS]
    if unknown:
        print(f"No group is named {unknown[0]}. The groups are: {', '.join(GROUPS)}.", file=sys.stderr)
        return 2
    started = time.monotonic()
    for name in names or GROUPS:
        if not run_group(name):
            return 1
    print(f"── everything passed in {time.monotonic() - started:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
