"""The command line's verbs about the repository that is served: publish, move, prune, and its signing key."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from chroots.engine.archives.mirror import default_mirror
from chroots.engine.archives.signing import Signer, write_public
from composes.pipeline.job import Log
from composes.pipeline.publishing import attesting
from composes.pipeline.publishing import publish as publishing
from composes.pipeline.publishing.served import Served, opened, steps
from composes.pipeline.tools import chroot_spec
from composes.pipeline.verbs.containing import contained_run, state_of, told
from debatomic.tools.errors import InputError, ToolError
from debatomic.tools.files import write_json

Parser = argparse.ArgumentParser
Facts = dict[str, Any]


def add(verbs: Any, shared: Callable[[Parser], None]) -> None:
    """Declare these verbs; `shared` adds the options that all have."""
    one = verbs.add_parser("publish", help="take a compose's commit into a repository that is served")
    one.add_argument("--from", dest="source", type=Path, required=True, help="a compose's repo, or its tar")
    one.add_argument("--ref", required=True)
    one.add_argument("--commit", default="", help="refuse any other commit than this")
    one.add_argument("--keep-as", default="", metavar="NAME", help="hold the commit until prune --let-go NAME")
    one.add_argument("--order", type=int, default=0, metavar="N", help="leave a ref alone that a higher N published")
    one.add_argument("--attest", type=Path, metavar="FILE", help="JSON of what else is signed")
    _repository_options(one, shared)
    one = verbs.add_parser("sign", help="sign a compose's files and its container")
    one.add_argument("folder", type=Path, help="its output folder, which gets the signatures")
    one.add_argument("--signing-home", type=Path, required=True, metavar="DIR", help="gpg's folder")
    one.add_argument("--reference", default="", metavar="HOST/NAME:TAG", help="where the container is pulled from")
    one.add_argument("--lookaside", type=Path, metavar="DIR", help="gets the container's signatures as pullers look")
    one = verbs.add_parser("move", help="have refs name other commits that the repository holds")
    one.add_argument("refs", nargs="+", metavar="REF=COMMIT")
    one.add_argument("--expect", nargs="+", default=[], metavar="REF=COMMIT", help="refuse if it is another one now")
    _repository_options(one, shared)
    one = verbs.add_parser("prune", help="remove what neither refs nor kept names hold")
    one.add_argument("--let-go", nargs="+", default=[], metavar="NAME")
    _repository_options(one, shared)
    one = verbs.add_parser("signing-key", help="show the signing keys; make the first, add or retire one")
    one.add_argument("--home", type=Path, required=True, metavar="DIR", help="gpg's folder, mode 0700")
    one.add_argument("--public", type=Path, metavar="FILE", help="gets the public keys")
    one.add_argument("--new", action="store_true", help="one more: both sign from now on")
    one.add_argument("--retire", metavar="FINGERPRINT", help="sign with it no more, and forget it")


def _repository_options(verb: Parser, shared: Callable[[Parser], None]) -> None:
    verb.add_argument("--to", dest="target", type=Path, required=True, help="the repository that is served")
    verb.add_argument("--signing-home", type=Path, metavar="DIR", help="sign with the keys in gpg's folder")
    verb.add_argument("--output", type=Path, metavar="DIR", help="gets a result.json")
    verb.add_argument("--suite", default="trixie", help="of the tools (default: %(default)s)")
    shared(verb)


def publish(options: argparse.Namespace, given: Sequence[str]) -> int:
    return contained_run(options, given, lambda options: _noted(options, _published))


def sign(options: argparse.Namespace, _: Sequence[str]) -> int:
    try:
        said = json.loads((options.folder / "result.json").read_text())
    except (OSError, ValueError) as error:
        return told(InputError(f"{options.folder} is no output folder of a compose: {error}."))
    files = {each["path"]: each["sha256"] for each in said["deliverables"] if "/" not in each["path"]}
    digest = said["container"].get("digest", "") if options.reference else ""
    try:
        what = attesting.read({"files": files, "digest": digest, "reference": options.reference})
        made = attesting.attest(Signer(options.signing_home.absolute()), what, options.folder, options.lookaside)
    except ToolError as error:
        return told(error)
    print("\n".join(made), flush=True)
    return 0


def move(options: argparse.Namespace, given: Sequence[str]) -> int:
    return contained_run(options, given, lambda options: _noted(options, _moved))


def prune(options: argparse.Namespace, given: Sequence[str]) -> int:
    return contained_run(options, given, lambda options: _noted(options, _pruned))


def signing_key(options: argparse.Namespace, _: Sequence[str]) -> int:
    signer = Signer(options.home.absolute())
    signer.ensure()
    if options.new:
        signer.add()
    if options.retire:
        signer.retire(options.retire)
    if options.public:
        write_public(signer, options.public)
    print("\n".join(signer.fingerprints()), flush=True)
    return 0


def _noted(options: argparse.Namespace, work: Callable[[argparse.Namespace], Facts]) -> int:
    try:
        facts = work(options)
    except ToolError as error:
        _note(options, {"ok": False, "reason": error.sentence, "kind": error.kind.value, "decisive": error.lines})
        return told(error)
    _note(options, {"ok": True, "repository": os.fspath(options.target), **facts})
    return 0


def _note(options: argparse.Namespace, result: Facts) -> None:
    if options.output:
        write_json(options.output / "result.json", result)


def _published(options: argparse.Namespace) -> Facts:
    source: Path = options.source.absolute()
    with _opened(options, *([source] if source.is_dir() else [])) as served:
        facts = publishing.publish(served, source, options.ref, commit=options.commit, keep_as=options.keep_as,
                                   order=options.order)  # fmt: skip
        if options.attest and served.signer and options.output:
            what = attesting.read(json.loads(options.attest.read_text()))
            lookaside = options.target.absolute().parent / "signatures"
            facts["attested"] = attesting.attest(served.signer, what, options.output, lookaside)
    now = facts["previous"] if facts.get("passed_over") else facts["commit"]
    print(f"{options.ref} is {'still' if facts.get('passed_over') else 'now'} {now}", flush=True)
    return facts


def _moved(options: argparse.Namespace) -> Facts:
    wanted, expected = _pairs(options.refs), _pairs(options.expect)
    with _opened(options) as served:
        moved = served.move(steps(wanted, expected))
    for ref, commit in wanted.items():
        print(f"{ref} is now {commit}", flush=True)
    return {"moved": moved}


def _pruned(options: argparse.Namespace) -> Facts:
    with _opened(options) as served:
        served.let_go(options.let_go)
        served.prune()
    return {"let_go": options.let_go}


def _opened(options: argparse.Namespace, *shared: Path) -> AbstractContextManager[Served]:
    home: Path | None = options.signing_home
    return opened(
        options.target.absolute(), state=state_of(options), log=Log(lambda chunk: os.write(1, chunk)),
        tools=chroot_spec(options.suite, "amd64", options.mirror or default_mirror(), options.keyring),
        signer=Signer(home.absolute()) if home else None, shared=shared,
    )  # fmt: skip


def _pairs(texts: Sequence[str]) -> dict[str, str]:
    found = dict(text.partition("=")[::2] for text in texts)
    if any("=" not in text for text in texts):
        raise InputError("Refs are given as REF=COMMIT.")
    return found
