"""A target that builds with its own tag's repository: what its tasks are told of it, and what a host makes of that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings

from builds import keys
from builds.tagging.repository_models import Repository
from debatomic.tools.errors import InputError
from hosts.registry import Job

if TYPE_CHECKING:
    from builds.models import Target

KEYS = "repository-keys.asc"


def repository_of(target: Target) -> Repository:
    """The repository the target builds with. Raises InputError (field target) where it has none that can be read."""
    if not target.with_repository:
        raise InputError(f"Target {target} does not build with its tag's repository.", field="target",
                         hint="A release manager can change that in the target's settings for chains.")  # fmt: skip
    found = Repository.objects.select_related("current", "tag").filter(tag=target.tag_id, enabled=True).first()
    if found is None:
        raise InputError(f"Target {target} builds with the repository of tag {target.tag}, which has none.",
                         hint="Make one on the tag's page.", field="target")  # fmt: skip
    if found.current is None or not keys.public_keys():
        raise InputError(f"The repository {found} of target {target} is not published yet.",
                         hint="Its first snapshot is made within seconds; try again then.", field="target")  # fmt: skip
    return found


def of_target(target: Target) -> dict[str, Any]:
    """What a build's tasks are told: {repository: {name, path, keys}}, the keys ASCII-armoured; nothing without one."""
    if not target.with_repository:
        return {}
    found = repository_of(target)
    return {"repository": {"name": found.suite, "path": found.path, "keys": keys.public_keys()}}


def of_repository(job: Job) -> list[str]:
    """The engine's options: the repository by the hub's own address, or its folder, verified with the hub's keys."""
    told = job.request.get("repository")
    if not told:
        return []
    keyring: Path = job.folder / KEYS
    keyring.write_text(told["keys"])
    root = settings.HUB_ADDRESS if settings.IS_REMOTE_BUILDER else f"file://{Path(settings.REPOSITORIES).parent}"
    entry = {"name": told["name"], "uris": [root.rstrip("/") + told["path"]], "suites": [told["name"]],
             "key": str(keyring)}  # fmt: skip
    return ["--repository", json.dumps(entry)]
