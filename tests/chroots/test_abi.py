"""The interfaces of libraries: what abidiff's exit status and words mean, and which packages are looked at."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from chroots.engine.checking import abi, kinds
from debatomic.tools.errors import ToolError

REMOVED = """Functions changes summary: 1 Removed, 0 Changed, 1 Added functions
Variables changes summary: 0 Removed, 0 Changed, 0 Added variable

1 Added function:

  [A] 'function int more()'    {more}

1 Removed function:

  [D] 'function int less()'    {less}
"""
ADDED = REMOVED.replace("1 Removed", "0 Removed")


@pytest.mark.parametrize(
    "output, verdict, summary",
    [
        ("", "pass", "There are no shared libraries."),
        ("@@ liba.so.1 0\n", "pass",
         "Since 1: 0 functions and variables removed, 0 changed, 0 added, in 1 libraries."),
        (f"@@ liba.so.1 4\n{ADDED}@@ libb.so.1 new\n", "pass",
         "Since 1: 0 functions and variables removed, 0 changed, 1 added, in 2 libraries."),
        ("@@ liba.so.1 4\nsome type\n", "warn",
         "Since 1: 0 functions and variables removed, 0 changed, 0 added, in 1 libraries."),
        ("@@ liba.so.1 0\n@@ libb.so.1 gone\n", "warn",
         "Since 1: 0 functions and variables removed, 0 changed, 0 added, in 2 libraries."),
        (f"@@ liba.so.1 0\n@@ libb.so.1 12\n{REMOVED}", "fail",
         "Since 1: 1 functions and variables removed, 0 changed, 1 added, in 2 libraries."),
    ],
)  # fmt: skip
def test_abidiff(output: str, verdict: str, summary: str) -> None:
    found = abi.judged(abi.compared(output), "1")
    assert (found.verdict, found.summary) == (verdict, summary)
    if verdict == "fail":
        assert list(found.lines) == ["libb.so.1: [D] 'function int less()'    {less}",
                                     "libb.so.1: [A] 'function int more()'    {more}"]  # fmt: skip


def test_a_library_that_cannot_be_read_says_nothing_of_the_package() -> None:
    with pytest.raises(ToolError, match=r"abidiff cannot compare liba\.so\.1: its exit status is 1"):
        abi.judged(abi.compared("@@ liba.so.1 1\nno ELF\n"), "1")


def package(path: Path, fields: str, name: str) -> Path:
    """A package file with this control file, and one file of this name."""
    members = {"debian-binary": b"2.0\n"}
    for part, file, content in (("control.tar.gz", "./control", fields.encode()), ("data.tar.gz", name, b"")):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as tar:
            member = tarfile.TarInfo(file)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        members[part] = packed.getvalue()
    with path.open("wb") as to:
        to.write(b"!<arch>\n")
        for part, content in members.items():
            to.write(f"{part:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode())
            to.write(content + b"\n" * (len(content) % 2))
    return path


@pytest.mark.parametrize(
    "file, fields, content, debugging",
    [
        ("a-dbgsym_1_amd64.deb", "", "./usr/lib/liba.so.1", False),
        ("a_1_amd64.deb", "Auto-Built-Package: debug-symbols\n", "./usr/lib/debug/.build-id/aa/b.debug", True),
        ("a_1_amd64.deb", "Auto-Built-Package: debug-symbols\n", "./usr/bin/a", False),
    ],
)
def test_a_package_is_of_debugging_symbols_by_what_is_in_it(
    file: str, fields: str, content: str, debugging: bool, tmp_path: Path
) -> None:
    deb = package(tmp_path / file, f"Package: a\nVersion: 1\n{fields}", content)
    assert kinds.is_debugging(deb) is debugging
