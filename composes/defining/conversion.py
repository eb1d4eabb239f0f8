"""Files of other image builders, given to the editor: they become treefiles, to be looked at and saved."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path, PurePosixPath

from django.http import QueryDict

from composes.pipeline import debos
from composes.pipeline.customized import blueprint
from debatomic.tools.errors import InputError

LIMIT = 1 << 20
OTHER = re.compile(r"[^A-Za-z0-9_.-]+")


def treefile_of(name: str, content: bytes) -> tuple[str, str, list[str]]:
    """Name and text of the treefile, and what was left out. Raises InputError with file and line."""
    name = OTHER.sub("-", PurePosixPath(name).name).lstrip(".-")[-100:] or "upload"
    if len(content) > LIMIT:
        raise InputError(f"{name} is larger than 1 MiB.")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is no text.") from error
    if name.endswith((".toml", ".json")):
        part, left = blueprint.part_of(text, name)
    elif name.endswith((".yaml", ".yml")):
        part, left = _recipe(name, text)
    else:
        raise InputError(f"{name} is neither a blueprint (.toml, .json) nor a debos recipe (.yaml).")
    return f"{PurePosixPath(name).stem}.yaml", blueprint.dump(part), left


def _recipe(name: str, text: str) -> tuple[blueprint.Part, list[str]]:
    with tempfile.TemporaryDirectory(prefix="recipe-") as folder:
        path = Path(folder) / name
        path.write_text(text)
        found = debos.read(path, {})
    return found.treefile, found.left


def added(posted: QueryDict, name: str, text: str) -> QueryDict:
    """What the editor sent, with a file more: in the first row without a name, or in a new one."""
    data = posted.copy()
    said = str(data.get("file-TOTAL_FORMS", "0"))
    total = min(int(said), 1000) if said.isdigit() else 0
    row = next((number for number in range(total) if not data.get(f"file-{number}-name")), total)
    data[f"file-{row}-name"], data[f"file-{row}-text"] = name, text
    data["file-TOTAL_FORMS"] = str(max(total, row + 1))
    return data
