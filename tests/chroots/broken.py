"""Tiny source packages, each broken in one way, made as files; the tests build them and read what the engine says.

`python tests/chroots/broken.py FOLDER` writes them all, to be built by hand; the excerpts in `logs/` are from that.
"""

from __future__ import annotations

import hashlib
import io
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

MAKEFILE = """all: main.o
	: 'main.c:3:1: error: only shown by make'
	cc -o prog main.o $(LIBS)
main.o: main.c
	cc -c main.c
install:
	install -D prog $(DESTDIR)/usr/bin/prog
check test:
	sh ./tests.sh
clean:
	rm -f prog main.o
"""
WELL = {"Makefile": MAKEFILE, "main.c": "int main(void)\n{\n\treturn 0;\n}\n", "tests.sh": "echo 'ok 1 - it runs'\n"}
BAD_PATCH = """Description: does not apply
--- a/main.c
+++ b/main.c
@@ -1,3 +1,3 @@
 int other(void)
 {
-\treturn 1;
+\treturn 2;
"""
CONFIGURE = """#!/bin/sh
echo 'checking for gcc... gcc'
printf 'conftest.c:9:10: fatal error: bar.h: No such file or directory\\n' > config.log
echo 'checking for libfoo >= 3... no'
echo 'configure: error: Package requirements (libfoo >= 3) were not met' >&2
exit 1
"""
CMAKE = """cmake_minimum_required(VERSION 3.10)
project(broken C)
find_package(Nonsense REQUIRED)
"""
MESON = "project('broken', 'c')\ndependency('nonsense', version: '>= 2')\n"
PYPROJECT = """[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "broken"
version = "1.0"
[tool.setuptools]
py-modules = ["broken"]
"""
ADD = "def add(a, b):\n    return a + b\n"
PYTEST = "from broken import add\n\ndef test_add():\n    assert add(2, 2) == 5\n"
OTHER = "\nPackage: broken-other\nArchitecture: all\nDescription: second\n Of it.\n"
LONG_TESTS = "echo 'main.c:1:2: error: expected by this test'\necho 'PASS: a'\necho 'FAIL: b'\necho 'FAIL: c'\nexit 1\n"


@dataclass(frozen=True, kw_only=True)
class Broken:
    """How a package differs from one that builds."""

    files: Mapping[str, str] = field(default_factory=dict)
    depends: str = "debhelper-compat (= 13)"
    rules: str = ""
    patch: str = ""
    spoiled: bool = False  # its tarball is none
    options: str = ""  # for dh


BROKEN = {
    "unpack": Broken(spoiled=True),
    "patch": Broken(patch=BAD_PATCH),
    "configure": Broken(files={"configure": CONFIGURE}),
    "cmake": Broken(
        files={"CMakeLists.txt": CMAKE}, depends="debhelper-compat (= 13), cmake", options="--buildsystem=cmake"
    ),
    "meson": Broken(
        files={"meson.build": MESON}, depends="debhelper-compat (= 13), meson", options="--buildsystem=meson"
    ),
    "compile": Broken(files={"main.c": "int main(void)\n{\n\treturn x;\n}\n"}),
    "header": Broken(files={"main.c": "#include <nonsense.h>\n"}),
    "link": Broken(files={"main.c": "int other(void);\nint main(void)\n{\n\treturn other();\n}\n"}),
    "library": Broken(rules="override_dh_auto_build:\n\tdh_auto_build -- LIBS=-lnonsense\n"),
    "test": Broken(files={"tests.sh": LONG_TESTS}),
    "pytest": Broken(
        files={"pyproject.toml": PYPROJECT, "broken.py": ADD, "tests/test_broken.py": PYTEST},
        depends="debhelper-compat (= 13), dh-python, python3-all, python3-pytest, python3-setuptools, "
                "pybuild-plugin-pyproject", options="--with python3 --buildsystem=pybuild",
    ),
    "install": Broken(files={"debian/broken-install.install": "usr/bin/prog\nusr/share/nonsense/*\n"}),
    "missing": Broken(
        files={"Makefile": MAKEFILE.replace("install:\n", "install:\n\tinstall -D main.c $(DESTDIR)/usr/x\n"),
               "debian/broken-missing.install": "usr/bin\n", "debian/control.more": OTHER},
    ),
    "rules": Broken(rules="override_dh_auto_install:\n\tcp nonsense debian/\n"),
    "version": Broken(depends="debhelper-compat (= 13), figlet (>= 99)"),
    "conflict": Broken(depends="debhelper-compat (= 13), postfix, exim4-daemon-light"),
    "absent": Broken(depends="debhelper-compat (= 13), libnonsense-dev, figlet"),
}  # fmt: skip


