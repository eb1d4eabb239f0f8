"""Treefiles: what a system is made of, resolved from includes, variants and architectures."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from composes.pipeline.customized import folding
from composes.pipeline.system import gpt
from composes.pipeline.treefiles import beside, checks, marks, mistakes
from composes.pipeline.treefiles.checks import Checks
from composes.pipeline.treefiles.iso import IsoOptions
from composes.pipeline.treefiles.marks import place_of
from composes.pipeline.treefiles.parts import (
    Part,
    check_removals,
    for_architecture,
    fulfilled,
    mention,
    merge,
    packages_of,
)
from composes.pipeline.treefiles.sizes import size_in_bytes
from debatomic.tools.errors import InputError

LISTS = ("components", "packages", "exclude", "purge_packages", "kargs", "channels")
PLAIN = ("summary", "recommends", "documentation", "snapshot")
CHANNELS = ("nightly", "testing", "stable")  # where nothing else is said
DEFAULTS: Part = {
    "summary": "", "components": ["main"], "ref": "{name}/{suite}/{architecture}/{variant}", "packages": [],
    "groups": [], "exclude": [], "purge-packages": [], "recommends": False, "documentation": False, "repositories": [],
    "units": {}, "kargs": [], "channels": [], "image": {}, "container": {}, "metadata": {}, "remote": {}, "tests": {},
    "policies": {}, "gates": {}, "debs": [], "snapshot": "", "check-valid-until": True, "customizations": {},
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Repository:
    """An archive beside Debian's own; `key` is its OpenPGP key, ASCII-armoured, or empty for Debian's keyring.

    With a `fingerprint` it must be signed by the key of that fingerprint.
    """

    name: str
    uri: str
    suite: str
    key: str = ""
    components: tuple[str, ...] = ("main",)
    priority: int = 500
    fingerprint: str = ""


@dataclass(frozen=True, kw_only=True)
class Deb:
    """A package that comes with the treefile: `file` is below its folder."""

    file: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class ImageOptions:
    """`size` of the whole disk in bytes, 0 for just enough."""

    size: int = 0
    formats: tuple[str, ...] = ("raw", "qcow2", "oci")
    firmware: tuple[str, ...] = ("bios", "uefi")
    iso: IsoOptions = field(default_factory=IsoOptions)
    place: str = field(default="", compare=False)  # where `size` was written


@dataclass(frozen=True, kw_only=True)
class ContainerOptions:
    """How the layers of the container are compressed, and how many there may be."""

    compression: str = "zstd"
    layers: int = 64


@dataclass(frozen=True, kw_only=True)
class Tree:
    """A treefile resolved for one variant and architecture. Package names are `marks.Text`: they know their line."""

    name: str
    variant: str
    architecture: str
    suite: str
    ref: str  # of the first channel
    channels: tuple[str, ...]  # of release, in the order of promotion
    refs: tuple[str, ...]  # one for each channel
    summary: str
    components: tuple[str, ...]
    packages: tuple[str, ...]
    exclude: tuple[str, ...]
    purge_packages: tuple[str, ...]
    recommends: bool
    documentation: bool
    repositories: tuple[Repository, ...]
    enable: tuple[str, ...]
    disable: tuple[str, ...]
    mask: tuple[str, ...]
    kargs: tuple[str, ...]
    image: ImageOptions
    container: ContainerOptions
    remote: tuple[str, str]  # name and address of the repository systems upgrade from; both empty for none
    metadata: tuple[tuple[str, str], ...]
    debs: tuple[Deb, ...]
    snapshot: str  # the archives' time, 20261101T000000Z; empty: now
    check_valid_until: bool
    customizations: Mapping[str, Any] = field(hash=False)  # as the treefile has them, less what other fields say
    checks: Checks = field(default_factory=Checks)

    def as_json(self) -> dict[str, Any]:
        result: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        del result["image"]["place"]
        return result

    def part(self, *names: str) -> dict[str, Any]:
        """Some of its fields, as JSON: what a stage depends on."""
        content = self.as_json()
        return {name: content[name] for name in names}

    @property
    def digest(self) -> str:
        return hashlib.sha256(json.dumps(self.as_json(), sort_keys=True).encode()).hexdigest()


@dataclass(kw_only=True)
class _Reading:
    """One treefile being read with all it includes, none of which may lie outside of `top`."""

    top: Path
    files: list[Path] = field(default_factory=list)
    mentioned: dict[str, set[str]] = field(default_factory=dict)


def load(path: Path) -> Part:
    """A treefile with all it includes, validated. Raises InputError naming file and line."""
    reading = _Reading(top=path.resolve().parent)
    mention(DEFAULTS, reading.mentioned)
    content = _load(path.resolve(), reading, ())
    check_removals(content, reading.mentioned)
    if "name" not in content:
        content["name"] = path.stem
    return content


def files(path: Path) -> list[str]:
    """The files a treefile consists of: itself and what it includes, relative to its folder."""
    reading = _Reading(top=path.resolve().parent)
    _load(path.resolve(), reading, ())
    return sorted({str(file.relative_to(reading.top)) for file in reading.files})


def _load(path: Path, reading: _Reading, above: tuple[Path, ...]) -> Part:
    shown = str(path.relative_to(reading.top)) if path.is_relative_to(reading.top) else path.name
    content = marks.load(path, shown)
    folding.refuse(content)
    mistakes.validate(content, shown)
    reading.files += beside.take_keys(content, path, reading.top)
    mention(content, reading.mentioned)
    reading.files.append(path)
    reading.files += checks.read_scripts(content, path, reading.top)
    result: Part = {}
    for name in _names(content.pop("include", [])):
        included = _included(name, path, reading.top, (*above, path))
        result = merge(result, _load(included, reading, (*above, path)))
    return merge(result, content)


def _included(name: str, path: Path, top: Path, above: tuple[Path, ...]) -> Path:
    target = (path.parent / name).resolve()
    if not target.is_relative_to(top):
        raise InputError(f"{place_of(name)}: include {name} leads out of the folder of the treefile.")
    if target in above:
        loop = " → ".join(each.name for each in (*above[above.index(target) :], target))
        raise InputError(f"{place_of(name)}: this include goes round in a circle: {loop}.")
    if not target.is_file():
        raise InputError(f"{place_of(name)}: there is no file {name} to include.")
    return target


def _names(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def variants(content: Part) -> dict[str, str]:
    """Its variants by name, with their summaries."""
    return {str(name): str((part or {}).get("summary", "")) for name, part in content.get("variants", {}).items()}


def architectures(content: Part) -> list[str]:
    """The architectures it is written for."""
    return [str(name) for name in content.get("architectures", {})]


def resolve(content: Part, variant: str, architecture: str) -> Tree:
    """The loaded treefile `content` for one variant and architecture. Raises InputError."""
    known = architectures(content)
    if architecture not in known:
        listed = ", ".join(known) or "none: it has no key architectures"
        raise InputError(f"{content['name']} is not written for architecture {architecture}; it knows {listed}.")
    merged = merge(DEFAULTS, for_architecture(content, architecture))
    for name in _inherited(content, variant):
        merged = merge(merged, for_architecture(content["variants"][name] or {}, architecture))
    if "suite" not in merged:
        raise InputError(f"{content['name']} lacks the key suite, as in suite: trixie.")
    words = {"name": content["name"], "variant": variant, "architecture": architecture, "suite": merged["suite"]}
    return _tree(words, fulfilled(merged, words), content.get("package-groups", {}))


def _inherited(content: Part, variant: str, above: tuple[str, ...] = ()) -> list[str]:
    """The variant's line of ancestors, itself last."""
    known = content.get("variants", {})
    place = f"{place_of(variant)}: " if place_of(variant) else ""
    if variant not in known:
        raise InputError(f"{place}{content['name']} has no variant {variant}; it has {', '.join(known) or 'none'}.")
    if variant in above:
        raise InputError(f"{place}variants inherit in a circle: {' → '.join((*above, variant))}.")
    line: list[str] = []
    for parent in _names((known[variant] or {}).get("inherits", [])):
        line += [name for name in _inherited(content, parent, (*above, variant)) if name not in line]
    return [*line, str(variant)]


