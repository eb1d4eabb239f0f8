"""The packages of a lock installed step by step, each step a layer that is kept: a later tree begins with those it has.

A layer follows from the packages in it and below it alone: not from the day, nor from what was installed before. So a
tree that is made of kept layers is the one that would be made anew.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chroots.engine.archives.fetch import Store
from chroots.engine.isolation.mounts import mounted
from chroots.engine.layers.overlay import overlay_options
from composes.pipeline.job import Job
from composes.pipeline.packages.indexes import write_archive
from composes.pipeline.packages.lock import Lock, Package
from composes.pipeline.packages.steps import Step
from composes.pipeline.programs import checked
from composes.pipeline.store import ResultStore, remove_tree
from composes.pipeline.system.inside import inside
from composes.pipeline.system.jailing import cell
from debatomic.tools.files import link_or_copy

REVISION = 1  # raise it when the same packages begin to be installed otherwise
AR_DATE = slice(24, 36)  # of the first member of a package file
WITHOUT_DOCUMENTATION = (
    "path-exclude=/usr/share/man/*", "path-exclude=/usr/share/doc/*", "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/info/*",
)  # fmt: skip
PLACE = "run/debatomic"  # where a tree sees the packages
APT = "run/apt"  # where apt works there
REPOSITORY, TARGET = "/srv", "/mnt"  # where the lowest layer's packages and its tree are in the jail of the tools
POLICY = "usr/sbin/policy-rc.d"
LEFTOVERS = ("var/cache/apt", "var/lib/apt/lists", "var/log", "var/cache/ldconfig")  # with what is in them
OURS = "trusted.overlay."
Told = Callable[[bytes], object]


@dataclass(frozen=True, kw_only=True)
class Order:
    """One layer to be: `packages` of the step, its dates in seconds since 1970, and what it stands on.

    `epoch` is what packages' scripts take for today where they write a date down: the date of the lowest layer, or
    /etc/shadow would be another one with every new package.
    """

    step: Step
    packages: tuple[Package, ...]
    date: int  # of its newest package, or of the newest below: no file is younger
    epoch: int
    below: str  # identity of the layer below; empty: there is none
    documentation: bool
    tools: str

    @property
    def identity(self) -> str:
        parts = [REVISION, self.below, self.date, self.epoch, self.documentation, self.tools,
                 [[each.name, each.version, each.architecture, each.sha256] for each in self.packages]]  # fmt: skip
        return f"layer-{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]}"


def orders(job: Job, lock: Lock, steps: Sequence[Step]) -> list[Order]:
    """The layers for these steps, from the lowest."""
    by_name, store = {each.name: each for each in lock.packages}, Store(job.order.state.files)
    found: list[Order] = []
    for step in steps:
        packages = tuple(by_name[name] for name in step.names)
        dates = [_date(store.path(each.sha256)) for each in packages]
        below = found[-1] if found else None
        date = max([*dates, below.date if below else 0])
        found.append(Order(step=step, packages=packages, date=date, epoch=found[0].epoch if found else date,
                           below=below.identity if below else "", documentation=job.tree.documentation,
                           tools=job.tools.identity))  # fmt: skip
    return found


def _date(deb: Path) -> int:
    """When a package file was made, as it says itself."""
    with deb.open("rb") as file:
        return int(file.read(AR_DATE.stop)[AR_DATE])


@contextmanager
def installed(job: Job, wanted: Sequence[Order], told: Told) -> Iterator[Path]:
    """The tree with all of that, to be read, in layers that were kept or are made now."""
    store = ResultStore(job.order.state)
    with ExitStack() as undo:
        trees: list[Path] = []
        for each in wanted:
            layer = _Layer(job=job, order=each, below=tuple(trees), told=told)
            folder, _, reused = undo.enter_context(store.result(each.identity, layer.make, again=job.again))
            job.log.line(f"{len(each.packages)} packages {'are in' if reused else 'became'} {each.identity}.")
            trees.insert(0, folder / "tree")
        yield undo.enter_context(_stacked(trees, job.folder / "stacked"))


@contextmanager
def _stacked(trees: Sequence[Path], at: Path) -> Iterator[Path]:
    """Read-only trees as one, the topmost first."""
    if len(trees) == 1:
        yield trees[0]
        return
    at.mkdir()
    with mounted("overlay", at, f"lowerdir={':'.join(map(os.fspath, trees))}"):
        yield at
    at.rmdir()


@dataclass(frozen=True, kw_only=True)
class _Layer:
    job: Job
    order: Order
    below: tuple[Path, ...]
    told: Told

    def make(self, folder: Path) -> dict[str, Any]:
        """Leaves `tree`: what this step adds to the layers below."""
        repository, upper, nothing = folder / "repository", folder / "upper", folder / "nothing"
        self._write_repository(repository)
        for each in (upper / "changes", upper / "scratch", folder / "root", nothing):
            each.mkdir(parents=True)
        root = folder / "root"
        lowers = self.below or (nothing,)
        # Nothing in it waits for the disk; a layer is not given away before it is whole.
        options = f"{overlay_options(lowers, upper)},metacopy=off,redirect_dir=off"
        with mounted("overlay", root, options):
            if self.below:
                self._install(root, repository, folder)
            else:
                self._bootstrap(root, repository, folder)
            inside(root, clean)
        (upper / "changes").rename(folder / "tree")
        for each in (repository, upper, root, nothing):
            remove_tree(each)
        _seal(folder / "tree", self.order.date, lowest=not self.below)
        return {"packages": len(self.order.packages), "date": self.order.date}

    def _write_repository(self, folder: Path) -> None:
        store = Store(self.job.order.state.files)
        folder.mkdir()
        for package in self.order.packages:
            link_or_copy(store.path(package.sha256), folder / package.file_name)
        write_archive(folder, self.order.step.index.encode(), origin="lock", suite=self.job.tree.suite)

    @property
    def _environment(self) -> dict[str, str]:
        return {"SOURCE_DATE_EPOCH": str(self.order.epoch), "INITRD": "No", "DEBIAN_FRONTEND": "noninteractive"}

    def _bootstrap(self, root: Path, repository: Path, work: Path) -> None:
        """By mmdebstrap, whose chroot is a folder of the jail."""
        tools, upper = work / "tools", work / "tools-upper"
        for each in (tools, upper / "changes", upper / "scratch", root / "dev", root / "proc"):
            each.mkdir(parents=True)
        with (
            mounted("overlay", tools, overlay_options([self.job.tools.tree], upper)),
            cell(tools, work, shown={REPOSITORY: repository}, lent={TARGET: root}, inner_roots=[TARGET]) as made,
        ):
            made.run(bootstrap_command(self.order, self.job.tree.suite, self.job.tree.architecture),
                     env=self._environment, log=self.told)  # fmt: skip
        for each in (tools, upper):
            remove_tree(each)

    def _install(self, root: Path, repository: Path, work: Path) -> None:
        (repository / "sources.list").write_text(f"deb [trusted=yes] file:/{PLACE} ./\n")
        apt = work / "apt"
        for name in ("lists/partial", "cache/archives/partial"):
            (apt / name).mkdir(parents=True)
        shown, lent = {f"/{PLACE}": repository}, {f"/{APT}": apt}
        with _no_services(root), cell(root, work, shown=shown, lent=lent) as made:
            for args in (["update"], ["install", *self.order.step.names]):
                made.run(apt_command(*args, documentation=self.order.documentation), log=self.told,
                         env=self._environment)  # fmt: skip
        remove_tree(apt)


@contextmanager
def _no_services(root: Path) -> Iterator[None]:
    """Packages start nothing while they are installed."""
    if not inside(root, forbid_services):
        yield
        return
    yield
    inside(root, allow_services)


def forbid_services(root: Path) -> bool:
    """Whether that was needed: the tree may have a policy of its own."""
    policy = root / POLICY
    if os.path.lexists(policy):
        return False
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    return True


def allow_services(root: Path) -> None:
    (root / POLICY).unlink()


def bootstrap_command(order: Order, suite: str, architecture: str) -> list[str]:
    """mmdebstrap's command line in the jail for the lowest layer: exactly its packages."""
    return [
        "mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory", "--verbose",
        "--skip=check/empty",
        f"--architectures={architecture}", f"--include={','.join(order.step.names)}",
        "--aptopt=APT::Install-Recommends \"false\"", "--aptopt=APT::Sandbox::User \"root\"",
        "--dpkgopt=force-unsafe-io",
        *(f"--dpkgopt={each}" for each in (() if order.documentation else WITHOUT_DOCUMENTATION)),
        suite, TARGET, f"deb [trusted=yes] copy:{REPOSITORY} ./",
    ]  # fmt: skip


