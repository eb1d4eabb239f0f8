"""When an initramfs is made again: with what it is made of, and with any name that it could see."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from chroots.engine.state import State
from composes.pipeline.store import ResultStore
from composes.pipeline.system.initramfs import Initramfs

VERSION = "6.12-amd64"


class Dracut:
    """A maker of images that reads one program and puts one file into them."""

    def __init__(self, root: Path) -> None:
        self.root, self.made = root, 0

    def __call__(self, args: list[str], *, captured: bool = False, **more: str) -> str:
        if captured:
            return "usr/lib/systemd\nusr/lib/systemd/systemd\nusr/etc/absent\n"
        self.made += 1
        content = b"".join((self.root / name).read_bytes() for name in ("usr/bin/dracut", "usr/lib/systemd/systemd"))
        (self.root / args[-1].lstrip("/")).write_bytes(content)
        return ""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for name in ("usr/bin/dracut", "usr/bin/other", "usr/lib/systemd/systemd", f"boot/vmlinuz-{VERSION}",
                 f"usr/lib/modules/{VERSION}/modules.dep", "usr/share/doc/other/copyright"):  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{name} 1")
        os.utime(root / name, (1_700_000_000, 1_700_000_000))
    return root


def rewritten(name: str, when: int = 1_700_000_000) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        (root / name).write_text("2")
        os.utime(root / name, (when, when))

    return change


@pytest.mark.parametrize(("change", "again"), [
    (lambda root: None, False),
    (rewritten("usr/bin/other"), False),
    (rewritten("usr/share/doc/other/changelog"), False),
    (rewritten("usr/bin/dracut"), True),
    (rewritten("usr/lib/systemd/systemd"), True),
    (rewritten("usr/lib/systemd/new"), True),
    (lambda root: (root / "usr/bin/other").chmod(0o755), True),
    (lambda root: (root / "usr/bin/other").unlink(), True),
    (lambda root: os.utime(root / "usr/lib/systemd/systemd", (1, 1)), True),
    (lambda root: os.utime(root / "usr/lib/systemd/systemd"), False),  # younger than the kernel: told as old as that
    (rewritten(f"boot/vmlinuz-{VERSION}", 1_800_000_000), True),
])  # fmt: skip
def test_made_again_where_something_changed_that_it_looked_at(
    root: Path, tmp_path: Path, change: Callable[[Path], None], again: bool
) -> None:
    store, dracut = ResultStore(State(tmp_path / "state")), Dracut(root)
    initramfs = Initramfs(root=root, version=VERSION)
    assert not initramfs.have(store, dracut) and dracut.made == 1
    image = root / initramfs.place
    before = image.read_bytes()
    image.unlink()
    change(root)
    assert initramfs.have(store, dracut) is not again
    assert dracut.made == (2 if again else 1)
    assert again or image.read_bytes() == before


def test_without_times_of_access_it_is_always_made(root: Path, tmp_path: Path) -> None:
    store, dracut = ResultStore(State(tmp_path / "state")), Dracut(root)

    def unseen(args: list[str], *, captured: bool = False, **more: str) -> str:
        said = dracut(args, captured=captured, **more)
        for path in root.rglob("*"):
            os.utime(path, (0, path.stat().st_mtime))
        return said

    initramfs = Initramfs(root=root, version=VERSION)
    assert [initramfs.have(store, unseen) for _ in range(2)] == [False, False] and dracut.made == 2
