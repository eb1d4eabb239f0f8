"""A real apt with folders of its own, and a repository of packages that were just made."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from builds.repository.paragraphs import binary, control_of, entries_of_binary, entry_of_source, source
from builds.repository.shelf import Entry
from builds.repository.spec import File, Spec
from builds.repository.writer import Change, Repository
from chroots.engine.archives.signing import Signer
from tests.main_job.packages import source_package
from tests.pipeline.signed import deb

FIRST = datetime(2026, 11, 22, tzinfo=UTC)
SPEC = Spec(suite="house", codename="house", origin="House", label="House", architectures=("amd64", "arm64"))


@dataclass
class Hub:
    """What a hub does for a repository, in a folder."""

    folder: Path
    spec: Spec = SPEC
    places: dict[str, Path] = field(default_factory=dict)
    made: int = 0

    def __post_init__(self) -> None:
        self.signer = Signer(self.folder / "keys")
        self.signer.ensure("House")
        self.repository = Repository(self.folder / "repository")

    def package(self, name: str, version: str = "1.0", **fields: str) -> tuple[list[Entry], File]:
        """A package's entries and its file; its owner is `NAME_VERSION`."""
        folder = self.folder / "made" / f"{name}_{version}"
        path = next(folder.glob("*.deb"), None) or deb(folder, name, version, **fields)
        content = path.read_bytes()
        file = File(path=f"pool/main/{name[0]}/{name}/b1/{path.name}", sha256=hashlib.sha256(content).hexdigest())
        self.places[file.sha256] = path
        said = subprocess.run(["dpkg-deb", "--field", path], check=True, capture_output=True, text=True).stdout
        paragraph = binary(control_of(said), path=file.path, size=len(content), sha256=file.sha256)
        entries = entries_of_binary(f"{name}_{version}", paragraph=paragraph, name=name, version=version,
                                    component="main", architectures=self.spec.architectures,
                                    contents=[f"usr/share/{name}/version"])  # fmt: skip
        return entries, file

    def source(self, name: str) -> tuple[list[Entry], list[File]]:
        """A source package's entry and its files, version 1.0; its owner is `NAME_1.0_source`."""
        dsc = source_package(self.folder / "made" / name, name)
        folder, paths = f"pool/main/{name[0]}/{name}/b1", sorted(dsc.parent.iterdir())
        digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
        self.places |= {digests[path.name]: path for path in paths}
        listed = [{"name": each.name, "sha256": digests[each.name], "size": each.stat().st_size} for each in paths]
        paragraph = source(dsc.read_text(), folder=folder, files=listed, component="main")
        entry = entry_of_source(f"{name}_1.0_source", paragraph=paragraph, name=name, version="1.0", component="main")
        return [entry], [File(path=f"{folder}/{path.name}", sha256=digests[path.name]) for path in paths]

    def change(
        self, *packages: tuple[list[Entry], File], sources: Sequence[tuple[list[Entry], list[File]]] = (),
        remove: Sequence[str] = (), anew: bool = False,
    ) -> dict[str, Any]:  # fmt: skip
        """One more snapshot, with these packages and sources in and those owners out."""
        self.made += 1
        moment = FIRST + timedelta(seconds=self.made)
        wanted = Change(
            name=moment.strftime("%Y%m%dT%H%M%SZ"), base="" if anew else self.repository.current, spec=self.spec,
            add=[entry for entries, _ in (*packages, *sources) for entry in entries], remove=remove,
            files=[*(file for _, file in packages), *(file for _, files in sources for file in files)],
        )  # fmt: skip
        return self.repository.change(wanted, self.signer, self.places.__getitem__)


@dataclass
class Apt:
    """apt-get, with lists, caches and sources below a folder, and no other keys."""

    folder: Path
    address: str
    keys: bytes
    suite: str = "house"
    architecture: str = "amd64"

    def __post_init__(self) -> None:
        for name in ("etc/sources.list.d", "etc/preferences.d", "lists/partial", "cache/archives/partial", "dpkg"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "dpkg/status").touch()
        (self.folder / "key.asc").write_bytes(self.keys)
        (self.folder / "etc/sources.list.d/house.sources").write_text(
            f"Types: deb deb-src\nURIs: {self.address}\nSuites: {self.suite}\nComponents: main\n"
            f"Signed-By: {self.folder}/key.asc\n"
        )

    def __call__(self, *args: str, program: str = "apt-get", check: bool = True) -> str:
        options = {
            "Dir::Etc": f"{self.folder}/etc", "Dir::State": os.fspath(self.folder), "Dir::State::lists": "lists",
            "Dir::Cache": f"{self.folder}/cache", "Dir::State::status": f"{self.folder}/dpkg/status",
            "APT::Architecture": self.architecture, "APT::Architectures": self.architecture,
            "APT::Sandbox::User": "root", "Acquire::Languages": "none", "Dir::Etc::trusted": "/dev/null",
            "Dir::Etc::trustedparts": "/dev/null", "Acquire::Check-Date": "false", "Debug::NoLocking": "true",
        }  # fmt: skip
        given = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        env = {**os.environ, "APT_CONFIG": "/dev/null", "LC_ALL": "C.UTF-8"}
        command = [program, *given, *args]
        done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=self.folder, check=False)
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr
