"""What the engine is told: a chroot to have, a build to do, and the limits it must keep."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from chroots.engine.binnmu import BinNmu

DAY = 24 * 3600
DEBIAN_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
BUILDER_UID = 1234
DEBOOTSTRAP = "debootstrap"
BOOTSTRAPS = ("mmdebstrap", DEBOOTSTRAP)
BACKENDS = ("native", "sbuild", "pbuilder")
CROSS_PROFILES = ("cross", "nocheck")


@dataclass(frozen=True, kw_only=True)
class Repository:
    """An archive beside the main one; `{mirror}` in an address is the chroot's own mirror, whatever that is."""

    name: str
    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...] = ("main",)
    key: str = ""  # path or address of its public keys; empty: the chroot's keyring
    fingerprint: str = ""  # the one key that must be in there; empty: whatever is
    secret: Path | None = None  # a file with name and password, or certificate, which only root reads

    def filled(self, **words: str) -> Repository:
        """With words for `{suite}` and the like."""
        uris, suites, components = (tuple(_filled(part, words) for part in parts)
                                    for parts in (self.uris, self.suites, self.components))  # fmt: skip
        return replace(self, uris=uris, suites=suites, components=components, key=_filled(self.key, words))

    @property
    def recipe(self) -> dict[str, object]:
        """What packages from here depend on; how one gets in makes no difference to them."""
        found = {name: value for name, value in asdict(self).items() if name != "secret"}
        path = Path(self.key)
        return {**found, "key_digest": hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""}


def _filled(text: str, words: Mapping[str, str]) -> str:
    for name, word in words.items():
        text = text.replace(f"{{{name}}}", word)
    return text


class Tmpfs(StrEnum):
    """Whether what a build writes is kept in memory."""

    AUTO = "auto"  # if it fits
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, kw_only=True)
class PluginUse:
    """A plugin that builds are to use; `required`: whether they fail with it (None: as the plugin has it)."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    required: bool | None = None


@dataclass(frozen=True, kw_only=True)
class ChrootSpec:
    """A base system to build or work in; `mirror` may be empty: then the machine's own Debian mirror is meant."""

    name: str
    suite: str
    architecture: str
    mirror: str = ""
    components: tuple[str, ...] = ("main",)
    variant: str = "buildd"  # mmdebstrap's: buildd, minbase, apt, ...
    packages: tuple[str, ...] = ()  # installed on top of the variant
    keyring: Path = DEBIAN_KEYRING
    bootstrap_options: tuple[str, ...] = ()  # handed to mmdebstrap as they are
    refresh_after: int = DAY  # seconds until the archive is asked whether the base is still current
    repositories: tuple[Repository, ...] = ()  # to take packages from, besides the mirror
    backend: str = BACKENDS[0]  # what builds in it, one of BACKENDS
    foreign_architectures: tuple[str, ...] = ()  # whose packages can be installed as well
    bootstrap: str = BOOTSTRAPS[0]  # what makes the base, one of BOOTSTRAPS
    check_valid_until: bool = True  # refuse archives whose InRelease is past its Valid-Until
    tmpfs: Tmpfs = Tmpfs.AUTO  # where what builds write is kept
    plugins: tuple[PluginUse, ...] = ()

    @property
    def key(self) -> str:
        """Names what the base is made of, whatever the chroot is called: equal keys share one base."""
        recipe = {**asdict(self), "keyring": os.fspath(self.keyring), "packages": sorted(self.packages)}
        for name in ("name", "refresh_after", "repositories", "backend", "foreign_architectures", "tmpfs", "plugins",
                     "check_valid_until", "bootstrap"):  # fmt: skip
            del recipe[name]
        if self.foreign_architectures:
            recipe["foreign_architectures"] = self.foreign_architectures
        if self.bootstrap != BOOTSTRAPS[0]:
            recipe["bootstrap"] = self.bootstrap
        if not self.check_valid_until:
            recipe["check_valid_until"] = False
        if self.repositories:
            recipe["repositories"] = [each.recipe for each in self.repositories]
        digest = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()
        return f"{self.suite}-{self.architecture}-{self.variant}-{digest[:12]}"


class BuildType(StrEnum):
    """Which packages to make, by Debian's words."""

    ANY = "any"  # only those of this architecture
    ALL = "all"  # only those for every architecture
    BINARY = "binary"  # both
    SOURCE = "source"

    @property
    def option(self) -> str:
        """The option of dpkg-buildpackage."""
        return {"any": "-B", "all": "-A", "binary": "-b", "source": "-S"}[self]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much one build may take; None is without limit."""

    time_limit: float | None = 12 * 3600.0  # seconds of wall clock
    idle_limit: float | None = 3600.0  # seconds of silence
    memory: int | None = None  # bytes
    disk: int = 16 << 30  # bytes the build may write
    processes: int = 4096
    processors: float | None = None  # how many it may keep busy
    log: int = 512 << 20  # bytes the build may say
    parallel: int = field(default_factory=lambda: os.cpu_count() or 1)


@dataclass(frozen=True, kw_only=True)
class BuildSpec:
    """One build: a source package's name in the archive, or the path of a `.dsc` with its files beside it.

    `host` is the architecture to build for (dpkg's host architecture), where that is not the chroot's own.
    """

    source: str
    chroot: ChrootSpec
    output: Path
    version: str = ""  # empty: the newest in the suite
    build_type: BuildType = BuildType.BINARY
    profiles: tuple[str, ...] = ()
    nocheck: bool = False
    host: str = ""
    expect: Mapping[str, str] | None = None  # sha256 by file name, frozen at submit: any other file is refused
    limits: Limits = field(default_factory=Limits)
    with_source: bool = False  # deliver the source package beside what is made of it
    ccache: int = 0  # bytes of its compiler cache; 0 for none
    plugins: tuple[PluginUse, ...] = ()  # beside those of the chroot, or instead of those of the same name
    repositories: tuple[Repository, ...] = ()  # to take build dependencies from, before the chroot's archives
    binnmu: BinNmu | None = None  # build_type is `any` then

    @property
    def is_local(self) -> bool:
        return self.source.endswith(".dsc")

    @property
    def host_architecture(self) -> str:
        return self.host or self.chroot.architecture


def crossing(spec: BuildSpec, host: str) -> BuildSpec:
    """The same build for the architecture `host`: it needs that one's packages, and cannot run what it makes."""
    if host == spec.chroot.architecture:
        return spec
    foreign = tuple(dict.fromkeys([*spec.chroot.foreign_architectures, host]))
    profiles = tuple(dict.fromkeys([*spec.profiles, *CROSS_PROFILES]))
    return replace(spec, host=host, profiles=profiles, nocheck=True,
                   chroot=replace(spec.chroot, foreign_architectures=foreign))  # fmt: skip
