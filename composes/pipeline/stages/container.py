"""The container as a machine would take it: its layers imported by ostree, held against the commit, and linted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from composes.pipeline.container import archive, labels
from composes.pipeline.container.archive import Archive
from composes.pipeline.container.labels import Image
from composes.pipeline.gating import gates
from composes.pipeline.gating.gates import GateFailed
from composes.pipeline.graph import Facts, Stage
from composes.pipeline.job import Job, Order
from composes.pipeline.publishing.ostree import Repo
from composes.pipeline.stages import oci
from composes.pipeline.store import remove_tree
from composes.pipeline.system import lint
from composes.pipeline.system.inside import inside
from composes.pipeline.system.lint import Finding
from composes.pipeline.treefiles.options import COUNT, takes

ETC = r"^etc(/|$),usr/etc\1"  # as bootc does at import


def make(job: Job) -> Facts:
    """Raises GateFailed unless the layers give the commit's content and pass every fatal rule."""
    path = job.input("oci", oci.ARCHIVE)
    with path.open("rb") as file:
        found = archive.index(file)
        described = archive.manifest_of(file)
        config = json.loads(archive.read_blob(file, found, described["config"]["digest"]))
    job.progress.report(0.0, "importing the container")
    tree, content = _imported(job, path, found, described)
    names = [*_names(tree)]
    findings = [*inside(tree, lint.lint), *labels.judge(_image(job, described, config, names))]
    remove_tree(tree)
    facts = {"content_checksum": content, "rules": _rules(findings)}
    _judge(job, findings, facts)
    _same_content(job, content, facts)
    job.log.line(f"the container's layers hold the content of the commit, {content}")
    return facts


def _imported(job: Job, path: Path, found: Archive, described: dict[str, Any]) -> tuple[Path, str]:
    """The tree that the layers make, as a container has it, and the checksum of its content."""
    layers = []
    for each in archive.layers_of(described):
        layers.append(job.folder / each.digest.removeprefix("sha256:"))
        archive.extract(path, found, each.digest, layers[-1])
    repo = Repo(job.tools, job.folder / "repo").have("bare-user")
    commit = repo.read("commit", "--orphan", "--fsync=no", "--subject=container", "--tar-autocreate-parents",
                       f"--tar-pathname-filter={ETC}", *(f"--tree=tar={layer}" for layer in layers))  # fmt: skip
    commit = commit.splitlines()[-1]
    for layer in layers:
        layer.unlink()
    tree = job.folder / "tree"
    repo.do("checkout", "--user-mode", "--require-hardlinks", commit, tree)
    content = repo.show(commit).content
    remove_tree(repo.path)
    inside(tree, _etc_back)
    return tree, content


def _etc_back(root: Path) -> None:
    (root / "usr/etc").rename(root / "etc")


def _same_content(job: Job, content: str, facts: Facts) -> None:
    wanted = job.inputs["commit"].facts["content_checksum"]
    if content != wanted:
        raise GateFailed(f"The container holds something else than the commit: its layers give the content {content}, "
                         f"the commit has {wanted}.", facts=facts)  # fmt: skip


def _names(tree: Path) -> list[str]:
    return [str(path.relative_to(tree)) for path in tree.rglob("*")]


def _image(job: Job, described: dict[str, Any], config: dict[str, Any], names: list[str]) -> Image:
    return Image(architecture=job.tree.architecture, kernel=job.inputs["rootfs"].facts["kernel"],
                 most_layers=job.tree.container.layers, manifest=described, config=config, names=names)  # fmt: skip


def _rules(findings: list[Finding]) -> list[dict[str, Any]]:
    """Every rule with what it found."""
    found = {each.rule: each for each in findings}
    known = [*((name, fatal) for name, fatal, _ in lint.RULES), *((name, True) for name, _ in labels.RULES)]
    return [{"rule": name, "fatal": fatal, "details": list(found[name].details[:20]) if name in found else []}
            for name, fatal in known]  # fmt: skip


def _judge(job: Job, findings: list[Finding], facts: Facts) -> None:
    for each in findings:
        job.log.line(f"container {'error' if each.fatal else 'warning'}: {each.rule}: {'; '.join(each.details[:20])}")
    if fatal := [each for each in findings if each.fatal]:
        raise GateFailed(
            f"The container is not bootc-compatible: {fatal[0].rule}: {fatal[0].details[0]}.", facts=facts,
            lines=[f"{each.rule}: {detail}" for each in fatal for detail in each.details[:20]],
        )  # fmt: skip


def options(order: Order) -> Facts:
    return {"layers": order.tree.container.layers}


def wanted(order: Order) -> bool:
    return oci.wanted(order) and not gates.switched_off("container", order.tree.checks)


STAGE = Stage(name="container", phase="test", make=make, needs=("rootfs", "commit", "oci"), options=options,
              wanted=wanted, gate="container", schema=takes(layers=COUNT))  # fmt: skip
