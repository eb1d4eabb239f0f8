"""The tree as a container image that bootc can install and upgrade to."""

from __future__ import annotations

from composes.pipeline.container import content, image, tarball
from composes.pipeline.container.archive import LayerOf, layers_of
from composes.pipeline.container.content import Entry
from composes.pipeline.container.image import About, Blob
from composes.pipeline.container.layers import Piece, plan
from composes.pipeline.delivery import delivered
from composes.pipeline.graph import Deliverable, Facts, Result, Stage
from composes.pipeline.job import Job, Order
from composes.pipeline.packages import lock as locks
from composes.pipeline.stages.commit import version_of
from composes.pipeline.system.inside import inside
from composes.pipeline.treefiles.options import COUNT, takes
from debatomic.tools.files import sha256

ARCHIVE, MANIFEST = "container.oci.tar", "container.json"


def wanted(order: Order) -> bool:
    return "oci" in order.tree.image.formats


def options(order: Order) -> Facts:
    before = [[each.digest, each.size, each.packages] for each in _before(order)]
    return {**order.tree.part("name", "variant", "architecture", "suite", "summary", "metadata", "container"),
            "respin": order.respin, "before": before}  # fmt: skip


def _before(order: Order) -> list[LayerOf]:
    return layers_of(order.previous_container) if order.previous_container else []


def make(job: Job) -> Facts:
    """Leaves the archive and its manifest."""
    job.progress.report(0.0, "files of packages")
    found = list(content.entries(job.input("rootfs", "tree")))
    pieces = content.components(found, inside(job.input("rootfs", "tree"), content.file_lists))
    layers = plan(_sized(job, pieces), [each.packages for each in _before(job.order)], job.tree.container.layers)
    folders = {entry.name: entry for entry in found}
    about = _about(job)
    blobs = image.packed(
        {names: tarball.with_folders([e for name in names for e in pieces[name]], folders) for names in layers},
        job.folder, about, lambda count: job.progress.report(0.1 + 0.7 * count / len(layers), "compressing layers"),
    )  # fmt: skip
    manifest = image.write_archive(job.folder / ARCHIVE, about, blobs)
    for blob in blobs:
        blob.path.unlink()
    (job.folder / MANIFEST).write_bytes(manifest)
    job.progress.report(0.9, "digest")
    return _facts(job, blobs, about)


def _sized(job: Job, pieces: dict[str, list[Entry]]) -> list[Piece]:
    sources = {each.name: each.source for each in locks.read(job.input("gather", "lock.json")).packages}
    return [Piece(name=name, group=sources.get(name, name), size=content.size(pieces[name])) for name in sorted(pieces)]


def _about(job: Job) -> About:
    tree, gathered = job.tree, job.inputs["gather"].facts
    version = version_of(gathered["debian_version"], tree.suite, gathered["date"], job.order.respin)
    own = {f"debatomic.{key}": str(value) for key, value in tree.metadata}
    labels = {
        **own, "containers.bootc": "1", "ostree.bootable": "true", "ostree.linux": job.inputs["rootfs"].facts["kernel"],
        "org.opencontainers.image.version": version, "version": version, "debatomic.variant": tree.variant,
        "org.opencontainers.image.title": f"{tree.name} {tree.variant}", "debatomic.lock": job.inputs["gather"].digest,
        **({"org.opencontainers.image.description": tree.summary} if tree.summary else {}),
    }  # fmt: skip
    return About(architecture=tree.architecture, date=gathered["date"], labels=labels,
                 name=f"{tree.name}/{tree.variant}:{version}", compression=tree.container.compression)  # fmt: skip


def _facts(job: Job, blobs: list[Blob], about: About) -> Facts:
    has = {each.digest for each in _before(job.order)}
    update = sum(blob.size for blob in blobs if f"sha256:{blob.digest}" not in has)
    size = sum(blob.size for blob in blobs)
    facts = {"digest": f"sha256:{sha256(job.folder / MANIFEST)}", "archive": sha256(job.folder / ARCHIVE),
             "name": about.name, "version": about.labels["version"], "layers": len(blobs), "bytes": size,
             "compression": about.compression, **({"update_bytes": update} if has else {})}  # fmt: skip
    job.log.line(f"container {facts['digest']}, {len(blobs)} layers, {size / 1e6:.1f} MB"
                 + (f", {update / 1e6:.1f} MB of them new" if has else ""))  # fmt: skip
    return facts


def deliver(order: Order, result: Result) -> list[Deliverable]:
    facts = {name: value for name, value in result.facts.items() if name != "archive"}
    return [
        delivered(order.output, result.folder / ARCHIVE, ARCHIVE, kind="oci", facts=facts,
                  digest=result.facts["archive"]),
        delivered(order.output, result.folder / MANIFEST, MANIFEST, kind="oci-manifest",
                  facts={"digest": result.digest}, digest=result.digest.removeprefix("sha256:")),
    ]  # fmt: skip


STAGE = Stage(name="oci", phase="container", make=make, needs=("gather", "rootfs"), options=options, wanted=wanted,
              deliver=deliver, uses_tools=False, schema=takes(
                  "name", "variant", "architecture", "suite", "summary", "metadata", "container", respin=COUNT,
                  before={"type": "array", "items": {"type": "array", "minItems": 3, "maxItems": 3}}))  # fmt: skip
