"""Why tasks fail: the word that is stored and filtered by, and what it means for people.

The words are the engine's classes of failed builds (docs/engine.md) and, where no program told one, the failure's kind.
"""

from __future__ import annotations

from typing import Final

CAUSES: Final = {
    "source": "What was submitted is no such source package, or not the one that was meant.",
    "chroot": "What it is built in cannot be made: its definition, a key or its archive.",
    "dep-wait": "Build dependencies are missing or too old (dep-wait).",
    "unpack": "The source package cannot be unpacked.",
    "patch": "A patch of the source package does not apply.",
    "configure": "The package cannot be configured.",
    "compile": "It does not compile or link.",
    "test": "The package's own tests fail.",
    "install": "The packages cannot be put together.",
    "lintian": "A check after the build says no.",
    "build": "The program that was run said no.",
    "timeout": "The time limit ran out.",
    "silence": "Nothing was written for too long.",
    "killed": "It was killed.",
    "disk": "The disk or the limit on disk space is full.",
    "input": "Something that was asked for is wrong or missing.",
    "infrastructure": "A fault of network, host or hub: another attempt may succeed.",
    "internal": "A fault of DebAtomic itself; please report it.",
}
CHOICES = [(cause, cause) for cause in CAUSES]
