"""Uploads in Debian's way: files one by one, the `.changes` last, which makes a build of them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from django.conf import settings

from builds.submitting import signatures
from chroots.engine.archives import dsc
from debatomic.tools.errors import InputError
from debatomic.tools.files import whole

if TYPE_CHECKING:
    from builds.models import Build, Target
    from debatomic.access.models import User

CHANGES = ".changes"
KEPT = 24 * 3600  # seconds that files wait for their .changes
CHUNK = 1 << 20


def place(target: Target, by: User) -> Path:
    """Where this person's files for the target wait."""
    return Path(settings.HOME) / "uploads" / target.name / str(by.pk)


def take(target: Target, by: User, name: str, read: Callable[[int], bytes], *, scratch: bool) -> Build | None:
    """Take one file; a `.changes` becomes a build at once. Raises InputError naming the file that is wrong."""
    if not dsc.FILE_NAME.fullmatch(name):
        raise InputError(f"“{name:.80}” is no plain file name.", field="files")
    folder = place(target, by)
    folder.mkdir(parents=True, exist_ok=True)
    forget_old(folder.parent.parent)
    _write(folder, name, read)
    if not name.endswith(CHANGES):
        return None
    try:
        return _submit(target, by, folder / name, scratch=scratch)
    except InputError as error:
        error.field = error.field or "files"
        raise


def forget_old(folder: Path) -> None:
    """Remove what waited for its .changes in vain."""
    before = time.time() - KEPT
    for path in folder.glob("*/*/*"):
        try:
            if path.stat().st_mtime < before:
                path.unlink()
        except FileNotFoundError:
            continue  # taken meanwhile


def _write(folder: Path, name: str, read: Callable[[int], bytes]) -> None:
    with whole(folder / name, mode=0o600, lasting=False) as file:
        while chunk := read(CHUNK):
            file.write(chunk)
            file.flush()
            if _held(folder, besides=name) > settings.UPLOAD_LIMIT_BYTES:
                most = settings.UPLOAD_LIMIT_BYTES >> 20
                raise InputError(f"{name} is too much: this hub takes {most} MiB at once.", field="files")


def _held(folder: Path, *, besides: str) -> int:
    """Bytes of all files but one, those too that are only on their way."""
    held = 0
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            held += path.stat().st_size if path.name != besides else 0
    return held


def _submit(target: Target, by: User, path: Path, *, scratch: bool) -> Build:
    """A build of files that nobody changes meanwhile: a file that is sent once more is another one."""
    with TemporaryDirectory(prefix=".taken-", dir=path.parents[2]) as name:
        taken = Path(name)
        try:
            os.link(path, taken / path.name)
        except FileNotFoundError:
            raise InputError(f"{path.name} was taken already.", field="files") from None
        listed = dsc.listed_files(dsc.control_fields(taken / path.name), path.name)
        for each in listed:
            with suppress(FileNotFoundError):
                os.link(path.parent / each, taken / each)
        build = _of_taken(target, by, taken / path.name, scratch=scratch)
    for each in (*listed, path.name):
        (path.parent / each).unlink(missing_ok=True)
    return build


def _of_taken(target: Target, by: User, path: Path, *, scratch: bool) -> Build:
    signature = signatures.examine(target, path)
    fields = dsc.control_fields(path)
    listed = dsc.listed_files(fields, path.name)
    described = _described_by(listed, path.name)
    dsc.verify(listed, path.parent, path.name)
    source = dsc.parse_dsc(path.parent / described)
    if (fields.get("Source"), fields.get("Version")) != (source.name, source.version):
        raise InputError(f"{path.name} is about another source package than {described}.", field="files")
    if lacking := [name for name in source.files if name not in listed]:
        raise InputError(f"{described} needs {lacking[0]}, which {path.name} does not list.",
                         hint="dpkg-buildpackage -S -sa includes it.", field="files")  # fmt: skip
    with ExitStack() as undo:
        names = [described, *source.files]
        files = [(name, undo.enter_context((path.parent / name).open("rb"))) for name in names]
        build = target.builds.submit_upload(files=files, target=target, by=by, scratch=scratch, signature=signature)
    made: Build = build
    return made


def _described_by(listed: Mapping[str, tuple[str, int]], where: str) -> str:
    found = [name for name in listed if name.endswith(".dsc")]
    if len(found) != 1:
        raise InputError(f"{where} lists {len(found)} .dsc files; exactly one is needed.",
                         hint="dpkg-buildpackage -S makes it so.", field="files")  # fmt: skip
    if binary := [name for name in listed if name.endswith((".deb", ".udeb"))]:
        raise InputError(f"{where} lists the binary package {binary[0]}; only sources are taken.",
                         hint="dpkg-buildpackage -S makes a .changes of the source alone.", field="files")  # fmt: skip
    return found[0]


def profile(address: str, login: str, targets: Iterable[str]) -> str:
    """What goes into `~/.dput.cf`, for the hub at this address: `dput debatomic-trixie tiny_1.0_source.changes`."""
    method, _, rest = address.partition("://")
    fqdn, _, prefix = rest.strip("/").partition("/")
    top = os.fspath(Path("/", prefix, "upload"))
    common = f"fqdn = {fqdn}\nmethod = {method}\nlogin = {login}\nallow_unsigned_uploads = 1\n"
    sections = (
        f"[debatomic-{target}]\n{common}incoming = {top}/{target}\n\n"
        f"[debatomic-{target}-scratch]\n{common}incoming = {top}/{target}/scratch\n"
        for target in targets
    )
    return "\n".join(sections)
