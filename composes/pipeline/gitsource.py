"""A treefile out of a git repository: its newest commit alone, fetched by an unprivileged git that sees nothing else.

There is no work tree and no hook: git writes an archive of the commit, and of that only plain files are read.
"""

from __future__ import annotations

import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from composes.pipeline.treefiles import treefile
from debatomic.tools.errors import CommandFailed, InfrastructureError, InputError, TimedOut
from debatomic.tools.run import Completed, run

ADDRESS = re.compile(r"(https?|ssh|file)://[!-~]+")
BRANCH = re.compile(r"(?!.*(\.\.|//|@\{|\.lock(/|$)))[A-Za-z0-9_][A-Za-z0-9._/+-]{0,190}(?<![/.])")
MAIN = re.compile(r"(?!.*(^|/)\.\.?(/|$))[A-Za-z0-9_][A-Za-z0-9_./+-]{0,190}\.(yaml|json)")
TEXT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,150}\.(yaml|json|asc)")
PROTOCOLS = ("https",)
NOBODY = 65534
REPOSITORY_BYTES = 64 << 20  # of any file git writes
TEXT_BYTES = 1 << 20
MEMBERS = 20000
SECONDS = 120.0
SEEN = ("ssl", "ca-certificates", "hosts", "nsswitch.conf", "host.conf", "gai.conf", "ld.so.cache", "passwd")
NOTHING_THERE = ("not found", "does not exist", "does not appear", "could not read Username")
LOCAL = "file:///source"  # where git sees a repository of this machine
CONFIGURATION = """\
[core]
    hooksPath = /dev/null
    symlinks = false
    fsmonitor = false
[protocol]
    allow = never
{protocols}[transfer]
    fsckObjects = true
[fetch]
    recurseSubmodules = false
[submodule]
    recurse = false
[gc]
    auto = 0
[maintenance]
    auto = false
[http]
    lowSpeedLimit = 1000
    lowSpeedTime = 30
[safe]
    directory = *
"""


@dataclass(frozen=True, kw_only=True)
class GitSource:
    """Where a definition is kept: `path` is that of its main file in the repository."""

    url: str
    branch: str
    path: str


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """The treefiles of a commit, by their names beside the main one; author and message are the commit's."""

    commit: str
    author: str
    message: str
    main: str
    files: dict[str, str]


def check(source: GitSource, protocols: Collection[str]) -> None:
    """Raises InputError (field url, branch or path) for what git is not to be asked."""
    if not ADDRESS.fullmatch(source.url):
        raise InputError("The address of a repository begins with https:// and has no spaces.", field="url")
    protocol = source.url.partition(":")[0]
    if protocol not in protocols:
        raise InputError(f"Repositories are fetched by {' or '.join(protocols)} here, not by {protocol}.", field="url",
                         hint="DEBATOMIC_GIT_PROTOCOLS allows more.")  # fmt: skip
    if "@" in source.url.partition("://")[2].partition("/")[0] and protocol != "ssh":
        raise InputError("An address with a password in it would be shown to everybody.", field="url")
    if not BRANCH.fullmatch(source.branch):
        raise InputError(f"“{source.branch:.60}” is no name of a branch.", field="branch")
    if not MAIN.fullmatch(source.path):
        raise InputError(f"“{source.path:.60}” is no path of a treefile: it ends with .yaml or .json.", field="path")


def fetch(source: GitSource, *, name: str, protocols: Collection[str], log: Callable[[bytes], object]) -> Fetched:
    """The newest commit of the branch, its treefile validated. `name` is the definition's, or empty for any.

    Raises InputError with file and line for a bad treefile, InfrastructureError where the server cannot be reached.
    """
    check(source, protocols)
    with _workplace(source, protocols) as git:
        git.run("init", "--quiet", "--bare", "--template=", "repository")
        git.fetch()
        said = git.run("log", "-1", "--no-show-signature", "--format=%H%x00%an <%ae>%x00%s", "got").stdout
        commit, author, message = [*said.rstrip("\n").split("\0"), "", ""][:3]
        log(f"commit {commit} of {author}: {message}\n".encode())
        folder = os.fspath(PurePosixPath(source.path).parent)
        git.run("archive", "--format=tar", "--output=/work/commit.tar", "got", *([] if folder == "." else [folder]))
        texts = _texts(git.folder / "commit.tar", folder)
        main = PurePosixPath(source.path).name
        if main not in texts:
            raise InputError(f"There is no file {source.path} in the branch {source.branch} of {source.url}.")
        files = _included(texts, main, git.folder / "texts", name)
    return Fetched(commit=commit, author=author[:200], message=message[:200], main=main, files=files)


def _included(texts: dict[str, str], main: str, folder: Path, name: str) -> dict[str, str]:
    """What the main file includes, once it is sure that everything resolves."""
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    content = treefile.load(folder / main)
    for variant in treefile.variants(content):
        for architecture in treefile.architectures(content):
            treefile.resolve(content, variant, architecture)
    if name and content["name"] != name:
        raise InputError(f"{main} names the definition {content['name']}, not {name}.")
    return {path: texts[path] for path in treefile.files(folder / main)}


