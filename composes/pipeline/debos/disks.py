"""Actions that make of a tree what is delivered: commits, disks, archives."""

from __future__ import annotations

import re
from typing import Any

from composes.pipeline.debos.taken import Action, Taken
from composes.pipeline.treefiles.marks import Text, place_of, prefix
from composes.pipeline.treefiles.schema import FILESYSTEMS, LISTS
from debatomic.tools.errors import InputError

SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([MGT])i?B?")
FACTOR = {"M": 1, "G": 1024, "T": 1024 * 1024}
BOOT = ("/boot", "/boot/efi", "/efi")


def ostree_commit(taken: Taken, action: Action) -> None:
    if branch := action.text("branch"):
        taken.treefile["ref"] = branch
    for key, value in action.mapping("metadata").items():
        taken.treefile.setdefault("metadata", {})[key] = Text(str(value), place_of(key))
    action.ignore("subject", "ref-binding")
    if repository := action.text("repository"):
        taken.leave(repository, f"the repository {repository} has no counterpart: a compose's is published by the hub.")


def deploy(taken: Taken, action: Action) -> None:
    """filesystem-deploy and ostree-deploy: every disk here is deployed so."""
    words = action.text("append-kernel-cmdline")
    taken.add("kargs", items=[Text(word, place_of(words)) for word in words.split()])
    if not taken.treefile["kargs"]:
        del taken.treefile["kargs"]
    if (name := action.text("remote_repository")) and name.startswith("http"):
        taken.treefile["remote"] = {"name": Text(taken.word), "url": name}
    if not action.flag("setup-kernel-cmdline", otherwise=True):
        taken.leave(action.said["action"], "setup-kernel-cmdline: false has no counterpart.")
    action.ignore("setup-fstab", "repository", "branch", "os")


def image_partition(taken: Taken, action: Action) -> None:
    taken.treefile.setdefault("image", {})["size"] = _size(action)
    taken.add("image", "formats", items=["raw"])
    if action.text("partitiontype", "gpt") != "gpt":
        taken.leave(action.text("partitiontype"), "partitiontype: an image has a GPT.")
    action.ignore("imagename", "gpt_gap", "diskid")
    mounted = action.items("mountpoints")
    roots = [each.get("partition") for each in mounted if isinstance(each, dict) and each.get("mountpoint") == "/"]
    for each in action.items("partitions"):
        _partition(taken, each, roots)
    for each in mounted:
        if isinstance(each, dict) and each.get("mountpoint") not in ("/", *BOOT):
            where = each.get("mountpoint", "")
            taken.leave(where, f"the mount point {where} has no counterpart: an image has one root file system.")


def _partition(taken: Taken, said: Any, roots: list[Any]) -> None:
    if not isinstance(said, dict) or "name" not in said:
        raise InputError("image-partition: each of partitions needs a name.")
    kind = str(said.get("fs", ""))
    if kind in FILESYSTEMS and said["name"] in roots:
        taken.treefile["image"]["filesystem"] = said["fs"]
    elif kind not in ("ext4", "vfat", "fat", "fat16", "fat32", "none", ""):
        taken.leave(said["fs"], f"the file system {kind} has no counterpart: choose it in image, if it is there.")


def _size(action: Action) -> Text:
    said = action.text("imagesize")
    match = SIZE.fullmatch(said.strip())
    if not match:
        raise InputError(f"{action.key_place('imagesize')}imagesize: {said or 'nothing'} is no size such as 4GB.")
    mebibytes = round(float(match[1]) * FACTOR[match[2]])
    text = f"{mebibytes >> 10}G" if mebibytes % 1024 == 0 else f"{mebibytes}M"
    return Text(text, place_of(said) or prefix(action.said["action"]).rstrip(": "))


def pack(taken: Taken, action: Action) -> None:
    action.ignore("file", "compression")
    if "tar" in LISTS["formats"]["enum"]:
        taken.add("image", "formats", items=["tar"])
    else:
        taken.leave(action.said["action"], "the action pack has no counterpart: choose formats of image.")
