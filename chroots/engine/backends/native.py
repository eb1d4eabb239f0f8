"""The engine's own way: layers of build dependencies on the base, and a jail around all that runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from chroots.engine.archives.dsc import Dsc
from chroots.engine.binnmu import BinNmu
from chroots.engine.building.backend import Job, Made
from chroots.engine.building.build import PLACE, build_command, environment, explained, not_unpacked, tree_name
from chroots.engine.isolation.jail import ENVIRONMENT
from chroots.engine.layers.base import Layer
from chroots.engine.layers.beside import take
from chroots.engine.layers.buildroot import Buildroot, Warden, buildroot
from chroots.engine.layers.ccache import cache_home, compiler_cache
from chroots.engine.layers.dependencies import SOURCE, Installer
from chroots.engine.layers.overlay import is_limited, limited_space
from chroots.engine.spec import BUILDER_UID, BuildSpec
from debatomic.tools.errors import CommandFailed

ENTRY = "/run/entry"  # where a buildroot sees what comes into the changelog


class Native:
    """Builds by itself; it can all there is."""

    name = "native"
    programs: tuple[str, ...] = ()

    def refusal(self, spec: BuildSpec) -> str:
        return ""

    @contextmanager
    def built(self, job: Job, dsc: Dsc, base: Layer, keeper: Warden) -> Iterator[Made]:
        spec, journal, hooks, context = job.spec, job.journal, job.hooks, job.hooks.context
        hooks.call("pre_deps")
        needing = with_toolchain(dsc, spec.host, job.work / "needs") if spec.host else dsc
        beside = take(spec.chroot, spec.repositories)
        job.repositories.extend(each.facts for each in beside.taken)
        installer = Installer(spec=spec, dsc=needing, base=base, state=job.state, warden=keeper, journal=journal,
                              folder=job.work, beside=beside)  # fmt: skip
        context.layers = layers = installer.layers()
        context.layer_made = any(name == "install" for name, _ in journal.seconds)
        job.layers.extend(layer.identity for layer in layers)
        hooks.call("post_deps")
        caches = cache_home(job.state, spec.chroot.key, dsc.name)
        with _writable(job, [*layers, base], keeper) as (root, space):
            _unpack(root, dsc, job)
            if spec.binnmu:
                _enter(root, dsc, job, spec.binnmu)
            context.root = root
            hooks.call("pre_build")
            command = build_command(spec)
            with (
                compiler_cache(caches, spec.ccache, job.work, space, ENVIRONMENT["PATH"]) as cache,
                explained(dsc, root.root, keeper, journal),
                journal.phase("build", " ".join(command)),
            ):
                root.run(command, user=BUILDER_UID, folder=f"{PLACE}/{tree_name(dsc)}",
                         environment=environment(spec) | cache.environment | context.environment,
                         read_only=context.read_only, writable=cache.writable)  # fmt: skip
                cache.succeeded = True
            yield Made(root=root.root, folder=PLACE)


def with_toolchain(dsc: Dsc, host: str, folder: Path) -> Dsc:
    """The `.dsc` that apt is asked about, in a new folder: with what every cross-build needs besides, as for sbuild."""
    toolchain = (f"crossbuild-essential-{host}:native", "libc-dev", "libstdc++-dev")
    needs = [dsc.build_fields.get("Build-Depends", ""), *toolchain]
    fields = {**dsc.build_fields, "Build-Depends": ", ".join(filter(None, needs))}
    folder.mkdir()
    path = folder / dsc.path.name
    about = {"Format": "1.0", "Source": dsc.name, "Version": dsc.version, "Architecture": " ".join(dsc.architectures)}
    path.write_text("".join(f"{name}: {value}\n" for name, value in {**about, **fields}.items()))
    return replace(dsc, path=path, build_fields=fields)


@contextmanager
def _writable(job: Job, stack: list[Layer], keeper: Warden) -> Iterator[tuple[Buildroot, Path]]:
    """The buildroot, and the space that all it writes is in."""
    spec = job.spec
    with limited_space(job.work, spec.limits.disk, keeper.group.memory, job.journal, spec.chroot.tmpfs) as space:
        limit = None if is_limited(space) else spec.limits.disk
        with buildroot(stack, keeper, at=job.work / "root", upper=space, limit=limit) as root:
            yield root, space


def _unpack(root: Buildroot, dsc: Dsc, job: Job) -> None:
    with job.journal.phase("unpack"):
        try:
            root.run(["dpkg-source", "--no-check", "-x", f"{SOURCE}/{dsc.path.name}", f"{PLACE}/{tree_name(dsc)}"],
                     user=BUILDER_UID, folder=PLACE, read_only={SOURCE: job.source})  # fmt: skip
        except CommandFailed as error:
            raise not_unpacked(dsc, error) from error


def _enter(root: Buildroot, dsc: Dsc, job: Job, binnmu: BinNmu) -> None:
    """The rebuild's entry on top of debian/changelog, put there in the jail: its folder is the package's own."""
    entry = job.work / "entry"
    text = binnmu.entry(source=dsc.name, version=dsc.version, suite=job.spec.chroot.suite,
                        architecture=job.spec.host_architecture)  # fmt: skip
    entry.mkdir()
    (entry / "changelog").write_text(text)
    job.journal.say(f"Binary rebuild: its packages have the version {binnmu.version(dsc.version)}.")
    root.run(["sed", "--in-place", f"1e cat {ENTRY}/changelog", "debian/changelog"], user=BUILDER_UID,
             folder=f"{PLACE}/{tree_name(dsc)}", read_only={ENTRY: entry})  # fmt: skip
