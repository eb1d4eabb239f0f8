"""Base layers: a bootstrapped system, made once under a lock, whole or absent."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chroots.engine.archives.fetch import persistently
from chroots.engine.archives.mirror import default_mirror
from chroots.engine.archives.repositories import Sources, release_digest, releases, sources
from chroots.engine.isolation.machine import is_emulated
from chroots.engine.isolation.unprivileged import is_host_root
from chroots.engine.layers.debootstrap import debootstrap
from chroots.engine.layers.reproducible import EPOCH_VARIABLE, epoch, tree_digest, without_traces
from chroots.engine.spec import BUILDER_UID, DEBOOTSTRAP, ChrootSpec
from chroots.engine.state import LOCK, State, discard, locked, locked_now, remove_tree, taken, temporary
from debatomic.tools.errors import CommandFailed, InfrastructureError, Kind, ToolError
from debatomic.tools.files import write_json
from debatomic.tools.run import Output, run

CURRENT = "current"
ABOUT = "base.json"
KEPT_ABOUT = "kept.json"
HOSTS = "127.0.0.1 localhost\n::1 localhost\n"
BUILDER = {  # written, not added by a program: whether a base has useradd depends on the host's mmdebstrap
    "passwd": f"builder:x:{BUILDER_UID}:{BUILDER_UID}::/nonexistent:/bin/sh",
    "group": f"builder:x:{BUILDER_UID}:",
    "shadow": "builder:!:::::::",
}
NO_SOURCES = Sources()
TIME_LIMIT, IDLE_LIMIT = 7200.0, 900.0  # seconds, for mmdebstrap; a download may take a while without a word
EMULATED_IDLE_LIMIT = 3600.0  # it says nothing while it installs packages
NETWORK_TROUBLE = ("Could not resolve", "Connection failed", "Connection timed out", "Unable to connect",
                   "Temporary failure", "Could not connect", "Network is unreachable")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A read-only tree of files: `identity` is the digest of what is in it, `tree` its root folder."""

    identity: str
    tree: Path

    @property
    def lock(self) -> Path:
        """Whoever uses the layer holds this lock, shared; whoever removes it must get it alone."""
        return self.tree.parent / LOCK

    @contextmanager
    def used(self) -> Iterator[None]:
        """Keep it from being removed. Raises: InfrastructureError if it is gone already."""
        with ExitStack() as undo:
            with suppress(FileNotFoundError):
                undo.enter_context(locked(self.lock, shared=True, make=False))
            if not self.tree.is_dir():  # looked at under the lock: from here on nobody removes it
                raise InfrastructureError(f"The layer {self.identity[:12]} was removed while it was about to be used.",
                                          hint="A new attempt makes it again.")  # fmt: skip
            yield


def ensure(spec: ChrootSpec, state: State, log: Output, refresh: bool = False) -> Layer:
    """The base layer of `spec`: the stored one if it is current, a new one otherwise or with `refresh`.

    Any number of processes may ask at once; one of them makes it, the others go on with the old one if there is one.
    `log` receives what mmdebstrap says.
    Never write into `tree`: mount it with `overlay.overlay([layer], ...)`.

    Raises: ToolError, its sentence says what to do (no network, unknown suite, mmdebstrap missing, full disk).
    """
    home = state.bases / spec.key
    found = current(home)
    if found and not refresh and _age(home) < spec.refresh_after:
        return found
    asked_at = time.time()
    lock = state.locks / f"base-{spec.key}"
    with ExitStack() as held:
        if not taken(held, lock):
            if found and not refresh:  # another process asks for a newer one, and makes it; this one is good meanwhile
                return found
            held.enter_context(locked(lock))
        found = current(home)
        if found and (_made_at(found) > asked_at or (not refresh and _still_current(spec, found, home))):
            return found
        return _make(spec, state, home, log)


def current(home: Path) -> Layer | None:
    """The base in use below `home`, if there is one."""
    try:
        return stored((home / CURRENT).resolve(strict=True))
    except FileNotFoundError:
        return None


def stored(folder: Path) -> Layer | None:
    """The base in `folder`, if it is whole."""
    try:
        return Layer(identity=_about(folder)["identity"], tree=folder / "tree")
    except (FileNotFoundError, KeyError, ValueError):
        return None