def files(name: str, broken: Broken) -> dict[str, str]:
    """The packed tree, without what makes it broken from outside."""
    control = (f"Source: {name}\nSection: misc\nPriority: optional\nMaintainer: Test Writer <test@example.org>\n"
               f"Standards-Version: 4.7.0\nRules-Requires-Root: no\nBuild-Depends: {broken.depends}\n\n"
               f"Package: {name}\nArchitecture: any\nDepends: ${{shlibs:Depends}}, ${{misc:Depends}}\n"
               f"Description: made for a test\n It is broken.\n")  # fmt: skip
    tree = {
        **({} if "buildsystem" in broken.options else WELL), **broken.files,
        "debian/rules": f"#!/usr/bin/make -f\n%:\n\tdh $@ {broken.options}\n{broken.rules}",
        "debian/changelog": f"{name} (1.0-1) unstable; urgency=low\n\n  * Made for a test.\n\n"
                            " -- Test Writer <test@example.org>  Thu, 01 Jan 2026 00:00:00 +0000\n",
    }  # fmt: skip
    tree["debian/control"] = control + tree.pop("debian/control.more", "")
    return {**tree, "debian/source/format": "3.0 (quilt)\n"}


def packed(tree: Mapping[str, str], top: str) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:xz") as archive:
        for path, text in tree.items():
            member = tarfile.TarInfo(f"{top}{path}")
            member.size, member.mode = len(text.encode()), 0o755 if path in ("debian/rules", "configure") else 0o644
            archive.addfile(member, io.BytesIO(text.encode()))
    return made.getvalue()


def write(folder: Path, kind: str) -> Path:
    """Write the source package of that kind; its .dsc."""
    broken, name = BROKEN[kind], f"broken-{kind}"
    tree = files(name, broken)
    debian = {path: text for path, text in tree.items() if path.startswith("debian/")}
    if broken.patch:
        debian |= {"debian/patches/series": "first.patch\n", "debian/patches/first.patch": broken.patch}
    upstream = {path: text for path, text in tree.items() if path not in debian}
    contents = {
        f"{name}_1.0.orig.tar.xz": b"this is no archive\n" if broken.spoiled else packed(upstream, f"{name}-1.0/"),
        f"{name}_1.0-1.debian.tar.xz": packed(debian, ""),
    }
    listed = [(content, f"{len(content)} {path}\n") for path, content in contents.items()]
    sums = "".join(f" {hashlib.sha256(content).hexdigest()} {line}" for content, line in listed)
    old = "".join(f" {hashlib.md5(content).hexdigest()} {line}" for content, line in listed)
    for path, content in contents.items():
        (folder / path).write_bytes(content)
    dsc = folder / f"{name}_1.0-1.dsc"
    dsc.write_text(f"Format: 3.0 (quilt)\nSource: {name}\nBinary: {name}\nArchitecture: any\nVersion: 1.0-1\n"
                   f"Maintainer: Test Writer <test@example.org>\nBuild-Depends: {broken.depends}\n"
                   f"Checksums-Sha256:\n{sums}Files:\n{old}")  # fmt: skip
    return dsc


if __name__ == "__main__":
    for each in BROKEN:
        print(write(Path(sys.argv[1]), each))
