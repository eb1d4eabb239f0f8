"""What a build's packages say of themselves, and their files: repositories are made of it without the packages."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path

from chroots.engine.archives import debfile
from debatomic.tools.files import whole

DESCRIPTION = "packages.json.gz"


def describe(folder: Path, names: Iterable[str]) -> None:
    """Write the description of the packages among these files: {NAME: {control, files}}, JSON, packed.

    The same packages give the same bytes. Raises InputError for a package that is none.
    """
    debs = sorted(name for name in names if name.endswith((".deb", ".udeb", ".ddeb")))
    told = {name: {"control": debfile.control(folder / name), "files": debfile.files(folder / name)} for name in debs}
    with whole(folder / DESCRIPTION) as file:
        file.write(gzip.compress(json.dumps(told, sort_keys=True).encode(), mtime=0))