def facts(layer: Layer) -> dict[str, Any]:
    """What is told about a base: identity, digest (of its files), made_at (seconds since 1970), packages (how many),
    size (bytes), mirror."""
    about = _about(layer.tree.parent)
    if "size" not in about:  # an older engine did not note it
        about |= _measured(layer.tree)
    shown = ("identity", "digest", "packages", "size", "mirror")
    return {"made_at": int(_made_at(layer))} | {name: value for name, value in about.items() if name in shown}


def _about(folder: Path) -> dict[str, Any]:
    about: dict[str, Any] = json.loads((folder / ABOUT).read_text())
    return about


def _age(home: Path) -> float:
    """Seconds since the archive was last found to have nothing newer."""
    return time.time() - (home / CURRENT / ABOUT).stat().st_mtime


def _made_at(layer: Layer) -> float:
    return layer.tree.parent.stat().st_mtime


def _still_current(spec: ChrootSpec, stored: Layer, home: Path) -> bool:
    """Whether the suite's InRelease is the one the base was made from; if so, it is not asked again for a while."""
    if _age(home) < spec.refresh_after:
        return True
    digest = release_digest(releases(spec, spec.mirror or default_mirror()))
    about = stored.tree.parent / ABOUT
    same = bool(_about(stored.tree.parent)["release"] == digest)
    if same:
        os.utime(about)
    return same


def _make(spec: ChrootSpec, state: State, home: Path, log: Output) -> Layer:
    mirror = spec.mirror or default_mirror()
    archives = releases(spec, mirror)
    latest = epoch(archives)
    if not spec.check_valid_until:
        log(b"Whether the archives are out of date is not checked, as check_valid_until in the definition says.\n")
    with temporary(home) as scratch:
        folder = scratch / "base"
        folder.mkdir()
        tree = folder / "tree"
        _bootstrap(spec, mirror, tree, latest, log)
        _finish(spec, tree)
        without_traces(tree, latest, log)
        about: dict[str, Any] = {
            "identity": identity(tree), "digest": tree_digest(tree), "release": release_digest(archives),
            "chroot": spec.name, "suite": spec.suite, "architecture": spec.architecture, "mirror": mirror,
            **_measured(tree),
        }  # fmt: skip
        write_json(folder / ABOUT, about)
        run(["sync", "--file-system", os.fspath(folder)])
        final = home / f"{int(time.time())}-{about['identity'][:12]}"
        folder.rename(final)
    _switch(home, final)
    _remove_old(home, state)
    return Layer(identity=about["identity"], tree=final / "tree")


def _measured(tree: Path) -> dict[str, int]:
    status = (tree / "var/lib/dpkg/status").read_text(errors="replace")
    files = (Path(folder) / name for folder, _, names in os.walk(tree) for name in names)
    size = sum(path.lstat().st_size for path in files)
    return {"packages": status.count("\nStatus: install ok installed"), "size": size}


def apt_options(spec: ChrootSpec) -> list[str]:
    """Settings of apt that stay in the base."""
    lasting = [] if spec.check_valid_until else ['--aptopt=Acquire::Check-Valid-Until "false"']
    return ['--aptopt=Acquire::Languages "none"', *lasting]


def bootstrap_command(
    spec: ChrootSpec, mirror: str, tree: Path, more: Sources = NO_SOURCES, *, mode: str = "root"
) -> list[str]:
    """mmdebstrap's command line, with more sources than the mirror; `mode` is root or unshare."""
    return [
        "mmdebstrap", f"--mode={mode}", "--format=directory", f"--variant={spec.variant}",
        f"--architectures={','.join([spec.architecture, *spec.foreign_architectures])}",
        f"--components={','.join(spec.components)}",
        f"--keyring={spec.keyring}", *apt_options(spec), "--skip=cleanup/apt/lists",
        *(f"--include={name}" for name in spec.packages), *more.options,
        *spec.bootstrap_options, spec.suite, os.fspath(tree), mirror, *map(os.fspath, more.files),
    ]  # fmt: skip


