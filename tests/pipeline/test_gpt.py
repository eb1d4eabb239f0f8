"""The disk's arithmetic, and the blocks a BIOS starts from."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from composes.pipeline.system import gpt, grub
from composes.pipeline.system.gpt import MIB
from debatomic.tools.errors import InputError


def disk(size: int, needed: int = 400 * MIB) -> gpt.Layout:
    return gpt.layout(size, needed, architecture="amd64", seed="commit")


def test_partitions_lie_one_after_the_other_and_leave_room_for_both_tables() -> None:
    layout = disk(3072 * MIB)
    assert (layout.bios.start, layout.esp.start, layout.root.start) == (MIB, 2 * MIB, 258 * MIB)
    assert layout.root.start + layout.root.size == layout.size - MIB
    assert layout.size == 3072 * MIB


def test_without_a_size_the_disk_holds_two_deployments() -> None:
    layout = disk(0)
    assert layout.root.size == (2 * 400 + 512) * MIB
    assert layout.size == layout.root.size + 259 * MIB


@pytest.mark.parametrize(("size", "fits"), [(658, False), (659, True)])
def test_a_disk_that_is_too_small_is_refused_with_the_least_that_would_do(size: int, fits: bool) -> None:
    if fits:
        assert disk(size * MIB).root.size == 400 * MIB
    else:
        with pytest.raises(InputError, match=r"image\.size is too small: 658M, but this system needs at least 659M"):
            disk(size * MIB)


@pytest.mark.parametrize(("content", "files", "least"), [(0, 0, 96), (400 * MIB, 10_000, 526), (MIB, 1, 98)])
def test_what_a_root_needs(content: int, files: int, least: int) -> None:
    assert gpt.root_bytes_needed(content, files) == least * MIB


def test_sfdisk_is_told_sectors_and_fixed_names() -> None:
    lines = disk(3072 * MIB).script.splitlines()
    assert lines[0] == "label: gpt"
    assert lines[3].startswith("start=2048, size=2048, type=21686148-6449-6E6F-744E-656564454649, uuid=")
    assert lines[5].endswith("name=root")
    assert "start=528384, " in lines[5]


def test_the_same_commit_gives_the_same_disk_and_another_does_not() -> None:
    other = gpt.layout(3072 * MIB, 400 * MIB, architecture="amd64", seed="other")
    assert disk(3072 * MIB) == disk(3072 * MIB)
    assert other.root_uuid != disk(3072 * MIB).root_uuid
    assert len({each.uuid for each in (other.bios, other.esp, other.root)}) == 3


def test_the_blocks_for_a_bios_are_patched_where_grub_looks() -> None:
    mbr = bytes(range(256)) * 2
    boot, core = grub.bios_blocks(b"\xeb" * 512, b"\x11" * 1024, mbr, 2048)
    assert struct.unpack_from("<Q", boot, 0x5C) == (2048,)
    assert boot[0x66:0x68] == b"\x90\x90"
    assert (boot[0x3:0x5A], boot[0x1B8:]) == (mbr[0x3:0x5A], mbr[0x1B8:])
    assert boot[0:3] == b"\xeb" * 3
    assert struct.unpack_from("<Q", core, 0x1F4) == (2049,)
    assert core[:0x1F4] == b"\x11" * 0x1F4


def test_grub_for_a_bios_is_written_into_its_partition(tmp_path: Path) -> None:
    layout = disk(3072 * MIB)
    image, boot, core = tmp_path / "disk", tmp_path / "boot.img", tmp_path / "core.img"
    image.write_bytes(b"\0" * 3 * MIB)
    boot.write_bytes(b"\xaa" * 512)
    core.write_bytes(b"\xbb" * 5000)
    grub.install_bios(image, layout, boot=boot, core=core)
    content = image.read_bytes()
    assert len(content) == 3 * MIB
    assert content[MIB : MIB + 100] == b"\xbb" * 100
    assert content[MIB + 5000] == 0


def test_grub_has_the_module_that_reads_the_menu_of_libostree() -> None:
    command = grub.mkimage_command("bios", Path("/e.cfg"), Path("/o"))
    assert {"syslinuxcfg", "linux16", "biosdisk"} <= set(command)
    assert "biosdisk" not in grub.mkimage_command("uefi", Path("/e.cfg"), Path("/o"))
