"""Chroot definitions in YAML: one file describes a family of chroots, and inherits from others.

A key replaces what is inherited; with a + before it, it adds to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path

from chroots.engine.configuration.places import Value, parse_mapping
from chroots.engine.configuration.values import DEFAULTS, KEYS, LISTS, PART, converted, filled, known, text, texts
from chroots.engine.spec import ChrootSpec
from debatomic.tools.errors import InputError

DEFINITIONS = Path(__file__).resolve().parents[2] / "definitions"
NAME = re.compile(r"[a-z0-9][a-z0-9.+-]*")
FAMILIES = ("architectures", "flavours")
PART_KEYS = [key for key in KEYS if key != "architecture"]
PART_KEYS += [f"+{key}" for key in LISTS]
FILE_KEYS = ["base", "include", "architecture", *PART_KEYS, *FAMILIES, *(f"+{key}" for key in FAMILIES)]
Keys = Mapping[str, Value]
Parts = Mapping[str, tuple[Keys, ...]]
Joined = dict[str, list[Value]]


@dataclass(frozen=True, kw_only=True)
class Family:
    """What a file and all it inherits say, lowest first; architectures and flavours each add a part of their own."""

    general: tuple[Keys, ...] = ()
    architectures: Parts = field(default_factory=dict)
    flavours: Parts = field(default_factory=dict)

    def extended(self, keys: Keys) -> Family:
        """With what one more file says."""
        general = {key: value for key, value in keys.items() if key.lstrip("+") not in (*FAMILIES, "base", "include")}
        inherited = {} if "architecture" in general else self.architectures
        return Family(
            general=(*self.general, general), architectures=_parts(inherited, keys, "architectures"),
            flavours=_parts(self.flavours, keys, "flavours"),
        )  # fmt: skip

    def members(self) -> dict[str, tuple[Keys, ...]]:
        """What is said about each chroot, by what its name has behind the file's."""
        found: dict[str, tuple[Keys, ...]] = {"": self.general}
        if self.architectures:
            found = {f"-{name}": (*self.general, *parts) for name, parts in self.architectures.items()}
        found |= {f"{name}-{flavour}": (*said, *parts) for flavour, parts in self.flavours.items()
                  for name, said in found.items()}  # fmt: skip
        return {name: said for name, said in found.items() if not {"suite", "architecture"} - set(_joined(said))}


def _parts(inherited: Parts, keys: Keys, family: str) -> Parts:
    found = {} if family in keys else dict(inherited)
    for key in (family, f"+{family}"):
        for name, part in (keys[key].content if key in keys else {}).items():
            own = {"architecture": Value(content=name, where=part.where)} if family == "architectures" else {}
            found[name] = (*found.get(name, ()), {**own, **(part.content or {})})
    return found


def _joined(said: Iterable[Keys]) -> Joined:
    """The values of each key that count: the last one, or with + those it adds to as well."""
    values: Joined = {}
    for keys in said:
        for key, value in keys.items():
            if key.startswith("+"):
                values.setdefault(key[1:], _default(key[1:])).append(value)
            else:
                values[key] = [value]
    return values


def _default(key: str) -> list[Value]:
    items: tuple[str, ...] = DEFAULTS[key]
    return [Value(content=[Value(content=item, where="default") for item in items], where="default")] if items else []


def names(folder: Path = DEFINITIONS) -> list[str]:
    """The chroots that are defined; files that only serve as a base for others are none."""
    return sorted(name for path in folder.glob("*.yaml") for name in _members(path))


def _members(path: Path) -> list[str]:
    return [f"{path.stem}{behind}" for behind in _family(path, ()).members()]


def load(name: str, folder: Path = DEFINITIONS) -> ChrootSpec:
    """The definition of a chroot, with what it inherits.

    Raises: InputError with file, line and key, or with the names there are.
    """
    values = {key: converted(key, said) for key, said in _values(name, folder).items()}
    spec = ChrootSpec(name=name, **values)
    return replace(spec, repositories=filled(spec))


def origins(name: str, folder: Path = DEFINITIONS) -> dict[str, str]:
    """Where each key of a chroot's definition got its value: `file:line`, several where they add up, or `default`."""
    said = _values(name, folder)
    given = {key: ", ".join(value.where for value in values) for key, values in said.items()}
    return {key: given.get(key, "default") for key in KEYS}


