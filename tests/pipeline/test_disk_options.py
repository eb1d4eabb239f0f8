"""Boot loader, file system and first boot of a disk: what a treefile may say, and what the tree gets for it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from composes.pipeline.machines import first_boot as asked
from composes.pipeline.system import first_boot, gpt, grub, layout, systemd_boot
from composes.pipeline.treefiles import treefile
from debatomic.tools.errors import InputError

HEAD = "name: house\nsuite: trixie\narchitectures: {amd64: {}}\nvariants: {minimal: {}}\n"


def tree_of(folder: Path, text: str) -> treefile.Tree:
    path = folder / "house.yaml"
    path.write_text(HEAD + text)
    return treefile.resolve(treefile.load(path), "minimal", "amd64")


def test_without_a_word_a_disk_is_ext4_with_grub_and_nobody_asks_at_first_boot(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, "")
    assert (tree.image.filesystem, tree.image.bootloader, tree.first_boot) == ("ext4", "grub", "none")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("image: {filesystem: ext3}\n", r"house.yaml:5: filesystem can be ext4, xfs or btrfs, not ext3; .* ext4"),
        ("image: {bootloader: systemd_boot}\n", r"house.yaml:5: bootloader can be grub or systemd-boot.*did you mean"),
        ("image: {bootloader: systemd-boot}\n", r"house.yaml:5: systemd-boot is started by UEFI only"),
        ("first-boot: cloudinit\n", r"house.yaml:5: first-boot can be none, cloud-init or systemd-firstboot"),
    ],
)
def test_a_mistake_is_told_with_its_line(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        tree_of(tmp_path, text)


def test_the_least_size_counts_the_partition_that_holds_the_kernels(tmp_path: Path) -> None:
    text = "image: {bootloader: systemd-boot, firmware: [uefi]}\n"
    text += "customizations: {filesystem: [{mountpoint: /, minsize: 4 GiB}]}\n"
    assert tree_of(tmp_path, text).image.size == gpt.disk_bytes(4 << 30, gpt.KERNELS_BYTES)


def test_grub_reads_the_file_system_of_the_root() -> None:
    core = grub.mkimage_command("bios", Path("a"), Path("b"), "btrfs")
    assert "btrfs" in core and "ext2" not in core and "biosdisk" in core


def test_a_tree_without_the_program_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cloud-init needs the package cloud-init"):
        first_boot.prepare(tmp_path, "cloud-init")
    with pytest.raises(InputError, match="systemd-boot needs the package systemd-boot-efi"):
        systemd_boot.prepare(tmp_path, "systemd-boot")


def test_a_tree_for_systemd_boot_brings_its_menu_over_by_itself(tmp_path: Path) -> None:
    (tmp_path / systemd_boot.PROGRAM).parent.mkdir(parents=True)
    (tmp_path / systemd_boot.PROGRAM).write_bytes(b"loader")
    systemd_boot.prepare(tmp_path, "systemd-boot")
    wanted = tmp_path / systemd_boot.UNITS / "multi-user.target.wants"
    assert [path.resolve().is_file() for path in sorted(wanted.iterdir())] == [True, True]
    for script in (systemd_boot.SYNC, systemd_boot.DEVICE, systemd_boot.LINK):
        subprocess.run(["sh", "-n", tmp_path / script], check=True)


@pytest.mark.parametrize(("written", "options"), [(True, "umask=0077\n"), (False, "umask=0077,ro\n")])
def test_the_partition_is_written_to_only_where_the_machine_keeps_its_menu(written: bool, options: str) -> None:
    assert layout.EFI_MOUNT.format(more="" if written else ",ro").endswith(f"Options={options}")


def test_what_the_machine_of_the_gate_is_told_must_be_found_there() -> None:
    assert asked.missing("cloud-init", (f"host {asked.HOST}",)) == [f"user {asked.USER}"]
    assert asked.missing("none", ()) == []


class Menu:
    """A sysroot with the menu that libostree writes, and the partition."""

    def __init__(self, folder: Path) -> None:
        self.sysroot, self.esp, self.loader = folder / "sysroot", folder / "esp", folder / "loader.efi"
        self.loader.write_text("loader 1")
        self.esp.mkdir()

    def write(self, version: int, *deployments: str) -> None:
        """The default first."""
        boot = self.sysroot / "boot"
        entries = boot / f"loader.{version}/entries"
        entries.mkdir(parents=True)
        for number, word in enumerate(reversed(deployments), start=1):
            kernel = boot / f"ostree/debian-{word}/vmlinuz-6.12"
            kernel.parent.mkdir(parents=True, exist_ok=True)
            kernel.write_text(f"kernel {word}")
            kernel.with_name("initramfs-6.12.img").write_text(f"initramfs {word}")
            place = f"/boot/ostree/debian-{word}"
            (entries / f"ostree-{number}.conf").write_text(
                f"title {word}\nversion {number}\noptions root=x ostree=/ostree/boot.{version}/debian/{word}/0\n"
                f"linux {place}/vmlinuz-6.12\ninitrd {place}/initramfs-6.12.img\naboot {place}/aboot.img\n"
            )
        (boot / "loader").unlink(missing_ok=True)
        (boot / "loader").symlink_to(f"loader.{version}")

    def forget(self, word: str) -> None:
        for path in (self.sysroot / f"boot/ostree/debian-{word}").iterdir():
            path.unlink()
        (self.sysroot / f"boot/ostree/debian-{word}").rmdir()

    def sync(self) -> subprocess.CompletedProcess[str]:
        script = Path(systemd_boot.__file__).with_name("esp-sync.sh")
        return subprocess.run(["sh", script, self.sysroot, self.esp, self.loader], text=True, capture_output=True,
                              check=False)  # fmt: skip

    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.esp)) for path in self.esp.rglob("*") if path.is_file())


def test_the_partition_gets_what_boots_and_loses_what_does_not(tmp_path: Path) -> None:
    menu = Menu(tmp_path)
    menu.write(1, "aaaa")
    assert menu.sync().returncode == 0
    assert menu.files() == [
        "EFI/BOOT/BOOTX64.EFI", "EFI/systemd/systemd-bootx64.efi", "loader/entries/ostree-1.conf",
        "loader/loader.conf", "ostree/debian-aaaa/initramfs-6.12.img", "ostree/debian-aaaa/vmlinuz-6.12",
    ]  # fmt: skip
    entry = (menu.esp / "loader/entries/ostree-1.conf").read_text()
    assert entry == (
        "title aaaa\nversion 1\noptions root=x ostree=/ostree/boot.1/debian/aaaa/0\n"
        "linux /ostree/debian-aaaa/vmlinuz-6.12\ninitrd /ostree/debian-aaaa/initramfs-6.12.img\n"
    )
    menu.write(0, "bbbb", "aaaa")
    menu.loader.write_text("loader 2")
    assert menu.sync().returncode == 0
    assert "bbbb" in (menu.esp / "loader/entries/ostree-2.conf").read_text()
    assert (menu.esp / "EFI/BOOT/BOOTX64.EFI").read_text() == "loader 2"
    menu.write(2, "cccc", "bbbb")
    menu.forget("aaaa")
    assert menu.sync().returncode == 0
    assert [name for name in menu.files() if "aaaa" in name] == []
    assert (menu.esp / "ostree/debian-cccc/vmlinuz-6.12").read_text() == "kernel cccc"
    menu.write(3, "cccc")
    assert menu.sync().returncode == 0
    assert [name for name in menu.files() if "entries" in name] == ["loader/entries/ostree-1.conf"]


def test_without_a_menu_the_partition_stays_as_it_is(tmp_path: Path) -> None:
    menu = Menu(tmp_path)
    menu.write(1, "aaaa")
    menu.sync()
    before = menu.files()
    (menu.sysroot / "boot/loader").unlink()
    ended = menu.sync()
    assert ended.returncode == 1
    assert "There is no boot entry in" in ended.stderr
    assert menu.files() == before


@pytest.mark.parametrize(
    ("path", "has", "linked"),
    [
        ("/ostree/boot.1/debian/aaaa/0", "boot.0", "boot.1"), ("/ostree/boot.0/debian/aaaa/0", "boot.1", "boot.0"),
        ("/ostree/boot.1/debian/aaaa/0", "boot.1", ""), ("/elsewhere", "boot.0", ""),
    ],
)  # fmt: skip
def test_an_older_menu_still_finds_its_deployment(path: str, has: str, linked: str, tmp_path: Path) -> None:
    (tmp_path / "ostree" / has / "debian/aaaa").mkdir(parents=True)
    (tmp_path / "cmdline").write_text(f"root=x ostree={path} quiet\n")
    script = Path(systemd_boot.__file__).with_name("menu-link.sh")
    subprocess.run(["sh", script, tmp_path, tmp_path / "cmdline"], check=True)
    links = [each.name for each in (tmp_path / "ostree").iterdir() if each.is_symlink()]
    assert links == ([linked] if linked else [])
    assert not linked or (tmp_path / path.lstrip("/")).parent.is_dir()