def _tree(words: dict[str, str], part: Part, groups: dict[str, Part | None]) -> Tree:
    units, remote = part["units"], part["remote"]
    folded = folding.fold(part["customizations"])
    plain: dict[str, Any] = {**words, **{name: part[name] for name in PLAIN}}
    plain |= {name: tuple(part[name.replace("_", "-")]) for name in LISTS}
    plain |= {name: _united(units.get(name, ()), getattr(folded, name)) for name in ("enable", "disable", "mask")}
    plain["packages"] = _united(plain["packages"], packages_of(part["groups"], groups, part["exclude"]))
    plain["kargs"] = _united(plain["kargs"], folded.kargs)
    plain["snapshot"] = beside.moment(plain["snapshot"])
    plain["channels"] = plain["channels"] or CHANNELS
    refs = _refs(part["ref"], words, plain["channels"])
    return Tree(
        **plain, ref=refs[0], refs=refs, repositories=tuple(_repository(each) for each in part["repositories"]),
        debs=tuple(Deb(**each) for each in part["debs"]), check_valid_until=part["check-valid-until"],
        image=_image(part["image"], folded), container=ContainerOptions(**part["container"]),
        remote=(remote.get("name", ""), remote.get("url", "")), metadata=tuple(sorted(part["metadata"].items())),
        customizations=folded.rest, checks=checks.of(part),
    )  # fmt: skip


def _refs(template: str, words: dict[str, str], channels: tuple[str, ...]) -> tuple[str, ...]:
    """The ref of each channel: where the template does not say `{channel}`, all but the first have it in front."""
    refs = [_ref(template, {**words, "channel": channel}) for channel in channels]
    if "{channel}" not in template:
        refs[1:] = [f"{channel}/{refs[0]}" for channel in channels[1:]]
    for ref in refs:
        if inside := next((other for other in refs if other.startswith(f"{ref}/")), ""):
            raise InputError(f"{place_of(template) or 'ref'}: no ref may lie in another: {inside} in {ref}.")
    return tuple(refs)


def _united(first: Iterable[str], second: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*first, *second]))


def _repository(part: Part) -> Repository:
    return Repository(**{**part, "components": tuple(part.get("components", ["main"]))})


def _ref(template: str, words: dict[str, str]) -> str:
    ref = re.sub(r"\{([a-z]+)\}", lambda match: words.get(match[1], match[0]), template)
    if "{" in ref or "}" in ref:
        known = ", ".join(f"{{{word}}}" for word in words)
        raise InputError(f"{place_of(template) or 'ref'}: ref {template} may use only {known}.")
    return ref


def _image(part: Part, folded: folding.Folded) -> ImageOptions:
    known: dict[str, Any] = {key: tuple(part[key]) for key in ("formats", "firmware") if part.get(key)}
    known["iso"] = IsoOptions(**part.get("iso", {}))
    size = part.get("size", "auto")
    least = gpt.disk_bytes(folded.root_bytes) if folded.root_bytes else 0
    place = folded.root_place if least > size_in_bytes(size) else place_of(size)
    return ImageOptions(size=max(size_in_bytes(size), least), place=place, **known)