def apt_command(verb: str, *names: str, documentation: bool) -> list[str]:
    """apt-get in the tree, that knows only the packages beside it and writes nothing of its own there."""
    settings = {
        "Dir::Etc::sourcelist": f"/{PLACE}/sources.list", "Dir::Etc::sourceparts": "-", "APT::Sandbox::User": "root",
        "Dir::State::lists": f"/{APT}/lists", "Dir::Cache": f"/{APT}/cache", "Dpkg::Use-Pty": "0",
        "APT::Install-Recommends": "false", "Acquire::Languages": "none",
    }  # fmt: skip
    paths = () if documentation else WITHOUT_DOCUMENTATION
    dpkg = [f"Dpkg::Options::=--{each}" for each in ("force-unsafe-io", *paths)]
    given = [*(f"{name}={value}" for name, value in settings.items()), *dpkg]
    return ["apt-get", "-y", "-q", *(word for each in given for word in ("-o", each)), verb, *names]


def clean(root: Path) -> None:
    """No file below some folders, which stay; called inside the tree."""
    for folder in LEFTOVERS:
        for top, _, names in os.walk(root / folder):
            for name in names:
                Path(top, name).unlink()
    remove_tree(root / "var/cache/debconf/tmp.ci")


def _seal(tree: Path, date: int, *, lowest: bool) -> None:
    """No file younger than the packages, and none of the kernel's notes but which folders hide what is below."""
    for top, folders, names in os.walk(tree):
        for path in (top, *(os.path.join(top, name) for name in (*folders, *names))):  # noqa: PTH118 - many files
            for name in os.listxattr(path, follow_symlinks=False):
                if name.startswith(OURS) and (lowest or name != f"{OURS}opaque"):
                    os.removexattr(path, name, follow_symlinks=False)
            if os.lstat(path).st_mtime > date:
                os.utime(path, (date, date), follow_symlinks=False)


def copied(tree: Path, target: Path) -> None:
    """A copy of an installed tree."""
    checked(["cp", "-a", "--reflink=auto", os.fspath(tree), os.fspath(target)])
