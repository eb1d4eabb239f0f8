"""Containers: what belongs to which layer, how a layer is written, what an image says, and how it is read back."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from composes.pipeline.container import archive, content, image, labels, layers, push, tarball
from composes.pipeline.container.image import About, Blob
from composes.pipeline.container.labels import Image
from composes.pipeline.container.layers import Piece
from debatomic.tools.errors import InputError, ToolError

DATE = 1_700_000_000
OWNERS = {
    "usr/bin/jq": "jq", "usr/lib/python3/dist-packages/apt.py": "python3-apt", "boot/vmlinuz-6.12": "linux-image-6.12",
    "usr/lib/modules/6.12/kernel/fs/ext4.ko": "linux-image-6.12",
    "usr/lib/udev/hwdb.d/20-pci-vendor-model.hwdb": "udev",
}  # fmt: skip


@pytest.mark.parametrize(("name", "owner"), [
    ("usr/bin/jq", "jq"),
    ("usr/lib/python3/dist-packages/__pycache__/apt.cpython-313.pyc", "python3-apt"),
    ("usr/lib/modules/6.12/kernel/fs/ext4.ko", "linux-image-6.12"),
    ("usr/lib/modules/6.12/vmlinuz", "linux-image-6.12"),
    ("usr/lib/modules/6.12/modules.dep", "linux-image-6.12"),
    ("usr/lib/modules/6.12/initramfs.img", content.INITRAMFS),
    ("usr/lib/sysimage/dpkg/status", content.DATABASE),
    ("usr/lib/udev/hwdb.bin", "udev"),
    ("etc/ld.so.cache", content.FILES),
])  # fmt: skip
def test_a_file_goes_with_its_package(name: str, owner: str) -> None:
    assert content.component(name, OWNERS) == owner


def test_lists_of_dpkg_are_read_with_usr_merged(tmp_path: Path) -> None:
    info = tmp_path / content.DPKG / "info"
    info.mkdir(parents=True)
    (info / "kmod.list").write_text("/.\n/bin\n/bin/kmod\n/etc/modules\n")
    (info / "libc6:amd64.list").write_text("/lib64/ld-linux-x86-64.so.2\n/usr/lib/x\n")
    owners = content.file_lists(tmp_path)
    assert owners["usr/bin/kmod"] == owners["etc/modules"] == "kmod"
    assert owners["usr/lib64/ld-linux-x86-64.so.2"] == owners["usr/lib/x"] == "libc6"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for name in ("usr/bin", "usr/etc", "usr/share/empty", "var/tmp"):
        (root / name).mkdir(parents=True)
    (root / "usr/bin/jq").write_bytes(b"#!" * 700)
    (root / "usr/bin/jq").chmod(0o4755)
    os.utime(root / "usr/bin/jq", (DATE - 5, DATE - 5))
    os.link(root / "usr/bin/jq", root / "usr/bin/jq-too")
    (root / "usr/bin/link").symlink_to("jq")
    (root / "usr/etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "usr/share" / ("n" * 120)).write_text("a long name")
    (root / "usr/share/ä").write_text("not ASCII")
    (root / "var/tmp").chmod(0o1777)
    os.setxattr(root / "usr/bin/jq", "user.capability", b"\x01\x00\x00\x02\xff")
    return root


def packed_tar(tree: Path, date: int = DATE) -> bytes:
    written = io.BytesIO()
    tarball.write(content.entries(tree), written.write, date=date)
    return written.getvalue()


def test_a_tar_keeps_what_a_file_is_and_settles_its_date(tree: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(packed_tar(tree))) as tar:
        members = {member.name: member for member in tar}
        assert tar.extractfile("etc/passwd").read().startswith(b"root:x:0:0")  # type: ignore[union-attr]
    assert "usr/etc/passwd" not in members
    jq = members["usr/bin/jq"]
    assert (jq.mode, jq.uid, jq.uname, jq.mtime) == (0o4755, (tree / "usr/bin/jq").stat().st_uid, "", DATE - 5)
    assert jq.pax_headers["SCHILY.xattr.user.capability"].encode("utf-8", "surrogateescape") == b"\x01\x00\x00\x02\xff"
    assert (members["usr/bin/jq-too"].islnk(), members["usr/bin/jq-too"].linkname) == (True, "usr/bin/jq")
    assert (members["usr/bin/link"].issym(), members["usr/bin/link"].linkname) == (True, "jq")
    assert (members["var/tmp"].isdir(), members["var/tmp"].mode, members["var/tmp"].mtime) == (True, 0o1777, 0)
    assert members["etc/passwd"].mtime == 0
    assert {f"usr/share/{'n' * 120}", "usr/share/ä"} <= members.keys()


def test_a_tar_is_the_same_whenever_it_is_written(tree: Path) -> None:
    before = packed_tar(tree)
    (tree / "usr/etc/passwd").touch()
    (tree / "usr/bin/new").touch()
    (tree / "usr/bin/new").unlink()
    assert packed_tar(tree) == before
    assert packed_tar(tree, DATE + 86400) == before  # a later compose of the same files


def test_all_names_of_a_file_are_in_one_layer(tree: Path) -> None:
    owners = {"usr/bin/jq": "jq", "usr/bin/jq-too": "other", "usr/share/empty": "empty"}
    found = content.components(content.entries(tree), owners)
    assert [entry.name for entry in found["jq"]] == ["usr/bin/jq", "usr/bin/jq-too"]
    assert "other" not in found
    assert [entry.name for entry in found["empty"]] == ["usr/share/empty"]
    assert "usr/bin" not in {entry.name for entry in found[content.FILES]}


def pieces(**sizes: int) -> list[Piece]:
    """Packages named `source_binary` or `source`."""
    return [Piece(name=name, group=name.partition("_")[0], size=size) for name, size in sorted(sizes.items())]


def test_the_largest_are_alone_and_packages_of_one_source_together() -> None:
    many = {f"p{number}": number for number in range(40)}
    laid = layers.plan(pieces(big=900, systemd_a=300, systemd_b=300, **many), [], 20)
    assert laid[0] == ("big",)
    assert ("systemd_a", "systemd_b") in laid
    assert len(laid) == 20 - layers.RESERVED
    assert laid == layers.plan(pieces(big=900, systemd_a=300, systemd_b=300, **many), [], 20)


def test_packages_keep_their_layer_and_new_ones_get_another() -> None:
    before = [("a_x", "b"), ("c",), ("gone",), (content.DATABASE,)]
    now = [*pieces(a_x=1, a_y=5, b=1, c=99, new=7), Piece(name=content.DATABASE, group="", size=1)]
    assert layers.plan(now, before, 20) == [("a_x", "a_y", "b"), ("c",), ("new",), (content.DATABASE,)]


def test_at_the_limit_what_is_new_joins_the_last_layer() -> None:
    before = [(f"p{number}",) for number in range(12)]
    laid = layers.plan(pieces(**{f"p{number}": 1 for number in range(12)}, new=1), before, 12)
    assert len(laid) == 12
    assert laid[-1] == ("new", "p11")


NAMES = st.text("abcdef", min_size=1, max_size=4)


@given(st.dictionaries(NAMES, st.integers(0, 1 << 30), max_size=60),
       st.lists(st.sets(NAMES, max_size=5), max_size=30), st.integers(12, 127))  # fmt: skip
def test_whatever_there_is_every_package_is_in_exactly_one_layer(
    sizes: dict[str, int], earlier: list[set[str]], limit: int
) -> None:
    before, seen = [], set[str]()
    for layer in earlier:
        before.append(tuple(sorted(layer - seen)))
        seen |= layer
    laid = layers.plan([Piece(name=name, group=name[0], size=size) for name, size in sizes.items()], before, limit)
    assert sorted(name for layer in laid for name in layer) == sorted(sizes)
    assert len(laid) <= limit
    assert all(laid)


def about(**more: Any) -> About:
    known = {"containers.bootc": "1", "ostree.bootable": "true", "ostree.linux": "6.12"}
    return About(**{"architecture": "amd64", "date": DATE, "name": "debian/minimal:13.1", "compression": "zstd",
                    "labels": {**known, "org.opencontainers.image.version": "13.1"}, **more})  # fmt: skip


def made(tree: Path, folder: Path, **more: Any) -> tuple[Path, list[Blob]]:
    """An archive of the tree in two layers, each with the folders above its files."""
    folder.mkdir()
    found = list(content.entries(tree))
    folders = {entry.name: entry for entry in found}
    parts = content.components(found, {"usr/bin/jq": "jq"})
    split: dict[tuple[str, ...], list[content.Entry]] = {
        (name,): tarball.with_folders(members, folders) for name, members in parts.items()
    }
    blobs = image.packed(split, folder, about(**more), lambda count: None)
    image.write_archive(folder / "out.tar", about(**more), blobs)
    return folder / "out.tar", blobs


@pytest.mark.parametrize("compression", ["zstd", "gzip"])
def test_an_archive_is_read_back_as_it_was_written(tree: Path, tmp_path: Path, compression: str) -> None:
    path, blobs = made(tree, tmp_path / "one", compression=compression)
    again, _ = made(tree, tmp_path / "two", compression=compression)
    assert path.read_bytes() == again.read_bytes()
    manifest = archive.read_manifest(path)
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert archive.read_manifest(tmp_path / "manifest.json") == manifest
    told = archive.layers_of(manifest)
    assert [(each.digest, each.size, each.packages) for each in told] == [
        (f"sha256:{blob.digest}", blob.size, blob.components) for blob in blobs
    ]
    with path.open("rb") as file:
        found = archive.index(file)
        config = json.loads(archive.read_blob(file, found, manifest["config"]["digest"]))
    assert config["rootfs"]["diff_ids"] == [f"sha256:{blob.diff}" for blob in blobs]
    archive.extract(path, found, told[0].digest, tmp_path / "layer")
    assert (tmp_path / "layer").stat().st_size == told[0].size


def test_a_layer_has_the_folders_above_its_files(tree: Path, tmp_path: Path) -> None:
    _, blobs = made(tree, tmp_path / "one")
    jq = next(blob for blob in blobs if blob.components == ("jq",))
    plain = zstandard.ZstdDecompressor().decompressobj().decompress(jq.path.read_bytes())
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        assert tar.getnames() == ["usr", "usr/bin", "usr/bin/jq", "usr/bin/jq-too"]


def test_what_is_no_image_is_refused(tree: Path, tmp_path: Path) -> None:
    path, blobs = made(tree, tmp_path / "one")
    (tmp_path / "no.tar").write_bytes(b"not a tar" * 200)
    (tmp_path / "no.json").write_text('{"layers": []}')
    for name in ("no.tar", "no.json", "nothing"):
        with pytest.raises(InputError):
            archive.read_manifest(tmp_path / name)
    with path.open("rb") as file:
        found = archive.index(file)
    start, _ = found.blobs[f"sha256:{blobs[0].digest}"]
    with path.open("r+b") as file:
        file.seek(start)
        file.write(b"damage")
    with pytest.raises(InputError, match="damaged"):
        archive.extract(path, found, f"sha256:{blobs[0].digest}", tmp_path / "layer")


GOOD = Image(
    architecture="amd64", kernel="6.12", most_layers=64, names=("usr/bin/jq",), manifest={"layers": [{}]},
    config={"architecture": "amd64", "config": {"Labels": dict(about().labels)}, "rootfs": {"diff_ids": ["sha256:0"]}},
)  # fmt: skip


@pytest.mark.parametrize(("change", "rule"), [
    ({"architecture": "arm64"}, "image-architecture"),
    ({"kernel": "6.13"}, "image-labels"),
    ({"most_layers": 0}, "image-layers"),
    ({"names": ("usr/etc/passwd",)}, "image-names"),
    ({"names": ("usr/bin/.wh.jq",)}, "image-names"),
])  # fmt: skip
def test_what_bootc_would_refuse_is_found(change: dict[str, Any], rule: str) -> None:
    assert labels.judge(GOOD) == []
    assert [each.rule for each in labels.judge(Image(**{**vars(GOOD), **change}))] == [rule]


@pytest.mark.parametrize("target", ["registry.example.org", "registry.example.org/Name:1", "/name:1", "a/b", "-x/y:z"])
def test_a_target_that_names_no_image_is_refused(target: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="names no image"):
        push.push(tmp_path / "none.tar", [target], push.Registry())


def test_a_registry_that_is_not_there_is_said(tree: Path, tmp_path: Path) -> None:
    path, _ = made(tree, tmp_path / "one")
    with pytest.raises(ToolError, match=r"127.0.0.1:9/a/b:c could not be pushed: .*connection refused"):
        push.push(path, ["127.0.0.1:9/a/b:c"], push.Registry(tls=False))
