"""Root file systems made without a mount, read back by the tools of each: nothing of a file is lost."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from composes.pipeline.system import filesystems, xfs
from composes.pipeline.system.filesystems import RootSpec
from composes.pipeline.tools import Tools
from debatomic.tools.errors import InputError
from tests.machine import field_tools

UUID = "deb0a70a-0000-4000-8000-000000000001"
CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")  # cap_net_raw+ep


@dataclass(frozen=True)
class Entry:
    """What a file system has of one path."""

    mode: int
    owner: tuple[int, int]
    links: int = 1
    target: str = ""
    xattrs: tuple[str, ...] = ()


EXPECTED = {
    "bin/tool": Entry(0o104755, (0, 0), links=3), "bin/again": Entry(0o104755, (0, 0), links=3),
    "objects/tool": Entry(0o104755, (0, 0), links=3), "bin/ping": Entry(0o100755, (3, 7), xattrs=("capability",)),
    "etc/secret": Entry(0o100640, (0, 42), xattrs=("note",)), "bin/link": Entry(0o120777, (0, 0), target="../bin/tool"),
    "tmp": Entry(0o41777, (0, 0)), "etc": Entry(0o40755, (0, 0)), "var/games": Entry(0o42775, (0, 60)),
    "etc/:odd:name": Entry(0o100644, (0, 0)), "$": Entry(0o100644, (0, 0), links=2),
}  # fmt: skip


def write_tree(root: Path) -> None:
    for name in ("bin", "objects", "etc", "var"):
        (root / name).mkdir(parents=True)
    for name, owner, mode in (("bin/tool", (0, 0), 0o4755), ("bin/ping", (3, 7), 0o755), ("etc/secret", (0, 42), 0o640),
                              ("etc/with space", (0, 0), 0o644), ("etc/:odd:name", (0, 0), 0o644)):  # fmt: skip
        (root / name).write_text(f"content of {name}\n" * 500)
        os.chown(root / name, *owner)
        (root / name).chmod(mode)
    for name in ("bin/again", "objects/tool"):
        (root / name).hardlink_to(root / "bin/tool")
    (root / "$").hardlink_to(root / "etc/with space")
    os.setxattr(root / "bin/ping", "security.capability", CAPABILITY)
    os.setxattr(root / "etc/secret", "user.note", b"kept")
    (root / "bin/link").symlink_to("../bin/tool")
    for name, owner, mode in (("tmp", (0, 0), 0o1777), ("var/games", (0, 60), 0o2775)):
        (root / name).mkdir()
        os.chown(root / name, *owner)
        (root / name).chmod(mode)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("filesystems")


@pytest.fixture(scope="module")
def tools(work: Path) -> Iterator[Tools]:
    with field_tools(work) as entry:
        yield entry


def of_ext4(tools: Tools, image: Path, path: str) -> Entry:
    text = tools.run(["debugfs", "-R", f"stat /{path}", image], capture=True, log=None).stdout
    kinds = {"regular": 0o100000, "directory": 0o40000, "symlink": 0o120000}
    kind, mode = re.findall(r"Type: (\w+) +Mode: +(\d+)", text)[0]
    owner = re.findall(r"User: +(\d+) +Group: +(\d+)", text)[0]
    links = 1 if kind == "directory" else int(re.findall(r"Links: (\d+)", text)[0])
    return Entry(kinds[kind] | int(mode, 8), (int(owner[0]), int(owner[1])), links,
                 "".join(re.findall(r'Fast link dest: "(.*)"', text)),
                 tuple(re.findall(r"^  (?:user|security)\.(\w+) \(", text, re.MULTILINE)))  # fmt: skip


def of_xfs(tools: Tools, image: Path, path: str) -> Entry:
    text = tools.read(["xfs_db", "-x", "-f", "-c", f"path /{path}", "-c", "print", image])
    found = dict(re.findall(r"^(?:core|u3)\.(\w+) = (.+)$", text, re.MULTILINE))
    mode = int(found["mode"], 8)
    links = 1 if mode & 0o170000 == 0o40000 else int(found["nlinkv2"])
    named = tuple(re.findall(r'^a\.sfattr\.list\[\d+\]\.name = "(\w+)"', text, re.MULTILINE))
    return Entry(mode, (int(found["uid"]), int(found["gid"])), links, found.get("symlink", "").strip('"'), named)


def of_btrfs(tools: Tools, image: Path, path: str) -> Entry:
    out = image.parent / "restored"
    if not out.exists():
        out.mkdir()
        # Not in the jail: it writes into files that are set-uid already, which takes that from them there.
        tools.run(["btrfs", "restore", "--metadata", "--symlinks", "--xattr", image, out], jailed=False)
    place = out / path
    status = place.lstat()
    items = tools.read(["btrfs", "inspect-internal", "dump-tree", "-t", "5", image])
    name = re.escape(place.name)
    number = re.findall(rf"location key \((\d+) INODE_ITEM 0\) type \w+\n.*\n\s+name: {name}\n", items)[0]
    links = re.findall(rf"item \d+ key \({number} INODE_ITEM 0\).*\n(?:.*\n)*?.* links (\d+) ", items)[0]
    xattrs = {each.partition(".")[2] for each in os.listxattr(place, follow_symlinks=False)}
    xattrs |= set(re.findall(rf"item \d+ key \({number} XATTR_ITEM \d+\).*\n.*\n.*\n\s+name: \w+\.(\w+)", items))
    return Entry(status.st_mode, (status.st_uid, status.st_gid), int(links),
                 str(place.readlink()) if place.is_symlink() else "", tuple(sorted(xattrs)))  # fmt: skip


READERS: dict[str, Callable[[Tools, Path, str], Entry]] = {"ext4": of_ext4, "xfs": of_xfs, "btrfs": of_btrfs}


@pytest.mark.integration
@pytest.mark.parametrize("kind", list(READERS))
def test_owners_modes_links_and_attributes_are_in_the_image(kind: str, work: Path, tools: Tools) -> None:
    folder = work / kind
    write_tree(folder / "tree")
    image = folder / "root.img"
    with image.open("wb") as file:
        file.truncate(400 << 20)
    filesystems.make(tools, kind, RootSpec(source=folder / "tree", image=image, scratch=folder, uuid=UUID, date=86400))
    assert {path: READERS[kind](tools, image, path) for path in EXPECTED} == EXPECTED
    assert UUID in tools.read(["blkid", "-p", image])
    assert sorted(path.name for path in folder.iterdir() if path.name != "restored") == ["root.img", "tree"]


def test_a_prototype_names_each_file_once_and_links_the_rest(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    (root / "b c").mkdir(parents=True)
    (root / "a").write_text("text")
    (root / "b c/a").hardlink_to(root / "a")
    (root / "b c/d").write_text("more")
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)
    owner = f"{os.getuid()} {os.getgid()}"
    plan = xfs.prototype(root, tmp_path / "aside")
    (root / "b c").chmod(0o755)
    assert [line.replace(str(tmp_path), "") for line in plan.lines[3:]] == [
        f"a ---644 {owner} /tree/a", f"b/c d--755 {owner}", f"d ---644 {owner} /aside/0", "$", f"tmp d--777 {owner}",
        "$", "$",
    ]  # fmt: skip
    assert xfs.commands(plan, {"a": "7", "b c": "8", "tmp": "9"}) == [
        "inode 8", "link -i 7 -- a", "inode 9", "write -d core.mode 041777"]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "target", "said"),
    [("tab\there", "", "its name, target or kind"), (": comment", "", "its name"), ("link", "two words", "its name")],
)
def test_what_xfs_cannot_be_given_is_refused(name: str, target: str, said: str, tmp_path: Path) -> None:
    root = tmp_path / "tree"
    root.mkdir()
    if target:
        (root / name).symlink_to(target)
    else:
        (root / name).write_text("")
    with pytest.raises(InputError, match=said) as caught:
        xfs.prototype(root, tmp_path / "aside")
    assert "ext4 or btrfs" in caught.value.hint