def _texts(archive: Path, folder: str) -> dict[str, str]:
    """The plain files of an archive that may belong to a treefile, by their paths below `folder`."""
    found: dict[str, str] = {}
    top = "" if folder == "." else f"{folder}/"
    with tarfile.open(archive) as tar:
        for number, member in enumerate(tar):
            if number > MEMBERS:
                raise InputError(f"The folder of the treefile has more than {MEMBERS} files.")
            path = member.name.removeprefix(top)
            if not member.isreg() or not member.name.startswith(top) or not TEXT.fullmatch(path) or ".." in path:
                continue
            if member.size <= TEXT_BYTES and (file := tar.extractfile(member)):
                try:
                    found[path] = file.read().decode()
                except UnicodeDecodeError:
                    continue  # no text of a treefile; if one includes it, it is told as missing
    return found


@dataclass(frozen=True, kw_only=True)
class _Git:
    """git in its workplace: `folder` outside is /work inside."""

    folder: Path
    source: GitSource
    before: tuple[str, ...]

    def run(self, *args: str, seconds: float = SECONDS) -> Completed:
        env = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/work/gitconfig", "GIT_TERMINAL_PROMPT": "0",
               "GIT_DIR": "/work/repository", "GIT_ASKPASS": "/bin/false", "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
               "HOME": "/work", "TMPDIR": "/tmp"}  # noqa: S108 - the jail's own # fmt: skip
        arguments = args if args[0] != "init" else (*args[:-1], "/work/repository")
        return run([*self.before, "git", *arguments], env=env, capture=True, time_limit=seconds)

    def fetch(self) -> None:
        """Get the branch's newest commit. Raises InputError, InfrastructureError."""
        branch, url = self.source.branch, self.source.url
        asked = LOCAL if url.startswith("file://") else url
        try:
            self.run("fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--", asked,
                     f"+refs/heads/{branch}:refs/heads/got")  # fmt: skip
        except TimedOut as error:
            raise InfrastructureError(f"{url} took longer than {SECONDS:.0f} seconds.") from error
        except CommandFailed as error:
            raise _refused(error, url, branch) from error


def _refused(error: CommandFailed, url: str, branch: str) -> InputError | InfrastructureError:
    told = [line.removeprefix("fatal: ").strip() for line in error.tail.splitlines() if line.strip()]
    reason = next((line for line in told if "hint:" not in line), "git says nothing")
    if "couldn't find remote ref" in error.tail:
        return InputError(f"There is no branch {branch} in {url}.")
    if any(word in error.tail for word in NOTHING_THERE):
        return InputError(f"There is no repository at {url}, or none for everybody: {reason}.")
    if "File size limit" in error.tail or "signal 25" in error.tail or error.returncode in (-25, 153):
        return InputError(f"{url} is larger than the {REPOSITORY_BYTES >> 20} MiB that a definition's commit may have.")
    return InfrastructureError(f"{url} cannot be fetched: {reason}.")


@contextmanager
def _workplace(source: GitSource, protocols: Collection[str]) -> Iterator[_Git]:
    """A folder of nobody's, and the command line that shows git only that, programs and what the network needs."""
    with tempfile.TemporaryDirectory(prefix="debatomic-git-") as name:
        folder = Path(name) / "work"
        folder.mkdir()
        allowed = "".join(f'[protocol "{each}"]\n    allow = always\n' for each in protocols)
        (folder / "gitconfig").write_text(CONFIGURATION.format(protocols=allowed))
        if os.geteuid() == 0:
            shutil.chown(folder, NOBODY, NOBODY)
            Path(name).chmod(0o711)
        yield _Git(folder=folder, source=source, before=(*_jail(folder, source), *_limits()))


def _jail(folder: Path, source: GitSource) -> Sequence[str]:
    seen = [part for name in SEEN for part in ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")]
    seen += ["--ro-bind-try", os.path.realpath("/etc/resolv.conf"), "/etc/resolv.conf"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64"):
        path = Path("/", name)
        if path.is_symlink():
            seen += ["--symlink", os.fspath(path.readlink()), os.fspath(path)]
        elif path.exists():
            seen += ["--ro-bind", os.fspath(path), os.fspath(path)]
    if source.url.startswith("file://"):
        seen += ["--ro-bind-try", source.url.removeprefix("file://"), LOCAL.removeprefix("file://")]
    root = os.geteuid() == 0
    return [
        "bwrap", "--die-with-parent", "--new-session", *([] if root else ["--unshare-user"]), "--unshare-pid",
        "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--ro-bind", "/usr", "/usr", "--proc", "/proc",
        "--dev", "/dev", "--perms", "1777", "--tmpfs", "/tmp", *seen,  # noqa: S108 - the jail's own
        "--bind", os.fspath(folder), "/work", "--chdir", "/work", "--",
    ]  # fmt: skip


def _limits() -> Sequence[str]:
    """As nobody, for good; no file larger than it may be, no endless processor time."""
    become = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs",
              "--inh-caps=-all", "--bounding-set=-all", "--"] if os.geteuid() == 0 else []  # fmt: skip
    return [*become, "prlimit", f"--fsize={REPOSITORY_BYTES}", f"--cpu={SECONDS:.0f}", "--core=0", "--nproc=256", "--"]
