"""The repository that is served: whoever reads it meanwhile sees the old state or the new, and always a signed one."""

from __future__ import annotations

import os
import re
import shutil
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chroots.engine.archives.signing import Signer
from chroots.engine.layers import base
from chroots.engine.spec import ChrootSpec
from chroots.engine.state import State, locked
from composes.pipeline.job import Log
from composes.pipeline.publishing import gvariant
from composes.pipeline.publishing.ordering import Ordering
from composes.pipeline.publishing.ostree import CHECKSUM, Repo
from composes.pipeline.publishing.updates import bound_refs, object_path, update
from composes.pipeline.store import ResultStore
from composes.pipeline.tools import entered
from debatomic.tools.errors import InputError
from debatomic.tools.files import whole

REF = re.compile(r"^[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*\Z")
SIGNATURES = "ostree.gpgsigs"
KEPT = "refs/remotes/composes"  # what no ref names any more, but may be promoted or gone back to
SHARED = ("objects", "refs", "deltas", "delta-indexes", "state", "extensions")
FALLBACK = re.compile(r"^Total Fallback Size: (\d+)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Step:
    """`ref` shall be `commit`; refused if it is neither `expected` nor there already (None: whatever it is now)."""

    ref: str
    commit: str
    expected: str | None = None


@dataclass(frozen=True, kw_only=True)
class Served:
    """The repository at `repo.path`, locked and at hand in the tools; made by `opened`."""

    repo: Repo
    scratch: Path
    signer: Signer | None
    log: Log

    @property
    def path(self) -> Path:
        return self.repo.path

    @property
    def ordering(self) -> Ordering:
        return Ordering(self.path)

    def move(self, steps: Sequence[Step]) -> list[dict[str, Any]]:
        """All of them or none: signatures and deltas first, then the refs, the summary last.

        Returns for each: ref, commit, previous, signed_by, objects and size of the update, delta (its bytes, or None),
        serial (of this change of the repository).
        """
        before = [self._checked(step) for step in steps]
        told = [self._prepared(step, previous) for step, previous in zip(steps, before, strict=True)]
        serial = self.ordering.next_serial()
        for step in steps:
            self.repo.set_ref(step.ref, step.commit)
        self.summarise()
        return [{**each, "serial": serial} for each in told]

    def passed_over(self, step: Step) -> dict[str, Any]:
        """What `move` returns, for a commit that is signed and ready to be promoted, but which the ref never names."""
        now = self._checked(step)
        keys, _ = self._sign(step.commit)
        self.log.line(f"{step.ref} stays {now}: that is of a newer compose than {step.commit}")
        return {"ref": step.ref, "commit": step.commit, "previous": now, "signed_by": keys,
                **asdict(update(self.path, "", step.commit)), "delta": None, "passed_over": True}  # fmt: skip

    def keep(self, name: str, commit: str) -> None:
        """Hold a commit, whatever refs do, until it is let go."""
        with whole(self._kept(name)) as file:
            file.write(f"{commit}\n".encode())

    def let_go(self, names: Sequence[str]) -> None:
        for name in names:
            self._kept(name).unlink(missing_ok=True)

    def prune(self) -> None:
        """Remove the objects and deltas of commits that neither a ref nor `keep` names."""
        self.repo.do("prune", "--refs-only", "--depth=0")
        for name in self.repo.read("static-delta", "list").split():
            old, _, new = name.rpartition("-")
            if CHECKSUM.match(new) and old and not object_path(self.path, old, "commit").exists():
                self.repo.do("static-delta", "delete", name)  # nobody updates from there
        self.ordering.forget_gone()
        self.summarise()

    def _kept(self, name: str) -> Path:
        if not REF.match(name) or ".." in name:
            raise InputError(f"{name} is no name to keep a commit under.")
        return self.path / KEPT / name

    def _checked(self, step: Step) -> str:
        """What the ref is now; empty if it is not there."""
        if not REF.match(step.ref):
            raise InputError(f"{step.ref} is not a possible ref.")
        bound = bound_refs(self.path, step.commit)
        if step.ref not in bound:
            raise InputError(f"The commit is bound to {' and '.join(bound) or 'no ref'}; as {step.ref} no machine could"
                             " pull it.", hint="Compose it with that ref or channel.")  # fmt: skip
        now = self.repo.resolve(step.ref)
        if step.expected is not None and now not in (step.expected, step.commit):
            raise InputError(f"{step.ref} is {now or 'gone'} meanwhile, not {step.expected or 'new'}.",
                             hint="Look again at what would change.")  # fmt: skip
        return now

    def _prepared(self, step: Step, previous: str) -> dict[str, Any]:
        keys, anew = self._sign(step.commit)
        told: dict[str, Any] = {"ref": step.ref, "commit": step.commit, "previous": previous, "signed_by": keys,
                                **asdict(update(self.path, previous, step.commit)), "delta": None}  # fmt: skip
        if previous and previous != step.commit:
            told["delta"] = self._delta(previous, step.commit, anew=anew)
            self.log.line(f"{step.ref}: update of {told['size']} bytes, {told['delta']} by static delta")
        return told

    def _sign(self, commit: str) -> tuple[list[str], bool]:
        """Have the commit signed by every key; the fingerprints, and whether something was signed just now."""
        if self.signer is None:
            return [], False
        keys, path = self.signer.ensure(), object_path(self.path, commit, "commitmeta")
        known = dict(gvariant.read("a{sv}", path.read_bytes())) if path.exists() else {}
        given = list(known[SIGNATURES][1]) if SIGNATURES in known else []
        by_key = {key: each for key in keys for each in given if bytes.fromhex(key) in each}
        missing = [key for key in keys if key not in by_key]
        content = object_path(self.path, commit, "commit").read_bytes()
        by_key |= {key: self.signer.sign(content, key) for key in missing}
        if missing:
            _replace(path, gvariant.metadata(SIGNATURES, [by_key[key] for key in keys]))
            self.log.line(f"commit {commit} signed by {', '.join(missing)}")
        return keys, bool(missing)

    def _delta(self, old: str, new: str, *, anew: bool) -> int | None:
        """Bytes of the static delta, made if it is not there (it carries the signatures); None where none can be."""
        if not object_path(self.path, old, "commit").exists():
            return None
        name = f"{old}-{new}"
        if anew or name not in self.repo.read("static-delta", "list").split():
            self.repo.do("static-delta", "generate", f"--from={old}", f"--to={new}")
        told = FALLBACK.search(self.repo.read("static-delta", "show", name))  # large objects, fetched as they are
        files = _delta_folder(self.path, old, new).iterdir()
        return sum(each.stat().st_size for each in files) + (int(told[1]) if told else 0)

    def summarise(self) -> None:
        """The summary and its signatures, made aside and brought in by one rename each."""
        shadow = self.path / "tmp/summary-of"  # on the same mount: ostree renames
        shutil.rmtree(shadow, ignore_errors=True)
        (shadow / "tmp").mkdir(parents=True)
        shutil.copyfile(self.path / "config", shadow / "config")
        for name in SHARED:
            (self.path / name).mkdir(exist_ok=True)
            (shadow / name).symlink_to(self.path / name)
        Repo(self.repo.tools, shadow).summary()
        content = (shadow / "summary").read_bytes()
        signatures = [self.signer.sign(content, key) for key in self.signer.fingerprints()] if self.signer else []
        if signatures:
            _replace_dated(self.path / "summary.sig", gvariant.metadata(SIGNATURES, signatures))
        _replace_dated(self.path / "summary", content)
        if not signatures:
            (self.path / "summary.sig").unlink(missing_ok=True)
        shutil.rmtree(shadow)


def _delta_folder(repo: Path, old: str, new: str) -> Path:
    """Where libostree keeps the static delta between two commits."""
    names = [b64encode(bytes.fromhex(each)).decode().rstrip("=").replace("/", "_") for each in (old, new)]
    return repo / "deltas" / names[0][:2] / f"{names[0][2:]}-{names[1]}"


def _replace(path: Path, content: bytes) -> None:
    with whole(path) as file:
        file.write(content)


def _replace_dated(path: Path, content: bytes) -> None:
    """At least a second newer than what was there: HTTP tells times in seconds, and clients ask what is newer."""
    before = int(path.stat().st_mtime) if path.exists() else 0
    with whole(path) as file:
        file.write(content)
        file.flush()
        newer = max(time.time(), before + 1)
        os.utime(file.fileno(), (newer, newer))


@contextmanager
def opened(
    target: Path, *, state: State, tools: ChrootSpec, log: Log, signer: Signer | None, shared: Sequence[Path] = ()
) -> Iterator[Served]:
    """The repository `target` (made if there is none) with the tools, and nobody else changing it."""
    target.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        results = ResultStore(state)
        scratch = stack.enter_context(results.scratch())
        stack.enter_context(locked(target.parent / f".{target.name}.lock"))
        layer = base.ensure(tools, state, log)
        entry = stack.enter_context(entered(layer, work=scratch, shared=[results.root, target, *shared], log=log))
        yield Served(repo=Repo(entry, target).have("archive"), scratch=scratch, signer=signer, log=log)


def steps(given: Mapping[str, str], expected: Mapping[str, str]) -> list[Step]:
    """Steps from texts by ref. Raises InputError for what is no commit."""
    for commit in (*given.values(), *filter(None, expected.values())):
        if not CHECKSUM.match(commit):
            raise InputError(f"{commit} is no commit.")
    return [Step(ref=ref, commit=commit, expected=expected.get(ref)) for ref, commit in given.items()]
