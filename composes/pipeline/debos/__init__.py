"""debos' recipes as treefiles: what has a counterpart is taken over, the rest is named with its line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from composes.pipeline.debos import disks, systems, template
from composes.pipeline.debos.taken import Action, Taken
from composes.pipeline.treefiles import marks, mistakes
from composes.pipeline.treefiles.marks import Text, prefix
from debatomic.tools.errors import InputError

KEYS = ("architecture", "actions", "sectorsize")
NEEDED = ("systemd-sysv", "dracut", "ostree", "ostree-boot")
ACTIONS: dict[str, Callable[[Taken, Action], None]] = {
    "debootstrap": systems.debootstrap, "mmdebstrap": systems.mmdebstrap, "apt": systems.apt,
    "install-deb": systems.install_deb, "overlay": systems.overlay, "run": systems.run,
    "ostree-commit": disks.ostree_commit, "ostree-deploy": disks.deploy, "filesystem-deploy": disks.deploy,
    "image-partition": disks.image_partition, "pack": disks.pack,
}  # fmt: skip
NO_COUNTERPART = {
    "download": "nothing is fetched but packages",
    "unpack": "a tree is made of packages: name those of the recipe that packed it",
    "raw": "nothing is written to an image past its partitions",
    "recipe": "import that recipe by itself, and include what comes of it",
    "pacman": "this is Debian",
    "pacstrap": "this is Debian",
}


def read(path: Path, given: Mapping[str, str]) -> Taken:
    """The treefile and what was left out. Raises InputError with file and line for what is no recipe."""
    text = template.render(marks.read(path, path.name), path.name, given)
    content = marks.parse(text, path.name)
    if not isinstance(content, dict) or not isinstance(content.get("actions"), list):
        raise InputError(f"{path.name}:1: a recipe has a list of actions.")
    taken = Taken(folder=path.resolve().parent, name=path.stem)
    for key in content:
        if key not in KEYS:
            raise InputError(f"{prefix(key)}unknown key {key}{mistakes.near(key, KEYS)}")
    for number, each in enumerate(content["actions"], 1):
        if not isinstance(each, dict) or "action" not in each:
            raise InputError(f"{path.name}: action {number} has no key action.")
        _take(taken, each)
    _complete(taken, str(content.get("architecture", "amd64")))
    mistakes.validate(taken.treefile, path.name)
    return taken


def _take(taken: Taken, said: dict[str, Any]) -> None:
    name = said["action"]
    if name in ACTIONS:
        action = Action(said)
        ACTIONS[name](taken, action)
        taken.left += action.unused()
    elif name in NO_COUNTERPART:
        taken.leave(name, f"the action {name} has no counterpart: {NO_COUNTERPART[name]}.")
    else:
        raise InputError(f"{prefix(name)}there is no action {name}{mistakes.near(name, [*ACTIONS, *NO_COUNTERPART])}")


def _complete(taken: Taken, architecture: str) -> None:
    """What every system here needs, and no recipe says."""
    packages = taken.treefile.setdefault("packages", [])
    if missing := [name for name in NEEDED if name not in packages]:
        packages += missing
        taken.left.append(f"{taken.name}: added the packages {', '.join(missing)}: an atomic system needs them.")
    if "suite" not in taken.treefile:
        taken.left.append(f"{taken.name}: the recipe names no suite; say one in the treefile.")
    taken.treefile["architectures"] = {architecture: {}}
    taken.treefile["variants"] = {"default": {}}
    taken.treefile = {"name": Text(taken.word), **taken.treefile}
