"""Which packages a tree needs: solved once, by the target's own apt, without network."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from composes.pipeline.packages.indexes import NAME, Source, base_names, field, names, of_names, write_archive
from composes.pipeline.packages.lock import Lock, Package
from composes.pipeline.tools import Tools
from composes.pipeline.treefiles.marks import Text, place_of
from composes.pipeline.treefiles.mistakes import near
from composes.pipeline.treefiles.treefile import Tree
from debatomic.tools.errors import CommandFailed, InputError, Kind, ToolError

PATTERN = re.compile(r"[*?\[]")
URI_LINE = re.compile(r"^'file:[^']*/apt/archives/(?P<repository>[^/']+)/[^']*' (?P<file>\S+) \d+ ", re.MULTILINE)
WORD = re.compile(r"[a-z0-9][a-z0-9+.-]+")  # the name of a package, or another word
REASON = re.compile(r"(?:Pre)?Depends:? |Conflicts:? |Breaks:? |Unable to locate|no installation candidate")
CONFIGURATION = """\
Dir "{folder}";
Dir::State::status "{folder}/status";
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::parts "{folder}/none";
Dir::Etc::sourceparts "{folder}/none";
Dir::Etc::preferences "{folder}/preferences";
Dir::Etc::preferencesparts "{folder}/none";
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Install-Recommends "{recommends}";
APT::Sandbox::User "root";
Acquire::Languages "none";
"""


@dataclass(frozen=True, kw_only=True)
class Listed:
    """An archive with its Packages list, all components together."""

    source: Source
    text: str


def named(tree: Tree, listed: Sequence[Listed]) -> Tree:
    """The tree with every pattern replaced by the packages it fits; what is excluded is in no pattern's packages.

    Raises InputError with the treefile's line for a package that no archive has.
    """
    known: set[str] = set().union(*(names(each.text) for each in listed))
    packages: set[str] = set().union(*(NAME.findall(each.text) for each in listed))
    exclude = [name for word in tree.exclude for name in _fitting(word, known, packages, listed)]
    wanted = [name for word in tree.packages for name in _fitting(word, known, packages, listed)
              if name == word or name not in exclude]  # fmt: skip
    return replace(tree, packages=tuple(dict.fromkeys(wanted)), exclude=tuple(dict.fromkeys(exclude)))


def _fitting(word: str, known: set[str], packages: set[str], listed: Sequence[Listed]) -> list[str]:
    if word in known:
        return [word]
    fitting = sorted(fnmatch.filter(packages, word)) if PATTERN.search(word) else []
    if not fitting:
        place = place_of(word) or "treefile"
        archives = ", ".join(f"{each.source.repository.name} ({each.source.repository.suite})" for each in listed)
        raise InputError(f"{place}: there is no package {word} in {archives}{near(word, known)}")
    return [Text(name, place_of(word)) for name in fitting]


def solve(tree: Tree, listed: Sequence[Listed], folder: Path, tools: Tools) -> Lock:
    """The lock of everything to be installed. `folder` is for apt's own files."""
    tree = named(tree, listed)
    env = {"APT_CONFIG": str(_configure(tree, listed, folder))}
    tools.run(["apt-get", "-q", "update"], env=env)
    wanted = [*base_names(listed[0].text), *tree.packages, *(f"{name}-" for name in tree.exclude)]
    try:
        printed = tools.read(["apt-get", "install", "-y", "-qq", "--print-uris", *wanted], env=env)
    except CommandFailed as error:
        raise _no_solution(error, tree) from error
    packages = _packages(printed, listed)
    _check_excluded(tree, packages)
    return Lock(
        suite=tree.suite, architecture=tree.architecture, packages=tuple(sorted(packages)),
        debian_version=listed[0].source.release.fields.get("Version", ""),
        date=max(each.source.date for each in listed),
        releases={each.source.repository.name: each.source.release.digest for each in listed},
    )  # fmt: skip


