"""The ISO: its menu, its second initramfs, its installer, which here writes to files as if they were disks."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from composes.pipeline.live import cpio, initramfs, medium, menu, programs
from composes.pipeline.live.pieces import pieces
from composes.pipeline.treefiles import shown, treefile
from composes.pipeline.treefiles.iso import IsoOptions

HOUSE = Path(__file__).parents[2] / "composes/definitions/debian-atomic.yaml"
INSTALLER = initramfs.HERE / "install.sh"
MIB = 1 << 20
# Files stand for disks: what asks the kernel about them is answered from here.
LSBLK = """#!/bin/sh
case "$*" in
    *--inverse*) echo "$MEDIUM" ;;
    *) for disk in "$DISKS"/*; do echo "$disk disk $(stat -c %s "$disk") 0"; done ;;
esac
"""
BLKDISCARD = """#!/bin/sh
dd if=/dev/zero of="$4" bs="$3" count=1 conv=notrunc status=none
"""
BLOCKDEV = """#!/bin/sh
case $1 in --getsize64) stat -c %s "$2" ;; --getro) echo 0 ;; esac
"""


@pytest.fixture
def installer(tmp_path: Path) -> Path:
    """A folder with the installer beside an image of 2 MiB, fake programs in `bin`, disks to be in `disks`."""
    for name in ("bin", "disks"):
        (tmp_path / name).mkdir()
    for name, text in (("lsblk", LSBLK), ("blockdev", BLOCKDEV), ("blkdiscard", BLKDISCARD)):
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "install.sh").write_bytes(INSTALLER.read_bytes())
    (tmp_path / "layout").write_text("root_number=3\nroot_type=ext4\nroot_last=no\ncommit=0d02\n")
    (tmp_path / "disk.raw").write_bytes(b"system" + bytes(2 * MIB - 12) + b"backup")
    (tmp_path / "pieces").write_text("".join(f"{at} {size}\n" for at, size in pieces(tmp_path / "disk.raw")))
    return tmp_path


def installed(folder: Path, wanted: str = "auto", erase: str = "no", medium: str = "") -> tuple[int, str]:
    env = {"PATH": f"{folder}/bin:{os.environ['PATH']}:/usr/sbin:/sbin", "DISKS": str(folder / "disks"),
           "MEDIUM": medium}  # fmt: skip
    done = subprocess.run(["sh", folder / "install.sh", wanted, erase, "/dev/sr0"], env=env, capture_output=True,
                          text=True, check=False)  # fmt: skip
    return done.returncode, (done.stdout + done.stderr).replace(f"{folder}/disks/", "")


def disk(folder: Path, name: str, size: int = 4 * MIB, content: bytes = b"", at: int = 0) -> Path:
    path = folder / "disks" / name
    path.write_bytes(bytes(at) + content + bytes(size - at - len(content)))
    return path


def test_the_only_empty_disk_gets_the_image(installer: Path) -> None:
    full, empty = disk(installer, "full", content=b"diary"), disk(installer, "empty")
    status, said = installed(installer)
    assert status == 0, said
    assert "done: empty holds 0d02, 4 MiB" in said
    assert empty.read_bytes() == (installer / "disk.raw").read_bytes() + bytes(2 * MIB)
    assert full.read_bytes()[:5] == b"diary"


@pytest.mark.parametrize(("wanted", "erase", "sentence"), [
    ("auto", "no", "refused: there is no disk to install to."),
    ("data", "no", "refused: data holds data (something at its beginning); debatomic.erase=yes would overwrite it."),
    ("ext2", "no", "refused: ext2 holds data (ext2); debatomic.erase=yes would overwrite it."),
    ("small", "no", "refused: small is too small: 1 MiB, but the system needs 2 MiB."),
    ("small", "yes", "refused: small is too small: 1 MiB, but the system needs 2 MiB."),
    ("stick", "yes", "refused: stick is what this machine was started from."),
    ("auto", "yes", "refused: several disks could be meant: data ext2. Name one: debatomic.disk=ext2."),
    ("gone", "no", "refused: there is no disk gone."),
    ("", "yes", "refused: there is no disk without a name."),
])  # fmt: skip
def test_a_disk_that_is_not_meant_is_left_alone(installer: Path, wanted: str, erase: str, sentence: str) -> None:
    disk(installer, "data", content=b"x", at=MIB - 1)
    disk(installer, "ext2", content=b"\x53\xef", at=1024 + 56)
    disk(installer, "small", size=MIB)
    stick = disk(installer, "stick")
    before = {path: path.read_bytes() for path in (installer / "disks").iterdir()}
    named = str(installer / "disks" / wanted) if wanted not in ("auto", "") else wanted
    status, said = installed(installer, named, erase, medium=str(stick))
    assert (status, said.splitlines()[-1]) == (1, sentence)
    assert {path: path.read_bytes() for path in before} == before


def test_a_disk_with_data_is_overwritten_when_that_is_said(installer: Path) -> None:
    target = disk(installer, "data", content=b"diary" * 1000)
    status, said = installed(installer, str(target), "yes")
    assert status == 0, said
    assert target.read_bytes()[: 2 * MIB] == (installer / "disk.raw").read_bytes()


def test_pieces_are_what_is_not_zero_wherever_the_file_has_holes(tmp_path: Path) -> None:
    sparse, full = tmp_path / "sparse", tmp_path / "full"
    with sparse.open("wb") as file:
        for at, content in ((5, b"a"), (4 * MIB - 1, b"bc"), (7 * MIB, bytes(100)), (9 * MIB + 9, b"d")):
            file.seek(at)
            file.write(content)
    full.write_bytes(sparse.read_bytes())
    assert list(pieces(sparse)) == [(0, MIB), (3 * MIB, 2 * MIB), (9 * MIB, 10)]
    assert list(pieces(full)) == list(pieces(sparse))


def test_a_long_piece_is_parted(tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(b"x" * (3 * MIB))
    assert list(pieces(tmp_path / "image", longest=2 * MIB)) == [(0, 2 * MIB), (2 * MIB, MIB)]


def test_the_menu_starts_what_the_treefile_says(tmp_path: Path) -> None:
    (tmp_path / "house.yaml").write_text(
        "suite: trixie\narchitectures: {amd64: {}}\nvariants: {small: {}}\n"
        "image: {formats: [iso], iso: {start: install, disk: /dev/sda, erase: yes, then: reboot}}\n"
    )  # fmt: skip
    tree = treefile.resolve(treefile.load(tmp_path / "house.yaml"), "small", "amd64")
    arguments = menu.arguments(
        "root=UUID=1 rootflags=subvol=x rw quiet ostree=/ostree/boot.1/debian/1/0", "DEBATOMIC_1"
    )
    text = menu.configuration(tree, "13.20261121.0", arguments)
    assert "set default=install\n" in text
    masked = "systemd.mask=efi.automount systemd.mask=efi.mount"
    told = "debatomic.start=install debatomic.disk=/dev/sda debatomic.then=reboot debatomic.erase=yes"
    assert (
        f"  linux /boot/vmlinuz root=LABEL=DEBATOMIC_1 rw quiet ostree=/ostree/boot.1/debian/1/0 {masked} {told}\n"
        in text
    )
    assert "menuentry 'house small 13.20261121.0: install overwriting /dev/sda, then restart'" in text


def test_by_default_nothing_is_installed_that_was_not_chosen() -> None:
    tree = treefile.resolve(treefile.load(HOUSE), "minimal", "amd64")
    text = menu.configuration(tree, "1", [])
    assert "set default=live\n" in text
    assert "erase" not in text


def test_what_the_iso_does_is_a_difference_of_its_own() -> None:
    tree = treefile.resolve(treefile.load(HOUSE), "minimal", "amd64")
    installing = replace(tree.image, iso=IsoOptions(start="install", erase=True))
    assert list(shown.differences(tree, replace(tree, image=installing))) == [
        "image.iso.start: live → install", "image.iso.erase: no → yes"]  # fmt: skip


def test_the_second_initramfs_is_what_cpio_reads(tmp_path: Path) -> None:
    packed = cpio.archive([cpio.program("usr/lib/own/run", b"#!/bin/sh\n"), cpio.link("etc/run", "../usr/lib/own/run")])
    assert len(packed) % 4 == 0
    assert packed.count(b"070701") == 7, "four folders, two members, the end"
    assert packed == cpio.archive([cpio.link("etc/run", "../usr/lib/own/run"),
                                   cpio.program("usr/lib/own/run", b"#!/bin/sh\n")])  # fmt: skip
    assert packed.index(b"usr/lib/own\0") < packed.index(b"usr/lib/own/run\0")


def test_libraries_are_read_from_ldd() -> None:
    text = ("\tlinux-vdso.so.1 (0x00007f)\n\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)\n"
            "\t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n")  # fmt: skip
    assert programs.libraries(text) == ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"]


@pytest.mark.parametrize(("firmware", "has", "lacks"), [
    (("bios",), "--grub2-mbr", "-append_partition"), (("uefi",), "-append_partition", "--grub2-mbr"),
])  # fmt: skip
def test_the_medium_starts_by_the_firmware_of_the_treefile(
    tmp_path: Path, firmware: tuple[str, ...], has: str, lacks: str
) -> None:
    command = medium.xorriso("L", tmp_path / "in", tmp_path / "out.iso", esp=tmp_path / "esp", firmware=firmware,
                             date=1753000000, seed="0d02")  # fmt: skip
    assert has in command
    assert lacks not in command
    assert "--modification-date=2025072008264000" in command
