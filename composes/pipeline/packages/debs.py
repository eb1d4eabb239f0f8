"""Packages that come with a treefile: an archive of their own for apt, their files in the store like any other."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from chroots.engine.archives.fetch import RemoteFile, Store
from chroots.engine.archives.release import Release
from composes.pipeline.job import Job, Order
from composes.pipeline.packages.indexes import Source, field, stanzas
from composes.pipeline.packages.lock import Lock
from composes.pipeline.packages.solve import Listed
from composes.pipeline.treefiles.beside import within
from composes.pipeline.treefiles.marks import prefix
from composes.pipeline.treefiles.treefile import Deb, Repository
from debatomic.tools.errors import CommandFailed, InputError
from debatomic.tools.files import link_or_copy, sha256

ORIGIN = "treefile"
PRIORITY = 990  # before Debian's archive, whatever its versions are
FILENAME = re.compile(r"^Filename: .*/", re.MULTILINE)
DATE = "Thu, 01 Jan 1970 00:00:00 UTC"  # of no weight: the archives' dates count


def keep(order: Order) -> None:
    """Have the treefile's packages in the store. Raises InputError, with the line, for one that is not as it says."""
    store = Store(order.state.files)
    for deb in order.tree.debs:
        path = within(order.folder, deb.file, order.folder)
        digest = sha256(path)
        if digest != deb.sha256:
            raise InputError(f"{prefix(deb.sha256)}{deb.file} has another SHA-256: {digest}.")
        size = path.stat().st_size
        store.get(RemoteFile(name=path.name, url=path.as_uri(), size=size, sha256=digest))


def listed(job: Job) -> Listed:
    """The treefile's packages as an archive. Raises InputError for a file that is no package, or of another machine."""
    keep(job.order)
    found = [(deb, _stanza(job, deb)) for deb in job.tree.debs]
    known: dict[str, Deb] = {}
    for deb, stanza in found:
        architecture = field(stanza, "Architecture")
        if architecture not in ("all", job.tree.architecture):
            raise InputError(f"{prefix(deb.file)}{deb.file} is for {architecture}, not for {job.tree.architecture}.",
                             hint="Name it in the treefile's part for that architecture.")  # fmt: skip
        name = field(stanza, "Package")
        if name in known:
            raise InputError(f"{prefix(deb.file)}{deb.file} and {known[name].file} are both of the package {name}.")
        known[name] = deb
    text = "\n\n".join(stanza for _, stanza in found) + "\n"
    digest = hashlib.sha256("\n".join(deb.sha256 for deb in job.tree.debs).encode()).hexdigest()
    release = Release(url="treefile:/", digest=digest, fields={"Date": DATE}, files={})
    repository = Repository(name=ORIGIN, uri="treefile:", suite=job.tree.suite, priority=PRIORITY)
    return Listed(source=Source(repository=repository, release=release), text=text)


def _stanza(job: Job, deb: Deb) -> str:
    """The paragraph of a Packages list, as apt's own tool makes it."""
    folder = job.folder / "debs" / deb.sha256
    folder.mkdir(parents=True)
    link_or_copy(Store(job.order.state.files).path(deb.sha256), folder / "package.deb")
    try:
        text = job.tools.run(["apt-ftparchive", "packages", folder], capture=True, log=None).stdout
    except CommandFailed as error:
        raise _no_package(deb, error.lines) from error
    found = [each for each in stanzas(text) if field(each, "Package")]
    if len(found) != 1 or not all(field(found[0], name) for name in ("Version", "Architecture", "SHA256")):
        raise _no_package(deb, text.splitlines())
    name = "_".join((field(found[0], "Package"), field(found[0], "Version").replace(":", "%3a"),
                     field(found[0], "Architecture")))  # fmt: skip
    return FILENAME.sub("Filename: ", found[0].strip()).replace("Filename: package.deb", f"Filename: {name}.deb")


def _no_package(deb: Deb, lines: Sequence[str]) -> InputError:
    return InputError(f"{prefix(deb.file)}{deb.file} is not a Debian package.", lines=lines[-5:])


def check(order: Order, lock: Lock) -> None:
    """Raises InputError for a package of the lock that came with a treefile and does not come with this one."""
    store, has = Store(order.state.files), {deb.sha256 for deb in order.tree.debs}
    for package in lock.packages:
        if package.origin == ORIGIN and package.sha256 not in has and not store.path(package.sha256).exists():
            raise InputError(f"{package.name} {package.version} of the lock came with its treefile, and does not come "
                             "with this one.", hint="Name its file in debs, or make a new lock.")  # fmt: skip
