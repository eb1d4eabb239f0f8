"""A machine in the field: real ostree from the tools chroot, that pulls over HTTP and verifies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from chroots.engine.archives import openpgp
from chroots.engine.archives.mirror import default_mirror
from chroots.engine.archives.signing import Signer, write_public
from chroots.engine.layers import base
from chroots.engine.spec import DEBIAN_KEYRING
from chroots.engine.state import State
from composes.pipeline.job import Log
from composes.pipeline.publishing.ostree import Repo
from composes.pipeline.store import ResultStore
from composes.pipeline.tools import Tools, chroot_spec, entered
from debatomic.tools.errors import CommandFailed
from tests.application import STATE


def trusted_keys() -> Path:
    """The public keys of the signing key that tests keep: with it in the image, one compose serves all of them."""
    signer, path = Signer(STATE / "signing"), STATE / "signing-keys.asc"
    signer.ensure()
    write_public(signer, path)
    return path


@contextmanager
def field_tools(work: Path) -> Iterator[Tools]:
    """The tools chroot, with the folder `work` at its own path."""
    state = State(STATE.absolute())
    with ExitStack() as stack:
        scratch = stack.enter_context(ResultStore(state).scratch())
        layer = base.ensure(chroot_spec("trixie", "amd64", default_mirror(), DEBIAN_KEYRING), state, Log())
        yield stack.enter_context(entered(layer, work=scratch, shared=[work], log=Log(), network=True))


class Machine:
    """A repository that trusts the keys it was given, and verifies commits and summary."""

    def __init__(self, tools: Tools, folder: Path, url: str, keys: bytes) -> None:
        (folder / "keys.gpg").write_bytes(openpgp.binary(keys, "keys"))
        self.repo = Repo(tools, folder / "machine").have("bare-user")
        self.repo.do("config", "set", "core.fsync", "false")
        self.repo.do("remote", "add", "--set=gpg-verify=true", "--set=gpg-verify-summary=true",
                     f"--gpg-import={folder}/keys.gpg", "house", url)  # fmt: skip

    def pull(self, ref: str) -> str:
        """The commit that the ref is then."""
        self.repo.do("pull", "house", ref)
        return self.repo.resolve(f"house:{ref}")

    def refused(self, ref: str) -> str:
        """What ostree says when it refuses to pull."""
        with pytest.raises(CommandFailed) as caught:
            self.pull(ref)
        return caught.value.tail