def _bootstrap(spec: ChrootSpec, mirror: str, tree: Path, latest: int, log: Output) -> None:
    def once() -> None:
        if tree.exists():
            remove_tree(tree)
        try:
            with sources(spec, mirror) as more:
                idle = EMULATED_IDLE_LIMIT if is_emulated(spec.architecture) else IDLE_LIMIT
                env = {EPOCH_VARIABLE: str(latest)}
                if spec.bootstrap == DEBOOTSTRAP:
                    debootstrap(spec, mirror, tree, more, log, env=env, time_limit=TIME_LIMIT, idle_limit=idle)
                    return
                mode = "root" if is_host_root() else "unshare"
                command = bootstrap_command(spec, mirror, tree, more, mode=mode)
                run(command, log=log, time_limit=TIME_LIMIT, idle_limit=idle, env=env)
                more.forget(tree)
        except CommandFailed as error:
            raise bootstrap_failure(spec, error.tail) from error

    persistently(once)


def bootstrap_failure(spec: ChrootSpec, output: str) -> ToolError:
    """What mmdebstrap's output means."""
    lines = [line for line in output.splitlines() if line.startswith("E: ") or "No space left" in line]
    telling = next((line.removeprefix("E: ") for line in lines), f"{spec.bootstrap} failed without saying why")
    sentence = f"The base of {spec.name} could not be made: {telling.rstrip('.')}."
    if any("No space left" in line for line in lines):
        return ToolError(sentence, kind=Kind.DISK, hint="Free some disk space on this host.", lines=lines)
    if any(sign in output for sign in NETWORK_TROUBLE):
        return InfrastructureError(sentence, lines=lines)
    return ToolError(sentence, kind=Kind.INPUT, lines=lines)


def _finish(spec: ChrootSpec, tree: Path) -> None:
    """Leave nothing of this machine in it, and add the user that builds."""
    for name, text in (("hosts", HOSTS), ("resolv.conf", ""), ("hostname", "localhost\n")):
        path = tree / "etc" / name
        path.unlink(missing_ok=True)
        path.write_text(text)
    if spec.variant == "buildd":
        for database, line in BUILDER.items():
            with (tree / "etc" / database).open("a") as file:
                file.write(f"{line}\n")
        for name in ("build", "build/reproducible-path"):
            (tree / name).mkdir()
            os.chown(tree / name, BUILDER_UID, BUILDER_UID)


def identity(tree: Path) -> str:
    """The digest of what is installed and of what can be: equal identities resolve dependencies alike."""
    digest = hashlib.sha256()
    for path in [tree / "var/lib/dpkg/status", *sorted((tree / "var/lib/apt/lists").glob("*_Packages"))]:
        digest.update(f"{path.name}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _switch(home: Path, final: Path) -> None:
    """Make `final` the base in use, in one step."""
    link = home / f".{CURRENT}"
    link.unlink(missing_ok=True)
    link.symlink_to(final.name)
    link.rename(home / CURRENT)


def _remove_old(home: Path, state: State) -> None:
    """Remove the bases before the current one which nobody uses any more."""
    for folder in folders(home):
        if folder != (home / CURRENT).resolve():
            remove(folder, state)


def folders(home: Path) -> list[Path]:
    """The bases below `home`, current or not."""
    return [folder for folder in home.glob("[0-9]*") if (folder / ABOUT).exists()]


def remove(folder: Path, state: State) -> bool:
    """Remove a base unless somebody uses it or a kept layer stands on it; whether it went."""
    with suppress(FileNotFoundError), locked_now(folder / LOCK) as unused:
        free = unused and not kept_on(folder, state)
        if free:
            discard(folder)
        return free
    return True  # somebody else was faster


def kept_on(folder: Path, state: State) -> list[str]:
    """The kept layers, as `CHROOT/NAME`, that stand on the base in `folder`."""
    abouts = ((about.parent, json.loads(about.read_text())) for about in state.kept.glob(f"*/[!.]*/{KEPT_ABOUT}"))
    return sorted(f"{kept.parent.name}/{kept.name}" for kept, told in abouts
                  if state.bases / told["base"] == folder)  # fmt: skip
