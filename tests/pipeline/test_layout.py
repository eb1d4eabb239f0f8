"""From an installed tree to one that OSTree deploys; and what lint says of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from composes.pipeline.system import layout
from composes.pipeline.system.inside import inside
from composes.pipeline.system.lint import lint
from debatomic.tools import yaml_texts
from debatomic.tools.errors import InputError, Kind, ToolError

KERNEL = "6.12.0-amd64"
FILES = {
    f"boot/vmlinuz-{KERNEL}": "kernel", f"boot/config-{KERNEL}": "config", f"boot/System.map-{KERNEL}": "map",
    f"usr/lib/modules/{KERNEL}/modules.dep": "", f"usr/lib/modules/{KERNEL}/initramfs.img": "i" * (1 << 20),
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\n_apt:x:42:65534:A,,,:/nonexistent:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\n_ssh:x:101:\n", "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "etc/hostname": "builder\n", "etc/fstab": "# UNCONFIGURED\n", "etc/passwd-": "old\n",
    "etc/default/useradd": "# HOME=/home\nSHELL=/bin/sh\n", "etc/ssh/ssh_host_rsa_key": "secret",
    "etc/ssh/sshd_config": "Port 22\n", "etc/apt/sources.list": "deb [trusted=yes] copy:/build ./\n",
    "usr/lib/sysusers.d/basic.conf": "g root 0 -\nu root 0:0 \"Super User\" /root\n",
    "usr/lib/tmpfiles.d/home.conf": "Q /home 0755 - - -\nq /srv 0755 - - -\nd /homer 0755\n",
    "usr/lib/tmpfiles.d/var.conf": "d /var/log 0755 - - -\n",
    "var/lib/dpkg/status": "Package: apt\n", "var/lib/dpkg/status-old": "old", "var/lib/dpkg/lock": "",
    "var/lib/pam/seen": "x", "var/cache/debconf/config.dat": "c", "var/cache/debconf/config.dat-old": "o",
    "var/lib/systemd/deb-systemd-helper-enabled/ssh.service.dsh-also": "x", "var/lib/apt/extended_states": "e",
    "var/log/dpkg.log": "log", "home/.keep": "", "opt/.keep": "", "usr/local/bin/.keep": "",
    "tmp/left": "", "run/left": "",
}  # fmt: skip
OPTIONS = layout.LayoutOptions(kargs=("quiet", "console=tty0"), bootc_architecture="x86_64", apt_sources="Types: deb\n")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small tree with one of everything that must change."""
    top = tmp_path / "root"
    for name, text in FILES.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text)
    for name in ("proc", "sys", "dev", "root", "srv", "mnt", "media", "var/spool"):
        (top / name).mkdir()
    (top / "var/spool").chmod(0o2755)
    (top / "var/mail").symlink_to("spool/mail")
    (top / "usr/lib/ostree").mkdir()
    (top / "usr/lib/ostree/prepare-root.conf").write_text(layout.PREPARE_ROOT.format(composefs="maybe"))
    return top


def test_a_tree_is_laid_out_so_that_lint_finds_nothing(root: Path) -> None:
    dropped = layout.transform(root, OPTIONS)
    assert [(each.rule, each.details) for each in lint(root)] == []
    assert dropped == ["/var/log/dpkg.log (3 bytes)"]


def test_the_kernel_lies_beside_its_modules_and_boot_is_empty(root: Path) -> None:
    layout.transform(root, OPTIONS)
    assert (root / f"usr/lib/modules/{KERNEL}/vmlinuz").read_text() == "kernel"
    assert list((root / "boot").iterdir()) == []


def test_the_records_of_dpkg_belong_to_the_image(root: Path) -> None:
    layout.transform(root, OPTIONS)
    assert (root / "usr/lib/sysimage/dpkg/status").read_text() == "Package: apt\n"
    assert (root / "var/lib/dpkg/status").read_text() == "Package: apt\n"
    left = sorted(str(path.relative_to(root)) for path in (root / "usr/lib/sysimage").rglob("*") if path.is_file())
    assert left == [
        "usr/lib/sysimage/apt/extended_states",
        "usr/lib/sysimage/deb-systemd-helper-enabled/ssh.service.dsh-also",
        "usr/lib/sysimage/debconf/config.dat", "usr/lib/sysimage/dpkg/status", "usr/lib/sysimage/pam/seen",
    ]  # fmt: skip


def test_var_is_empty_and_made_again_at_boot(root: Path) -> None:
    layout.transform(root, OPTIONS)
    left = sorted(str(path.relative_to(root)) for path in (root / "var").rglob("*"))
    assert left == ["var/lib", "var/lib/dpkg", "var/tmp"]
    lines = (root / "usr/lib/tmpfiles.d/debatomic-var.conf").read_text().splitlines()
    assert "d /var/spool 2755 root root - -" in lines
    assert "L /var/mail - - - - spool/mail" in lines
    assert not any(line.split()[1] == "/var/log" for line in lines)
    base = (root / "usr/lib/tmpfiles.d/debatomic-base.conf").read_text().splitlines()
    assert "L /var/lib/dpkg - - - - ../../usr/lib/sysimage/dpkg" in base
    assert "L /var/cache/debconf - - - - ../../usr/lib/sysimage/debconf" in base