def _configure(tree: Tree, listed: Sequence[Listed], folder: Path) -> Path:
    for path in ("none", "lists/partial", "cache/archives/partial", "var/log", "archives", "var/lib/apt"):
        (folder / path).mkdir(parents=True)
    (folder / "status").touch()
    lines, pins = [], []
    for each in listed:
        name = each.source.repository.name
        write_archive(folder / "archives" / name, each.text.encode(), origin=name, suite=tree.suite)
        lines.append(f"deb [trusted=yes] file:{folder}/archives/{name} ./\n")
        pins.append(f"Package: *\nPin: release o={name}\nPin-Priority: {each.source.repository.priority}\n\n")
    (folder / "sources.list").write_text("".join(lines))
    (folder / "preferences").write_text("".join(pins))
    configuration = folder / "apt.conf"
    configuration.write_text(CONFIGURATION.format(
        folder=folder, architecture=tree.architecture, recommends=str(tree.recommends).lower()))  # fmt: skip
    return configuration


def _no_solution(error: CommandFailed, tree: Tree | None = None) -> InputError:
    """apt's explanation, and the treefile's lines that named what it is about."""
    lines = [line.strip() for line in error.tail.splitlines() if line.strip()]
    asked = _asked(lines, tree) if tree else []
    hint = f"The treefile: {'; '.join(asked)}." if asked else "Change packages or exclude in the treefile."
    return InputError(f"These packages cannot be installed together: {_reason(lines)}.", hint=hint, lines=lines[-20:])


def _asked(lines: Sequence[str], tree: Tree) -> list[str]:
    """Which of the packages in apt's explanation the treefile asks for or excludes, with the line."""
    told = {word for line in lines for word in WORD.findall(line)}
    named = [(name, "asks for") for name in tree.packages] + [(name, "excludes") for name in tree.exclude]
    return [f"{place_of(name) or 'it'} {verb} {name}" for name, verb in named if name in told]


def _reason(lines: Sequence[str]) -> str:
    """The decisive words of apt: a dependency and, where apt says so, what stands against it."""
    clear = [re.sub(r"^(\d+\.|-|E:) |:(?=amd64|arm64|all)\w+", "", line).rstrip(".") for line in lines]
    telling = [line for line in clear if REASON.search(line)] or clear[:1] or ["apt found no solution"]
    against = [text for text, line in zip(clear, lines, strict=True) if line.startswith("- ")]
    return f"{telling[-1] if against else telling[0]}{', but ' + against[0] if against else ''}"


def _packages(printed: str, listed: Sequence[Listed]) -> list[Package]:
    wanted = {(match["repository"], match["file"]) for match in URI_LINE.finditer(printed)}
    by_name = {each.source.repository.name: each for each in listed}
    found = []
    for repository, each in by_name.items():
        files = {file for name, file in wanted if name == repository}
        known = {file.split("_", 1)[0] for file in files}
        for stanza in of_names(each.text, known):
            if (package := _package(stanza, each.source)).file_name in files:
                found.append(package)
                files.discard(package.file_name)
    if not found or len(found) != len(wanted):
        raise ToolError(f"apt wants {len(wanted)} packages, {len(found)} are in the lists.", kind=Kind.INTERNAL)
    return found


def _package(stanza: str, source: Source) -> Package:
    name = field(stanza, "Package")
    path = field(stanza, "Filename")
    return Package(
        name=name, version=field(stanza, "Version"), architecture=field(stanza, "Architecture"),
        sha256=field(stanza, "SHA256"), size=int(field(stanza, "Size") or 0),
        uri=f"{source.repository.uri.rstrip('/')}/{path}", origin=source.repository.name,
        source=field(stanza, "Source").split(" ")[0] or name,
    )  # fmt: skip


def _check_excluded(tree: Tree, packages: Sequence[Package]) -> None:
    names_found = {package.name for package in packages}
    for name in tree.exclude:
        if name in names_found:
            raise InputError(f"{place_of(name) or 'exclude'}: {name} is excluded, but another package needs it.")