def _values(name: str, folder: Path) -> Joined:
    found = _find(name, folder)
    if isinstance(found, dict):
        return found
    path, family = found
    members = family.members()
    if "" in members:
        return _joined(members[""])
    if members:
        raise InputError(f"{name} is several chroots: {', '.join(name + behind for behind in members)}. Name one.")
    lacking = next((key for key in ("suite", "architecture") if key not in _joined(family.general)), "architecture")
    raise InputError(f"{path}: the key {lacking} is missing.")


def _find(name: str, folder: Path, origin: str = "", way: tuple[Path, ...] = ()) -> tuple[Path, Family] | Joined:
    """A whole file by its name, or what is said about one of the chroots in it."""
    parts = name.split("-") if NAME.fullmatch(name) else []
    for count in range(len(parts), 0, -1):
        stem = "-".join(parts[:count])
        if path := _file(f"{stem}.yaml", folder):
            family = _family(path, way, origin)
            if stem == name:
                return path, family
            if (said := family.members().get(name.removeprefix(stem))) is not None:
                return _joined(said)
    raise _unknown(name, folder, origin)


def _unknown(name: str, folder: Path, origin: str) -> InputError:
    files = sorted(folder.glob("*.yaml"))
    there = [path.stem for path in files] if origin else [name for path in files for name in _members_or_nothing(path)]
    near = get_close_matches(name, there, n=1)
    what = "definitions" if origin else "chroots"
    return InputError(f"{origin}There is no chroot '{name}'{f'; did you mean {near[0]}?' if near else '.'}",
                      hint=f"Known {what}: {', '.join(there) or 'none'}.")  # fmt: skip


def _members_or_nothing(path: Path) -> list[str]:
    try:
        return _members(path)
    except InputError:
        return []


def _file(name: str, folder: Path) -> Path | None:
    """A file of the folder, or one that comes with DebAtomic."""
    return next((path for path in (folder / name, DEFINITIONS / name) if path.is_file()), None)


def _family(path: Path, way: tuple[Path, ...], origin: str = "") -> Family:
    """What a definition says, after its base and what it includes."""
    keys = _read(path, way, origin)
    way, folder, family = (*way, path), path.parent, Family()
    if base := keys.get("base"):
        found = _find(text(base, "base"), folder, f"{base.where}: base: ", way)
        family = found[1] if isinstance(found, tuple) else Family(general=_flat(found))
    return _with_included(family, keys, way).extended(keys)


def _flat(values: Mapping[str, list[Value]]) -> tuple[Keys, ...]:
    first = {key: said[0] for key, said in values.items()}
    return (first, *({f"+{key}": value} for key, said in values.items() for value in said[1:]))


def _with_included(family: Family, keys: Keys, way: tuple[Path, ...]) -> Family:
    include = keys.get("include")
    for name in texts(include, "include") if include else ():
        assert include is not None
        path = _file(name, way[-1].parent)
        if not path:
            raise InputError(f"{include.where}: include: there is no file {name} in {way[-1].parent}.")
        included = _read(path, way, f"{include.where}: include: ")
        if "base" in included:
            raise InputError(f"{included['base'].where}: a file that is included cannot have the key base.")
        family = _with_included(family, included, (*way, path)).extended(included)
    return family


def _read(path: Path, way: tuple[Path, ...], origin: str) -> Keys:
    """The keys of one file, those of its parts included, all of them known."""
    if path in way:
        around = " → ".join(each.name for each in (*way[way.index(path) :], path))
        raise InputError(f"{origin}{around}: that is a circle.")
    keys = parse_mapping(path.read_text(), str(path))
    known(keys, FILE_KEYS)
    for key in keys:
        if key.lstrip("+") in FAMILIES:
            _check_parts(keys[key], key)
        elif key.lstrip("+") in KEYS:
            KEYS[key.lstrip("+")](keys[key], key)
    return keys


def _check_parts(value: Value, key: str) -> None:
    if not isinstance(value.content, dict):
        raise InputError(f"{value.where}: {key} must have a name and keys in each entry, such as 'arm64: {{}}'.")
    for name, part in value.content.items():
        if not PART.fullmatch(name):
            raise InputError(f"{part.where}: {name} cannot be part of a chroot's name: letters, digits, . and + can.")
        if not isinstance(part.content, dict | None):
            raise InputError(f"{part.where}: {name} must have keys, or {{}} for none.")
        known(part.content or {}, PART_KEYS)
        for each, said in (part.content or {}).items():
            KEYS[each.lstrip("+")](said, each)
