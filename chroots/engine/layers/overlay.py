"""Read-only layers and one writable upper as one tree; and space for the upper that cannot grow beyond its limit."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from chroots.engine.isolation.loop import mounted_image
from chroots.engine.isolation.mounts import mounted
from chroots.engine.isolation.unprivileged import is_host_root
from chroots.engine.layers.base import Layer
from chroots.engine.spec import Tmpfs
from debatomic.tools.errors import InputError, Kind, ToolError
from debatomic.tools.run import Output, run

INODES_PER_GIB = 1 << 18
# A file system that is thrown away: nothing for repair, growth or a crash, so that making it writes 0.1 MiB, not 4.
SHORT_LIVED = ("-O", "^has_journal,^resize_inode,^metadata_csum,uninit_bg,sparse_super2", "-G", "4096",
               "-E", "lazy_itable_init=1,nodiscard,num_backup_sb=0")  # fmt: skip
EMPTY = "empty-"
BOOT = Path("/proc/sys/kernel/random/boot_id")
RESERVE = 1 << 30  # bytes of the host's disk that installing packages leaves free
LAST_RESERVE = 256 << 20  # and what building does, which has a limit of its own


def overlay_options(lowers: Sequence[Path], upper: Path) -> str:
    """For an overlay that never waits for the disk: what it holds is thrown away, or synced by its maker."""
    without_root = "" if is_host_root() else ",userxattr"  # else the kernel's notes in files are for root only
    folders = f"upperdir={upper}/changes,workdir={upper}/scratch"
    return f"lowerdir={':'.join(map(os.fspath, lowers))},{folders},volatile{without_root}"


@contextmanager
def overlay(layers: Sequence[Layer], at: Path, *, upper: Path) -> Iterator[Path]:
    """Mount `layers` (topmost first) at `at`, changes going to `upper` (which gets the folders `changes`, `scratch`).

    Layers in use are locked against eviction; leaving the block unmounts. Needs CAP_SYS_ADMIN: run your process in
    `debatomic.tools.run.contained`, then a killed process leaves no mount behind.
    """
    with ExitStack() as undo:
        for layer in layers:
            undo.enter_context(layer.used())
        for folder in (at, upper / "changes", upper / "scratch"):
            folder.mkdir(parents=True, exist_ok=True)
        yield undo.enter_context(mounted("overlay", at, overlay_options([layer.tree for layer in layers], upper)))


@contextmanager
def limited_space(folder: Path, size: int, memory: int, log: Output, tmpfs: Tmpfs = Tmpfs.AUTO) -> Iterator[Path]:
    """A folder below `folder` that holds at most `size` bytes: in memory (`tmpfs`), or on disk.

    By itself it is in memory if that leaves half of `memory`, which files in memory count against, to the programs,
    and three quarters of what the host has free. Raises: InputError if it must be in memory and is larger than that.
    """
    at = folder / "space"
    at.mkdir()
    with ExitStack() as undo:
        inodes = max(1 << 16, size * INODES_PER_GIB >> 30)
        options = f"size={size},nr_inodes={inodes},mode=755"
        if in_memory(size, memory, tmpfs) and _mounted_memory(at, options, undo):
            pass
        elif not is_host_root():
            log(b"Without root there are no loop devices: the disk limit is looked after, a moment late.\n")
        else:
            undo.enter_context(_image(folder / "space.img", at, size, log))
        yield at


def _mounted_memory(at: Path, options: str, undo: ExitStack) -> bool:
    """Mount memory there, unless an overlay of ours could not be on it: that took users Linux 6.6."""
    with ExitStack() as attempt:
        attempt.enter_context(mounted("tmpfs", at, options))
        if not is_host_root():
            try:
                os.setxattr(at, "user.debatomic", b"")
            except OSError:
                return False
        undo.push(attempt.pop_all())
    return True


def is_limited(space: Path) -> bool:
    """Whether a `limited_space` has a file system, and so a size, of its own."""
    return space.stat().st_dev != space.parent.stat().st_dev


@contextmanager
def _image(image: Path, at: Path, size: int, log: Output) -> Iterator[None]:
    """A file system in a sparse file; the file has no name once it is mounted, so nothing can be left behind."""
    with ExitStack() as undo:
        try:
            copy_sparse(_empty_image(image.parent, size), image)
            undo.enter_context(mounted_image(image, at, "nobarrier,noinit_itable"))
        except ToolError as error:
            log(f"{error} The disk limit of the build is not enforced.\n".encode())
        finally:
            image.unlink(missing_ok=True)
        yield


def in_memory(size: int, memory: int, tmpfs: Tmpfs) -> bool:
    """Whether a build's files are to be in memory."""
    if tmpfs == Tmpfs.ALWAYS and size > memory:
        raise InputError(f"The disk limit of {size >> 20} MiB is more than the memory limit of {memory >> 20} MiB, "
                         "so the build's files cannot be in memory.",
                         hint="Give a smaller --disk or more --memory, or --tmpfs auto.")  # fmt: skip
    fits = size <= min(available_memory() // 4, memory // 2)
    return tmpfs == Tmpfs.ALWAYS or (tmpfs == Tmpfs.AUTO and fits)


def _empty_image(folder: Path, size: int) -> Path:
    """An empty file system of `size` bytes to copy, made once in each boot of the host beside the work folders."""
    boot = BOOT.read_text().strip()
    made = folder.parent / f"{EMPTY}{size}-{boot}.img"
    if not made.exists():
        new = folder / "empty.img"
        with new.open("wb") as file:
            file.truncate(size)
        run(["mkfs.ext4", "-q", "-F", "-m0", *SHORT_LIVED, os.fspath(new)])
        for old in folder.parent.glob(f"{EMPTY}*"):
            if boot not in old.name:  # not synced, so perhaps not whole
                old.unlink(missing_ok=True)
        new.rename(made)
    return made


def copy_sparse(source: Path, target: Path) -> None:
    """Copy a file and its holes: only what was written takes time and space."""
    with source.open("rb") as old, target.open("wb") as new:
        new.truncate(os.fstat(old.fileno()).st_size)
        end = 0
        while (start := _data(old.fileno(), end)) is not None:
            end = os.lseek(old.fileno(), start, os.SEEK_HOLE)
            _copy(old.fileno(), new.fileno(), start, end)


def _data(file: int, start: int) -> int | None:
    """Where the next data of a file begins; None if there is none any more."""
    try:
        return os.lseek(file, start, os.SEEK_DATA)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return None
        raise


def _copy(old: int, new: int, start: int, end: int) -> None:
    while start < end:
        start += os.pwrite(new, os.pread(old, min(end - start, 1 << 20), start), start)


def file_system(path: Path, mountinfo: str) -> str:
    """The type of the file system that `path` is, or will be, on."""
    mounts = []
    for line in mountinfo.splitlines():
        fields = line.split()
        mounts.append((Path(fields[4].encode().decode("unicode_escape")), fields[fields.index("-") + 1]))
    containing = [(len(point.parts), kind) for point, kind in mounts if path.is_relative_to(point)]
    return max(reversed(containing), key=lambda mount: mount[0], default=(0, ""))[1]  # the later of equals is on top


def require_space(folder: Path, *, reserve: int = RESERVE) -> None:
    """End what fills the disk of this host before everybody else on it suffers.

    Raises: ToolError when less than `reserve` bytes, or one in a hundred inodes, are left where `folder` is.
    """
    found = os.statvfs(folder)
    if found.f_bavail * found.f_frsize < reserve or found.f_favail * 100 < found.f_files:
        raise ToolError(f"The disk of this host is full: less than {reserve >> 20} MiB are left.", kind=Kind.DISK,
                        hint="Free some space below the state folder, then retry.")  # fmt: skip


def available_memory() -> int:
    """Bytes of memory that could be used without swapping."""
    return _meminfo("MemAvailable")


def total_memory() -> int:
    """Bytes of memory this host has."""
    return _meminfo("MemTotal")


def _meminfo(name: str) -> int:
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))
