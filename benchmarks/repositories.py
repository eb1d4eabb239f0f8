"""An APT repository changed by one package: ours, apt-ftparchive, reprepro and aptly, in turns; medians.

    sudo apt-get install apt-utils reprepro aptly
    python -m benchmarks.repositories [--packages 1000 50000] [--rounds 5] [--folder DIR]

Every contender gets the same small packages, whose control files are the paragraphs of this machine's own lists of
Debian packages, and makes a signed repository of them (first), then takes one more package a round (change). Whole
commands are timed, signing with gpg included; processor seconds and the most memory of one process are those of the
commands alone. Results with method: docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from builds.repository.paragraphs import NOT_THEIRS, binary, control_of, entries_of_binary
from builds.repository.writer import DATE
from chroots.engine.archives.signing import Signer

SUITE, ARCHITECTURE = "bench", "amd64"
# Of a small process, so that what it starts does not begin with our memory.
ALONE = """
import os, sys, time
began = time.monotonic()
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
_, status, used = os.wait4(pid, 0)
seconds = time.monotonic() - began
print(f"\\n{status} {seconds} {used.ru_utime + used.ru_stime} {used.ru_maxrss}", file=sys.stderr)
"""
Cost = tuple[float, float, int]  # seconds of the wall, of processors; KiB


@dataclass(frozen=True)
class Package:
    """A package file, with its control paragraph."""

    path: Path
    name: str
    control: str


def controls() -> Iterator[str]:
    """The paragraphs of Debian packages that apt knows on this machine, by other names from the second time on."""
    listed = subprocess.run(["apt-cache", "dumpavail"], check=True, capture_output=True, text=True).stdout
    paragraphs = [each for each in listed.split("\n\n") if f"Architecture: {ARCHITECTURE}" in each]
    for number in range(1_000_000):
        text = paragraphs[number % len(paragraphs)]
        lines, skipped = [], False
        for line in text.splitlines():
            field = line.partition(":")[0].lower()
            skipped = skipped if line.startswith(" ") else field in {*NOT_THEIRS, "description-md5", "status"}
            if not skipped:
                more = f"-{number}" if field == "package" and number >= len(paragraphs) else ""
                lines.append(line + more)
        yield "\n".join(lines) + "\n"


def make(folder: Path, control: str, version: str = "") -> Package:
    """A package of this control file, with one file in it."""
    fields = dict(line.split(": ", 1) for line in control.splitlines() if ": " in line and line[0] != " ")
    if version:
        control = control.replace(f"Version: {fields['Version']}\n", f"Version: {version}\n")
    name, number = fields["Package"], (version or fields["Version"]).partition(":")[2] or version or fields["Version"]
    path = folder / name[:2] / f"{name}_{number}_{ARCHITECTURE}.deb"
    path.parent.mkdir(parents=True, exist_ok=True)
    members = {"debian-binary": b"2.0\n", "control.tar.gz": _tar("./control", control.encode()),
               "data.tar.gz": _tar(f"./usr/share/{name}/version", number.encode())}  # fmt: skip
    with path.open("wb") as file:
        file.write(b"!<arch>\n")
        for member, content in members.items():
            file.write(f"{member:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode())
            file.write(content + b"\n" * (len(content) % 2))
    return Package(path, name, control)


def _tar(name: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as tar:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


class Contender(ABC):
    """A tool with a folder of its own; `first` makes the repository, `change` takes one more package."""

    def __init__(self, folder: Path, keys: Path) -> None:
        self.folder, self.keys = folder, keys
        self.costs: list[Cost] = []  # of the programs of one step
        folder.mkdir()
        self.key = Signer(keys).fingerprints()[0]
        self.environment = {
            **os.environ,
            "GNUPGHOME": os.fspath(keys),
            "PYTHONPATH": os.fspath(Path(__file__).parents[1]),
        }

    @abstractmethod
    def first(self, packages: list[Package]) -> None:
        """Make the repository of these."""

    @abstractmethod
    def change(self, package: Package) -> None:
        """Take one more."""

    def run(self, *args: str | Path, stdin: str = "") -> str:
        """Run a program, and add what it cost; what it said."""
        words = [os.fspath(arg) for arg in args]
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as told:
            given.write(stdin.encode())
            given.seek(0)
            subprocess.run([sys.executable, "-I", "-S", "-c", ALONE, *words], cwd=self.folder, env=self.environment,
                           stdin=given, stdout=said, stderr=told, check=False)  # fmt: skip
            for file in (said, told):
                file.seek(0)
            output, (*errors, last) = said.read().decode(), told.read().decode(errors="replace").splitlines()
        status, seconds, processors, memory = last.split()
        if status != "0":
            raise SystemExit(f"{words[0]} failed: {output[-300:]} {errors[-5:]}")
        self.costs.append((float(seconds), float(processors), int(memory)))
        return output


class DebAtomic(Contender):
    """`python -m builds.repository`, told what comes, as the hub tells it."""

    def __init__(self, folder: Path, keys: Path) -> None:
        super().__init__(folder, keys)
        self.at = datetime(2026, 11, 1, tzinfo=UTC)

    def first(self, packages: list[Package]) -> None:
        self._change(packages, base="")

    def change(self, package: Package) -> None:
        self._change([package], base=self.at.strftime(DATE))

    def _change(self, packages: list[Package], *, base: str) -> None:
        self.at += timedelta(seconds=1)
        entries, files, places = [], [], {}
        for package in packages:
            content = package.path.read_bytes()
            digest, path = (
                hashlib.sha256(content).hexdigest(),
                f"pool/main/{package.path.parent.name}/{package.path.name}",
            )
            paragraph = binary(control_of(package.control), path=path, size=len(content), sha256=digest)
            entries += entries_of_binary(path, paragraph=paragraph, name=package.name, version=path, component="main",
                                         architectures=[ARCHITECTURE])  # fmt: skip
            files.append({"path": path, "sha256": digest})
            places[digest] = os.fspath(package.path)
        spec = {"suite": SUITE, "codename": SUITE, "origin": SUITE, "label": SUITE, "architectures": [ARCHITECTURE]}
        wanted = {"name": self.at.strftime(DATE), "base": base, "spec": spec, "files": files,
                  "add": [asdict(each) for each in entries]}  # fmt: skip
        (self.folder / "change.json").write_text(json.dumps(wanted))
        (self.folder / "places.json").write_text(json.dumps(places))
        self.run(sys.executable, "-m", "builds.repository", "change", "repository", "--change", "change.json",
                 "--places", "places.json", "--signing-home", self.keys)  # fmt: skip


class FtpArchive(Contender):
    """apt-ftparchive generate with its cache, release, gpg."""

    def first(self, packages: list[Package]) -> None:
        for package in packages:
            self._place(package)
        (self.folder / f"dists/{SUITE}/main/binary-{ARCHITECTURE}").mkdir(parents=True)
        (self.folder / "generate.conf").write_text(
            f'Dir {{ ArchiveDir "{self.folder}"; CacheDir "{self.folder}"; }};\n'
            'Default { Packages::Compress ". xz"; };\n'
            f'Tree "dists/{SUITE}" {{ Sections "main"; Architectures "{ARCHITECTURE}"; Directory "pool/"; '
            f'BinCacheDB "cache.db"; }};\n'
        )  # fmt: skip
        self._generate()

    def change(self, package: Package) -> None:
        self._place(package)
        self._generate()

    def _place(self, package: Package) -> None:
        target = self.folder / "pool" / package.path.parent.name / package.path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(package.path, target)

    def _generate(self) -> None:
        self.run("apt-ftparchive", "generate", "generate.conf")
        suite = self.folder / "dists" / SUITE
        told = self.run("apt-ftparchive", "-o", f"APT::FTPArchive::Release::Suite={SUITE}", "release", suite)
        (suite / "InRelease").unlink(missing_ok=True)
        self.run("gpg", "--batch", "--clear-sign", "--output", suite / "InRelease", stdin=told)


class Reprepro(Contender):
    """reprepro includedeb, with xz indexes."""

    def first(self, packages: list[Package]) -> None:
        (self.folder / "conf").mkdir()
        (self.folder / "conf/distributions").write_text(
            f"Codename: {SUITE}\nArchitectures: {ARCHITECTURE}\nComponents: main\nSignWith: {self.key}\n"
            "DebIndices: Packages Release . .xz\n"
        )
        for begin in range(0, len(packages), 1000):
            self._include(packages[begin : begin + 1000], "--export=silent-never")
        self.run("reprepro", "-b", self.folder, "export", SUITE)

    def change(self, package: Package) -> None:
        self._include([package])

    def _include(self, packages: list[Package], *options: str) -> None:
        self.run("reprepro", "--ignore=wrongdistribution", "--section", "misc", "--priority", "optional", *options,
                 "-b", self.folder, "includedeb", SUITE, *(package.path for package in packages))  # fmt: skip


class Aptly(Contender):
    """aptly repo add, publish update."""

    def first(self, packages: list[Package]) -> None:
        (self.folder / "aptly.conf").write_text(json.dumps({"rootDir": os.fspath(self.folder), "gpgProvider": "gpg"}))
        self._aptly("repo", "create", SUITE)
        incoming = self.folder / "incoming"
        for package in packages:
            target = incoming / package.path.parent.name / package.path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(package.path, target)
        self._aptly("repo", "add", SUITE, os.fspath(incoming))
        self._aptly("publish", "repo", "-batch", "-skip-contents", f"-gpg-key={self.key}", f"-distribution={SUITE}",
                    f"-architectures={ARCHITECTURE}", SUITE)  # fmt: skip

    def change(self, package: Package) -> None:
        self._aptly("repo", "add", SUITE, os.fspath(package.path))
        self._aptly("publish", "update", "-batch", "-skip-contents", f"-gpg-key={self.key}", SUITE)

    def _aptly(self, *args: str) -> None:
        self.run("aptly", "-config", self.folder / "aptly.conf", *args)


CONTENDERS: dict[str, Callable[[Path, Path], Contender]] = {
    "debatomic": DebAtomic,
    "apt-ftparchive": FtpArchive,
    "reprepro": Reprepro,
    "aptly": Aptly,
}


def cost(contender: Contender, packages: list[Package]) -> Cost:
    """Of making it (of many packages) or changing it (of one): seconds, processor seconds, most memory."""
    contender.costs.clear()
    if len(packages) > 1:
        contender.first(packages)
    else:
        contender.change(packages[0])
    seconds, processors, memory = zip(*contender.costs, strict=True)
    return sum(seconds), sum(processors), max(memory)


def compare(number: int, rounds: int, folder: Path, names: list[str]) -> None:
    texts = controls()
    packages = [make(folder / "packages", next(texts)) for _ in range(number)]
    Signer(folder / "keys").ensure("Bench")
    there: dict[str, Contender] = {}
    print(f"\n{number} packages\n| | first: s | change: median s | least | its processor s | most memory MiB | ratio |")
    print("|---|---|---|---|---|---|---|")
    firsts: dict[str, Cost] = {}
    changes: dict[str, list[Cost]] = {name: [] for name in names}
    for name in names:
        there[name] = CONTENDERS[name](folder / name, folder / "keys")
        firsts[name] = cost(there[name], packages)
    for index in range(rounds + 1):
        for name in names:
            package = make(folder / "newer", packages[index * 7].control, f"99:{index}")
            changes[name].append(cost(there[name], [package]))
    ours = statistics.median(each[0] for each in changes[names[0]][1:])
    for name in names:
        seen = changes[name][1:]  # the first one warms up
        median = statistics.median(each[0] for each in seen)
        print(f"| {name} | {firsts[name][0]:.1f} | {median:.2f} | {min(each[0] for each in seen):.2f} | "
              f"{statistics.median(each[1] for each in seen):.2f} | {max(each[2] for each in seen) >> 10} | "
              f"{median / ours:.1f} |", flush=True)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="Repositories, beside other tools.")
    parser.add_argument("--packages", type=int, nargs="+", default=[1000, 50_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"), help="for some hundred MB (/var/tmp)")
    asked = parser.parse_args()
    for number in asked.packages:
        folder = Path(tempfile.mkdtemp(prefix="debatomic-repositories-", dir=asked.folder))
        try:
            compare(number, asked.rounds, folder, asked.only)
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