def test_nothing_of_one_machine_stays(root: Path) -> None:
    layout.transform(root, OPTIONS)
    assert (root / "etc/machine-id").read_text() == "uninitialized\n"
    gone = ("hostname", "passwd-", "ssh/ssh_host_rsa_key", "apt/sources.list")
    assert [name for name in gone if (root / "etc" / name).exists()] == []
    assert (root / "etc/ssh/sshd_config").exists()
    assert (root / "etc/apt/sources.list.d/debian.sources").read_text() == "Types: deb\n"
    assert (root / "etc/fstab").read_text() == ""


def test_users_of_packages_are_the_same_everywhere(root: Path) -> None:
    layout.transform(root, OPTIONS)
    lines = (root / "usr/lib/sysusers.d/debatomic.conf").read_text().splitlines()
    assert lines[1:] == ["g _ssh 101 -", 'u _apt 42:65534 "A" /nonexistent /usr/sbin/nologin']


def test_homes_are_named_behind_their_links(root: Path) -> None:
    layout.transform(root, OPTIONS)
    text = (root / "usr/lib/tmpfiles.d/home.conf").read_text()
    assert text == "Q /var/home 0755 - - -\nq /var/srv 0755 - - -\nd /homer 0755\n"
    assert (root / "home").readlink() == Path("var/home")
    assert (root / "etc/default/useradd").read_text() == "HOME=/var/home\nSHELL=/bin/sh\n"


@pytest.mark.parametrize(("kernels", "sentence"), [
    ([], "this tree has none"), (["6.12", "6.13"], "this tree has 2: 6.12, 6.13"),
])  # fmt: skip
def test_a_system_has_one_kernel(tmp_path: Path, kernels: list[str], sentence: str) -> None:
    for name in kernels:
        (tmp_path / "usr/lib/modules" / name).mkdir(parents=True)
    with pytest.raises(InputError, match=sentence):
        layout.kernel_version(tmp_path)


@pytest.mark.parametrize(("breaking", "rule", "fatal"), [
    (lambda root: (root / "usr/etc").mkdir(), "etc-usretc", True),
    (lambda root: (root / "ostree").unlink(), "baseimage-root", True),
    (lambda root: (root / "sys").rmdir(), "api-base-directories", True),
    (lambda root: (root / "boot/vmlinuz").write_text("x"), "nonempty-boot", False),
    (lambda root: (root / "tmp/x").write_text("x"), "nonempty-run-tmp", False),
    (lambda root: (root / "var/log").mkdir() or (root / "var/log/x").write_text("x"), "var-log", False),
    (lambda root: (root / "var/run").mkdir(), "var-run", True),
    (lambda root: (root / "usr/lib/bootc/kargs.d/x.toml").write_text("karg = []"), "bootc-kargs", True),
    (lambda root: (root / "usr/lib/bootc/kargs.d/x.toml").write_text("kargs = ["), "bootc-kargs", True),
    (lambda root: (root / "usr/lib/ostree/prepare-root.conf").unlink(), "baseimage-composefs", False),
    (lambda root: (root / "etc/hostname").write_text(""), "buildah-injected", False),
    (lambda root: (root / "usr/lib/modules/x").mkdir() or (root / "usr/lib/modules/x/vmlinuz").touch(), "kernel", True),
    (lambda root: (root / "usr/lib/sysusers.d/debatomic.conf").unlink(), "sysusers", False),
    (lambda root: (root / f"usr/lib/modules/{KERNEL}/initramfs.img").write_text(""), "debatomic-bootable", True),
    (lambda root: (root / "etc/ssh/ssh_host_x_key").write_text("x"), "debatomic-one-machine", True),
])  # fmt: skip
def test_lint_sees_what_is_broken(root: Path, breaking: object, rule: str, fatal: bool) -> None:
    layout.transform(root, OPTIONS)
    breaking(root)  # type: ignore[operator]
    assert (rule, fatal) in [(each.rule, each.fatal) for each in lint(root)]


def test_lint_sees_names_that_are_not_utf8(root: Path) -> None:
    layout.transform(root, OPTIONS)
    (root / os.fsdecode(b"usr/\xff")).touch()
    found = lint(root)
    assert [each.rule for each in found] == ["utf8"]


def _read(root: Path, name: str) -> str:
    return (root / name).read_text()


def _back(root: Path, value: object) -> list[object]:
    return [value]


def _refuse(root: Path) -> None:
    raise ToolError("No.", hint="Never.", kind=Kind.INPUT)


def test_work_in_a_tree_cannot_follow_a_link_out_of_it(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("the host's")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "inner").write_text("the tree's")
    (tree / "link").symlink_to(tmp_path / "outside")
    assert inside(tree, _read, "inner") == "the tree's"
    with pytest.raises(ToolError, match="_read failed in the tree: FileNotFoundError"):
        inside(tree, _read, "link")
    with pytest.raises(ToolError, match="No") as caught:
        inside(tree, _refuse)
    assert (caught.value.hint, caught.value.kind) == ("Never.", Kind.INPUT)
    place = yaml_texts.Text("mode", "house.yaml:3")
    ((key, (value,)),) = inside(tree, _back, {place: [(place,)]})[0].items()
    assert (type(key), value) == (str, ("mode",)), "a treefile's texts come as plain ones"
