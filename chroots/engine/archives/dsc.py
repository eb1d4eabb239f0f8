"""Control files that list other files, `.dsc` and `.changes`: believed only when every listed file is as listed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from debian.deb822 import Deb822

from debatomic.tools.errors import InputError
from debatomic.tools.files import sha256

LIMIT = 4 << 20
NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
VERSION = re.compile(r"(?:\d+:)?[0-9][A-Za-z0-9.+~-]*")
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+~-]{0,199}")
BUILD_FIELDS = ("Build-Depends", "Build-Depends-Arch", "Build-Depends-Indep",
                "Build-Conflicts", "Build-Conflicts-Arch", "Build-Conflicts-Indep")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Dsc:
    """A source package's `.dsc`; `files` are (sha256, size) by name, without the `.dsc` itself."""

    path: Path
    name: str
    version: str
    architectures: tuple[str, ...]
    build_fields: Mapping[str, str]
    files: Mapping[str, tuple[str, int]]

    @property
    def upstream_version(self) -> str:
        """The version without epoch and Debian revision."""
        return re.sub(r"-[^-]*$", "", self.version.partition(":")[2] or self.version)


def parse_dsc(path: Path) -> Dsc:
    """Read a `.dsc`; its text is checked, its files are not (see `verify`)."""
    fields = control_fields(path)
    for field in ("Source", "Version", "Checksums-Sha256"):
        if field not in fields:
            raise InputError(f"{path.name} has no field {field}: it is not a source package's .dsc.")
    if not NAME.fullmatch(fields["Source"]):
        raise InputError(f"{path.name} names a source package '{fields['Source']}', which is not a valid name.")
    if not VERSION.fullmatch(fields["Version"]):
        raise InputError(f"{path.name} has the version '{fields['Version']}', which is not a valid version.")
    return Dsc(
        path=path, name=fields["Source"], version=fields["Version"],
        architectures=tuple(fields.get("Architecture", "").split()), files=listed_files(fields, path.name),
        build_fields={field: " ".join(fields[field].split()) for field in BUILD_FIELDS if field in fields},
    )  # fmt: skip


def control_fields(path: Path) -> Mapping[str, str]:
    """The first paragraph of a control file, a clear signature around it removed."""
    if not path.is_file():
        raise InputError(f"There is no file {path}.")
    if path.stat().st_size > LIMIT:
        raise InputError(f"{path.name} is larger than {LIMIT} bytes; that cannot be right.")
    fields: Mapping[str, str] = Deb822(path.read_text(encoding="utf-8", errors="replace"))
    if not fields:
        raise InputError(f"{path.name} has no fields: it is empty or not a control file.")
    return fields


def listed_files(fields: Mapping[str, str], where: str) -> dict[str, tuple[str, int]]:
    """The table Checksums-Sha256, every name a plain file name and there once."""
    files: dict[str, tuple[str, int]] = {}
    for line in fields.get("Checksums-Sha256", "").splitlines():
        if not (parts := line.split()):
            continue
        if len(parts) != 3 or not re.fullmatch(r"[0-9a-f]{64}", parts[0]) or not re.fullmatch(r"[0-9]{1,15}", parts[1]):
            raise InputError(f"{where} has a line in Checksums-Sha256 that cannot be read: '{line.strip()}'.")
        digest, size, name = parts
        if not FILE_NAME.fullmatch(name):
            raise InputError(f"{where} lists a file named '{name}'; only plain file names are allowed.")
        if name in files:
            raise InputError(f"{where} lists {name} twice.")
        files[name] = (digest, int(size))
    if not files:
        raise InputError(f"{where} lists no files.")
    return files


def verify(files: Mapping[str, tuple[str, int]], folder: Path, where: str) -> None:
    """Refuse by name what is missing in `folder` or other than `where` lists it."""
    for name, (digest, size) in files.items():
        path = folder / name
        if path.is_symlink() or not path.is_file():
            raise InputError(
                f"{where} lists {name}, but that file is missing.", hint="Upload it together with the .dsc."
            )
        if path.stat().st_size != size:
            raise InputError(f"{name} is altered: it has {path.stat().st_size} bytes, {where} lists {size}.")
        if (actual := sha256(path)) != digest:
            raise InputError(f"{name} is altered: its SHA-256 is {actual}, {where} lists {digest}.")


def require_expected(paths: Mapping[str, Path], expected: Mapping[str, str]) -> None:
    """Refuse every file but those whose SHA-256 was frozen when the build was submitted."""
    for name, path in paths.items():
        if name not in expected:
            raise InputError(f"{name} was not part of the source package when the build was submitted.")
        if (actual := sha256(path)) != expected[name]:
            raise InputError(
                f"{name} changed since the build was submitted: its SHA-256 is {actual}, not {expected[name]}."
            )
    if missing := sorted(set(expected) - set(paths)):
        raise InputError(
            f"{missing[0]} was part of the source package when the build was submitted; it is missing now."
        )
