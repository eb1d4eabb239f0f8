"""The command line: run, publish, export-repo, and the verbs about treefiles."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from chroots.engine.archives import openpgp
from chroots.engine.archives.mirror import default_mirror
from chroots.engine.spec import DEBIAN_KEYRING
from composes.pipeline import given, parts
from composes.pipeline.container import push
from composes.pipeline.container.archive import read_manifest
from composes.pipeline.graph import PHASES, check_phases
from composes.pipeline.job import SNAPSHOTS, Log, Order
from composes.pipeline.machines import previous
from composes.pipeline.pack import pack
from composes.pipeline.packages import lock as locks
from composes.pipeline.pipeline import Compose
from composes.pipeline.publishing import publish
from composes.pipeline.store import open_log
from composes.pipeline.treefiles import treefile
from composes.pipeline.verbs import conversion_verbs, definition_verbs, fetching_verbs, publishing_verbs, stage_verbs
from composes.pipeline.verbs.containing import contained_run, state_of, told
from debatomic.tools.errors import InputError, ToolError
from debatomic.tools.progress import Progress

SECURITY_TRACKER = "https://security-tracker.debian.org/tracker/data/json"


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m composes.pipeline", description="Compose atomic Debian systems.")
    verbs = top.add_subparsers(dest="verb", required=True)
    _run_options(verbs.add_parser("run", help="make a compose of a treefile"))
    definition_verbs.add(verbs, _shared_options)
    verbs.add_parser("stages", help="the stages of the pipeline and the schemas of their options, as JSON")
    publishing_verbs.add(verbs, _shared_options)
    push.options(verbs.add_parser("push", help="bring a compose's container to a registry"))
    conversion_verbs.add(verbs)
    fetching_verbs.add(verbs)
    export = verbs.add_parser("export-repo", help="pack a compose's repo into a tar")
    export.add_argument("--from", dest="source", type=Path, required=True)
    export.add_argument("--to", dest="target", type=Path, required=True)
    return top


def _run_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("treefile", type=Path)
    verb.add_argument("--variant", required=True)
    verb.add_argument("--architecture", default="amd64", help="(default: %(default)s)")
    verb.add_argument("--output", type=Path, required=True, metavar="DIR")
    verb.add_argument("--lock", type=Path, metavar="FILE", help="use exactly these packages")
    words = ", ".join((*PHASES, *parts.FORMATS, parts.UPGRADE))
    verb.add_argument("--only", action="append", default=[], metavar="WHAT", help=f"with what it needs; of {words}")
    verb.add_argument("--skip", action="append", default=[], metavar="WHAT", help="and what needs it")
    verb.add_argument("--part", default="", metavar="NAME", help="only tree, or one deliverable with its gates")
    verb.add_argument("--given", type=Path, metavar="FILE", help="results of stages that another host made, as JSON")
    verb.add_argument("--share", action="store_true", help="also pack what other hosts need for the deliverables")
    verb.add_argument("--again", action="append", default=[], metavar="PHASE", help="even if its results are kept")
    verb.add_argument("--previous-repo", type=Path, metavar="REPO", help="its commit becomes the parent")
    verb.add_argument("--previous-container", type=Path, metavar="IMAGE", help="an OCI archive, layout or manifest:"
                      " packages keep their layers")  # fmt: skip
    verb.add_argument("--security-tracker", default=SECURITY_TRACKER, metavar="URL|FILE",
                      help="known vulnerabilities; none: nobody is asked (default: %(default)s)")  # fmt: skip
    verb.add_argument("--previous", type=Path, metavar="DIR", help="an earlier compose's output: upgraded to this one")
    verb.add_argument("--compose-version", type=int, default=0, metavar="N", help="the last part of the version")
    verb.add_argument("--trusted-keys", type=Path, metavar="FILE", help="public keys of who signs commits, for updates")
    verb.add_argument("--boot-timeout", type=float, default=900.0, metavar="S", help="for each firmware (default: 900)")
    verb.add_argument("--memory", type=int, default=1024, metavar="MIB", help="of the machine that boots it")
    verb.add_argument("--defer-gates", action="store_true", help="a gate that blocks is told, but is no failure")
    verb.add_argument("--snapshots", default=SNAPSHOTS, metavar="URL", help="Debian's archive at {date}, of a snapshot "
                      "service (default: %(default)s)")  # fmt: skip
    verb.add_argument("--pack", action="store_true", help="also repo.tar, and disk.raw.zst in place of disk.raw")
    verb.add_argument("--store-gib", type=float, default=20, metavar="N", help="of kept results (default: 20)")
    verb.add_argument("--store-days", type=float, default=30, metavar="N", help="kept since last used (default: 30)")
    _shared_options(verb)


def _shared_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--state", type=Path, metavar="DIR", help="what is kept between runs (default: var/host)")
    verb.add_argument("--mirror", default="", metavar="URL", help="Debian's archive (default: the one of this host)")
    verb.add_argument("--keyring", type=Path, default=DEBIAN_KEYRING, help="that signs it (default: %(default)s)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0: done; 1: not, and the last line says why; 2: wrong arguments."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = parser().parse_args(given)
    try:
        return VERBS[options.verb](options, given)
    except ToolError as error:
        return told(error)


def _run(options: argparse.Namespace, given: Sequence[str]) -> int:
    check_phases(options.again)
    parts.check_names([*options.only, *options.skip])
    if not (options.store_gib > 0 and options.store_days > 0):
        raise InputError("--store-gib and --store-days must be above 0.")
    _order(options)  # what is wrong with the input is said at once
    return contained_run(options, given, _run_inside)


def _order(options: argparse.Namespace) -> Order:
    tree = treefile.resolve(treefile.load(options.treefile), options.variant, options.architecture)
    return Order(
        tree=tree, state=state_of(options), output=options.output.absolute(), mirror=options.mirror or default_mirror(),
        keyring=options.keyring, lock=locks.read(options.lock) if options.lock else None,
        respin=options.compose_version, boot_timeout=options.boot_timeout, memory=options.memory,
        trusted_keys=_keys(options.trusted_keys),
        previous_repo=options.previous_repo.absolute() if options.previous_repo else None,
        security_tracker=options.security_tracker,
        previous_container=read_manifest(options.previous_container) if options.previous_container else None,
        previous=_previous(options) if options.previous else None,
        folder=options.treefile.absolute().parent, snapshots=options.snapshots,
        given=given.read(options.given) if options.given else {},
    )  # fmt: skip


def _previous(options: argparse.Namespace) -> previous.Previous:
    return previous.read(options.previous.absolute(), disk=options.part in ("", parts.UPGRADE))


def _keys(path: Path | None) -> str:
    return openpgp.armored(openpgp.binary(path.read_bytes(), str(path))) if path else ""


def _run_inside(options: argparse.Namespace) -> int:
    order = _order(options)
    order.output.mkdir(parents=True, exist_ok=True)
    order.state.root.mkdir(parents=True, exist_ok=True)
    with open_log(order.output / "compose.log") as file:
        log = Log(_tolerant(file.write), lambda chunk: os.write(1, chunk))
        compose = Compose(order, log, Progress(len(PHASES)), store_limit=int(options.store_gib * (1 << 30)),
                          store_days=options.store_days)  # fmt: skip
        report = compose.run(options.only, options.skip, options.again, defer=options.defer_gates, part=options.part,
                             share=options.share)  # fmt: skip
        if report["ok"] and options.pack:
            report = pack(order.output, compose.progress.report)
        log.line(f"== DONE {report['version']} {report['commit']}" if report["ok"] else f"== FAILED {report['reason']}")
    for each in report["gates"]:
        print(f"  {each['name']}: {each['verdict']}: {each['sentence']}")
    for line in report["decisive"]:
        print(f"  {line}")
    print("Finished." if report["ok"] else report["reason"], flush=True)
    return 0 if report["ok"] else 1


def _tolerant(write: Callable[[bytes], object]) -> Callable[[bytes], object]:
    """A full disk must not keep the log from the console."""

    def listener(chunk: bytes) -> None:
        with suppress(OSError):
            write(chunk)

    return listener


def _export(options: argparse.Namespace, _: Sequence[str]) -> int:
    publish.export_repo(options.source, options.target)
    return 0


VERBS: dict[str, Callable[[argparse.Namespace, Sequence[str]], int]] = {
    "run": _run, "publish": publishing_verbs.publish, "sign": publishing_verbs.sign, "move": publishing_verbs.move,
    "prune": publishing_verbs.prune,
    "signing-key": publishing_verbs.signing_key, "push": push.command, "export-repo": _export,
    "check": definition_verbs.check,
    "show": definition_verbs.show, "diff": definition_verbs.diff, "schema": definition_verbs.schema,
    "comps": definition_verbs.synchronise, "compare": definition_verbs.compare_locks, "stages": stage_verbs.show,
    "blueprint": conversion_verbs.convert_blueprint, "import-debos": conversion_verbs.import_debos,
    "fetch-definition": fetching_verbs.fetch,
}  # fmt: skip
