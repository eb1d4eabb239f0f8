"""Dependency layers without root: their keys, stacks, digests, and which of them go when."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from chroots.engine.archives.dsc import parse_dsc
from chroots.engine.layers import expiry, shared
from chroots.engine.layers.base import Layer
from chroots.engine.layers.expiry import DAY, Keep, evict
from chroots.engine.layers.package_lists import LISTS_OF_BASE, cut_down
from chroots.engine.layers.reproducible import tree_digest
from chroots.engine.layers.shared import Stack
from chroots.engine.layers.stacking import versions
from chroots.engine.spec import BuildSpec, BuildType, ChrootSpec
from chroots.engine.state import State
from debatomic.tools.errors import InputError, ToolError

MakeSource = Callable[..., Path]
TRIXIE = ChrootSpec(name="t", suite="trixie", architecture="amd64")
BASE = Layer(identity="b" * 64, tree=Path("/base/tree"))
ALL = Keep()
NONE = Keep(size=0)


def spec(**options: Any) -> BuildSpec:
    return BuildSpec(**{"source": "figlet", "chroot": TRIXIE, "output": Path("/out"), **options})


def test_quick_keys_tell_apart_what_needs_other_packages(source_package: MakeSource) -> None:
    one = parse_dsc(source_package("tiny-test", depends="cowsay"))
    two = parse_dsc(source_package("other-test", depends="figlet"))
    keys = {shared.quick_key(BASE, one, spec()), shared.quick_key(BASE, two, spec()),
            shared.quick_key(BASE, one, spec(build_type=BuildType.ANY)),
            shared.quick_key(BASE, one, spec(profiles=("p",))),
            shared.quick_key(Layer(identity="c", tree=Path("/x")), one, spec())}  # fmt: skip
    assert len(keys) == 5
    same = parse_dsc(source_package("third-test", depends="cowsay"))
    assert shared.quick_key(BASE, same, spec(nocheck=True)) in keys


def install(scratch: Path) -> None:
    for name in ("usr/x", "var/cache/apt/archives/x", "var/lib/apt/lists/x"):
        path = scratch / "changes" / name
        path.parent.mkdir(parents=True)
        path.write_text("x")


def made(state: State, *packages: str, below: Stack | None = None) -> Stack:
    return shared.make(state, BASE, packages, install, below=below)


@pytest.fixture
def state(tmp_path: Path) -> State:
    """A state folder with a base."""
    about = tmp_path / "bases/key/1/base.json"
    about.parent.mkdir(parents=True)
    about.write_text(json.dumps({"identity": BASE.identity}))
    return State(tmp_path)


def unused_for(days: float, layer: Layer) -> None:
    moment = time.time() - days * DAY
    os.utime(layer.tree.parent / shared.ABOUT, (moment, moment))


def test_a_layer_is_made_once_without_apts_caches(state: State) -> None:
    [layer] = made(state, "x 0")
    assert [str(path.relative_to(layer.tree)) for path in layer.tree.rglob("x")] == ["usr/x"]
    again = shared.make(state, BASE, ["x 0"], lambda scratch: pytest.fail("made twice"))
    assert again == [layer] == shared.find(state, layer.identity)
    shared.remember(state, "q", [layer])
    shared.remember(state, "nothing", [])
    assert shared.known(state, "q") == [layer]
    assert shared.known(state, "nothing") == [] and shared.known(state, "never seen") is None


def test_a_layer_that_failed_leaves_nothing(tmp_path: Path) -> None:
    def fail(scratch: Path) -> None:
        (scratch / "changes").mkdir()
        raise ToolError("no")

    with pytest.raises(ToolError):
        shared.make(State(tmp_path), BASE, ["x 0"], fail)
    assert [path.name for path in (tmp_path / "layers").iterdir()] == [".lock"]


def test_a_stack_is_found_with_all_it_stands_on(state: State) -> None:
    below = made(state, "x 0")
    stack = made(state, "x 0", "y 0", below=below)
    assert len(stack) == 2 and stack[1:] == below
    assert shared.find(state, stack[0].identity) == stack
    told = {layer["key"]: (layer["packages"], layer["below"]) for layer in shared.on(state, BASE)}
    assert told == {stack[0].identity: (["x", "y"], [below[0].identity]), below[0].identity: (["x"], [])}


@pytest.mark.parametrize("wanted, nearest", [
    ({"x": 1, "y": 9, "z": 1}, ["x", "y"]),  # most bytes of those that have nothing else
    ({"x": 9, "z": 1}, ["x"]),
    ({"z": 1}, []),
    ({"x": 1, "w": 5, "v": 5}, ["x"]),
])  # fmt: skip
def test_the_nearest_stack_has_most_and_nothing_else(state: State, wanted: dict[str, int], nearest: list[str]) -> None:
    stacks = {names: made(state, *names.split()) for names in ("x", "x y", "u v w x")}
    expected = stacks[" ".join(nearest)] if nearest else []
    assert shared.nearest(state, BASE, wanted) == expected
    assert shared.nearest(state, Layer(identity="other", tree=Path("/")), wanted) == []


def test_stacks_do_not_grow_without_end(state: State) -> None:
    names: list[str] = []
    stack: Stack = []
    for number in range(shared.LAYERS_AT_MOST):
        names.append(f"p{number}")
        stack = made(state, *names, below=stack)
    wanted = dict.fromkeys([*names, "more"], 1)
    assert shared.nearest(state, BASE, wanted) == stack[1:]


def damage(layer: Layer) -> None:
    (layer.tree / "usr/x").write_text("")
    (layer.tree.parent / shared.CHECKED).write_text("another boot\n")


def test_a_layer_that_a_crash_of_the_host_spoilt_is_made_again(state: State) -> None:
    [layer] = made(state, "x 0")
    (layer.tree.parent / shared.CHECKED).write_text("another boot\n")
    assert shared.find(state, layer.identity) == [layer]  # nothing was lost
    damage(layer)
    assert shared.find(state, layer.identity) is None
    assert made(state, "x 0") == [layer]
    assert (layer.tree / "usr/x").read_text() == "x"


def test_a_stack_on_a_spoilt_layer_is_not_used(state: State) -> None:
    below = made(state, "x 0")
    stack = made(state, "x 0", "y 0", below=below)
    damage(below[0])
    assert shared.find(state, stack[0].identity) is None


def test_layers_in_use_are_not_evicted(state: State) -> None:
    [used], [unused] = made(state, "used"), made(state, "unused")
    with used.used():
        assert evict(state, NONE) == [unused.identity]
    assert used.tree.is_dir() and not unused.tree.exists()
    shared.remember(state, "q", [unused])
    assert shared.known(state, "q") is None
    assert evict(state, ALL) == []
    assert not (state.layers / shared.QUICK / "q").exists()
    for about in state.bases.glob("*/*/base.json"):
        about.unlink()
    assert evict(state, ALL) == [used.identity]  # its base is gone


def test_what_others_stand_on_stays_while_they_do(state: State) -> None:
    below = made(state, "x")
    stack = made(state, "x", "y", below=below)
    unused_for(99, below[0])
    assert not expiry.remove(below[0].tree.parent)
    assert evict(state, ALL) == []
    with stack[0].used():
        assert evict(state, NONE) == []
    assert evict(state, NONE) == [stack[0].identity, below[0].identity]


def test_layers_expire_by_age_and_by_size(state: State) -> None:
    [old], [new] = made(state, "old"), made(state, "new")
    unused_for(31, old)
    assert evict(state, ALL) == [old.identity]
    [newer] = made(state, "newer")
    unused_for(1, new)
    size = shared.about(newer.tree.parent)["bytes"]
    assert evict(state, Keep(size=size)) == [new.identity]


@pytest.mark.parametrize(
    "size, days, keep",
    [
        ("", "", Keep(size=20 << 30, age=30 * DAY)),
        ("0.5", "7", Keep(size=1 << 29, age=7 * DAY)),
    ],
)
def test_how_much_is_kept_is_set_by_the_environment(
    size: str, days: str, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(expiry.SIZE_VARIABLE, size)
    monkeypatch.setenv(expiry.AGE_VARIABLE, days)
    assert Keep.chosen() == keep
    assert Keep.chosen(1 << 20, 2) == Keep(size=1 << 20, age=2 * DAY)
    monkeypatch.setenv(expiry.AGE_VARIABLE, "a week")
    with pytest.raises(InputError, match="DEBATOMIC_LAYERS_DAYS is 'a week'"):
        Keep.chosen()


def test_versions_of_packages_by_their_files() -> None:
    files = ["x_1%3a2-3_amd64.deb 00", "y_1_all.deb 00", "z_4_arm64.deb 00"]
    assert versions(files, "amd64") == {"x": "1:2-3", "y": "1", "z:arm64": "4"}


def content(tree: Path) -> None:
    (tree / "file").write_text("other")


def mode(tree: Path) -> None:
    (tree / "file").chmod(0o600)


def target(tree: Path) -> None:
    (tree / "link").unlink()
    (tree / "link").symlink_to("nowhere")


def date(tree: Path) -> None:
    os.utime(tree / "file", (0, 0))


def more(tree: Path) -> None:
    (tree / "folder/new").touch()


@pytest.mark.parametrize("change", [content, mode, target, date, more])
def test_the_digest_of_a_tree_sees_every_change(change: Callable[[Path], object], tmp_path: Path) -> None:
    digests = []
    for name in ("one", "two"):
        tree = tmp_path / name
        (tree / "folder").mkdir(parents=True)
        (tree / "file").write_text("text")
        (tree / "link").symlink_to("file")
        settle(tree, ["file", "link", "folder", "."])
        digests.append(tree_digest(tree))
    assert digests[0] == digests[1]
    change(tmp_path / "one")
    assert tree_digest(tmp_path / "one") != digests[0]


def settle(tree: Path, names: Sequence[str]) -> None:
    for name in names:
        os.utime(tree / name, (1000, 1000), follow_symlinks=False)


def package_lists(tree: Path, files: dict[str, str]) -> Path:
    (tree / LISTS_OF_BASE).mkdir(parents=True)
    for name, text in files.items():
        (tree / LISTS_OF_BASE / name).write_text(text)
    return tree


def test_package_lists_keep_only_what_is_named(tmp_path: Path) -> None:
    packages = "".join(f"Package: {name}\nVersion: {version}\n\n" for name, version in (
        ("figlet", "1"), ("figlet-data", "1"), ("cowsay", "3"), ("figlet", "2")))  # fmt: skip
    tree = package_lists(tmp_path / "tree", {"m_Packages": packages, "m_InRelease": "Suite: x", "lock": ""})
    assert cut_down(tree / LISTS_OF_BASE, {"figlet", "absent"}, tmp_path / "short")
    assert {path.name: path.read_text() for path in (tmp_path / "short").iterdir()} == {
        "m_InRelease": "Suite: x",
        "m_Packages": "Package: figlet\nVersion: 1\n\nPackage: figlet\nVersion: 2\n\n",
    }


def test_packed_package_lists_are_left_to_apt(tmp_path: Path) -> None:
    packed = package_lists(tmp_path / "tree", {"m_Packages.lz4": ""})
    assert not cut_down(packed / LISTS_OF_BASE, {"figlet"}, tmp_path / "short")
