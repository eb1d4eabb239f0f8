"""Definitions, control files, mirrors, options: what is understood, and what is said where it is not."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest

from chroots.engine.archives.dsc import listed_files, parse_dsc, require_expected, verify
from chroots.engine.archives.mirror import default_mirror
from chroots.engine.commands.building import build_spec
from chroots.engine.commands.main import parser
from chroots.engine.commands.options import size
from chroots.engine.spec import BuildType, ChrootSpec
from chroots.engine.state import State
from debatomic.tools.errors import InputError

MakeSource = Callable[..., Path]


def test_chroots_of_equal_recipe_share_a_base() -> None:
    one = ChrootSpec(name="one", suite="trixie", architecture="amd64", packages=("a", "b"))
    two = ChrootSpec(name="two", suite="trixie", architecture="amd64", packages=("b", "a"), refresh_after=1)
    other = ChrootSpec(name="one", suite="trixie", architecture="amd64", packages=("a",))
    assert one.key == two.key != other.key
    assert one.key.startswith("trixie-amd64-buildd-")


LIST = "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://m.example.org/debian/ trixie main # x\n"
SOURCES = """Types: deb deb-src
# comment
URIs: http://s.example.org/debian
Suites: bookworm bookworm-updates
Components: main
"""


@pytest.mark.parametrize(
    "files, mirror",
    [
        ({}, "http://deb.debian.org/debian"),
        ({"sources.list": LIST}, "http://m.example.org/debian"),
        ({"sources.list.d/debian.sources": SOURCES}, "http://s.example.org/debian"),
        ({"sources.list": "# deb http://old.example.org/debian sid main\n", "sources.list.d/a.sources": SOURCES},
         "http://s.example.org/debian"),
        ({"sources.list.d/a.sources": SOURCES + "Enabled: no\n"}, "http://deb.debian.org/debian"),
        ({"sources.list.d/a.sources": SOURCES.replace("bookworm ", "noble ").replace("bookworm-u", "noble-u")},
         "http://deb.debian.org/debian"),
        ({"sources.list": "deb http://security.example.org/debian-security trixie-security main\n" + LIST},
         "http://m.example.org/debian"),
        ({"sources.list": "deb [arch=amd64 signed-by=/k/other.gpg] http://o.example.org/x trixie main\n" + LIST},
         "http://m.example.org/debian"),
        ({"sources.list": "deb cdrom:[Debian]/ trixie main\n" + LIST}, "http://m.example.org/debian"),
        ({"sources.list.d/a.sources": SOURCES.replace("http://s.example.org/debian", "mirror+file:{apt}/mirrors")
          , "mirrors": "# mirrors\nhttps://cloud.example.org/debian\n"}, "https://cloud.example.org/debian"),
    ],
)  # fmt: skip
def test_the_mirror_is_the_one_apt_uses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], mirror: str
) -> None:
    monkeypatch.delenv("DEBATOMIC_MIRROR", raising=False)
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.replace("{apt}", str(tmp_path)))
    assert default_mirror(tmp_path) == mirror


def test_the_environment_overrides_the_mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBATOMIC_MIRROR", "http://mine.example.org/debian/")
    assert default_mirror(tmp_path) == "http://mine.example.org/debian"


def test_a_dsc_is_read(source_package: MakeSource) -> None:
    dsc = parse_dsc(source_package("tiny-test", depends="debhelper (>= 9),\n cowsay"))
    assert (dsc.name, dsc.version, dsc.upstream_version, dsc.architectures) == ("tiny-test", "1.0", "1.0", ("all",))
    assert list(dsc.files) == ["tiny-test_1.0.tar.xz"]
    assert dsc.build_fields == {"Build-Depends": "debhelper (>= 9), cowsay"}
    verify(dsc.files, dsc.path.parent, dsc.path.name)


@pytest.mark.parametrize(
    "version, upstream", [("1.0", "1.0"), ("1:2.3-4", "2.3"), ("1-2-3", "1-2"), ("2:1~rc1-0.1", "1~rc1")]
)
def test_the_upstream_version(source_package: MakeSource, version: str, upstream: str) -> None:
    path = source_package("tiny-test")
    path.write_text(path.read_text().replace("Version: 1.0", f"Version: {version}"))
    assert parse_dsc(path).upstream_version == upstream


@pytest.mark.parametrize(
    "old, new, sentence",
    [
        ("Source: tiny-test", "X: y", "has no field Source"),
        ("Source: tiny-test", "Source: ../../etc", "names a source package '../../etc'"),
        ("Version: 1.0", "Version: 1/../0", "has the version '1/../0'"),
        ("Checksums-Sha256:", "Checksums-Sha512:", "has no field Checksums-Sha256"),
        (" tiny-test_1.0.tar.xz\nFiles", " ../tiny_1.0.tar.xz\nFiles", "lists a file named '../tiny_1.0.tar.xz'"),
        (" tiny-test_1.0.tar.xz\nFiles", " /etc/passwd\nFiles", "lists a file named '/etc/passwd'"),
        (" tiny-test_1.0.tar.xz\nFiles", " .hidden\nFiles", "lists a file named '.hidden'"),
        ("Checksums-Sha256:\n ", "Checksums-Sha256:\n zz", "has a line in Checksums-Sha256 that cannot be read"),
    ],
)
def test_a_dsc_that_lies_is_refused(source_package: MakeSource, old: str, new: str, sentence: str) -> None:
    path = source_package("tiny-test")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError) as error:
        parse_dsc(path)
    assert sentence in str(error.value)


@pytest.mark.parametrize("content", [b"", b"\0\xff\0", b"just words"])
def test_what_is_no_dsc_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.dsc").write_bytes(content)
    with pytest.raises(InputError):
        parse_dsc(tmp_path / "x.dsc")


def test_a_file_listed_twice_is_refused() -> None:
    line = f"{'0' * 64} 1 a.tar.xz"
    with pytest.raises(InputError, match=r"x.dsc lists a.tar.xz twice."):
        listed_files({"Checksums-Sha256": f"\n {line}\n {line}"}, "x.dsc")


@pytest.mark.parametrize(
    "change, sentence",
    [
        (lambda path: path.unlink(), "lists tiny-test_1.0.tar.xz, but that file is missing."),
        (lambda path: path.write_bytes(path.read_bytes() + b"x"), "tiny-test_1.0.tar.xz is altered: it has"),
        (lambda path: path.write_bytes(bytes(path.stat().st_size)), "tiny-test_1.0.tar.xz is altered: its SHA-256 is"),
        (lambda path: (path.rename(path.with_suffix(".o")), path.symlink_to(path.with_suffix(".o"))), "is missing"),
    ],
)
def test_a_missing_or_altered_file_is_refused_by_name(
    source_package: MakeSource, change: Callable[[Path], object], sentence: str
) -> None:
    dsc = parse_dsc(source_package("tiny-test"))
    change(dsc.path.parent / "tiny-test_1.0.tar.xz")
    with pytest.raises(InputError) as error:
        verify(dsc.files, dsc.path.parent, dsc.path.name)
    assert sentence in str(error.value)


def test_only_what_was_submitted_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "a.dsc"
    path.write_text("a")
    right = {"a.dsc": "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"}
    require_expected({"a.dsc": path}, right)
    for expected, sentence in (
        ({"a.dsc": "0"}, "changed since"),
        ({}, "was not part"),
        ({**right, "b": ""}, "b was part"),
    ):
        with pytest.raises(InputError, match=sentence):
            require_expected({"a.dsc": path}, expected)


@pytest.mark.parametrize(
    "text, number", [("512M", 512 << 20), ("4G", 4 << 30), ("4GiB", 4 << 30), ("1000", 1000), ("1k", 1024)]
)
def test_sizes(text: str, number: int) -> None:
    assert size(text) == number


@pytest.mark.parametrize("text", ["", "0", "-1", "4X", "G", "1.5G"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        size(text)


def test_options_become_a_build(tmp_path: Path) -> None:
    options = parser().parse_args(
        ["build", "figlet", "--chroot", "trixie-amd64", "--output", str(tmp_path), "--build", "any",
         "--time-limit", "9",
         "--memory", "1G", "--profiles", "nodoc,nocheck", "--mirror", "http://x.example.org/"]
    )  # fmt: skip
    spec = build_spec(options)
    assert (spec.build_type, spec.build_type.option, spec.profiles) == (BuildType.ANY, "-B", ("nodoc", "nocheck"))
    assert (spec.limits.time_limit, spec.limits.memory, spec.chroot.mirror) == (9.0, 1 << 30, "http://x.example.org")


@pytest.mark.parametrize("path", ["/a:b", "/a,b", "/a\\b", "/a'b"])
def test_a_state_folder_that_mount_does_not_take_is_refused(path: str) -> None:
    with pytest.raises(InputError, match="character in its name"):
        State(Path(path))
