"""File systems in files, mounted by system calls: a program each for that would take longer than all the rest."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from chroots.engine.isolation.mounts import mount, unmount
from debatomic.tools.errors import InfrastructureError

CONTROL, GET_FREE = Path("/dev/loop-control"), 0x4C82  # LOOP_CTL_GET_FREE
CONFIGURE, CLEAR = 0x4C0A, 0x4C01  # LOOP_CONFIGURE, LOOP_CLR_FD
AUTOCLEAR = 4  # LO_FLAGS_AUTOCLEAR: the device is free again with the last who uses it
MAJOR = 7
CONFIG = struct.Struct("=II 2Q Q 2Q 4I 64s 64s 32s 2Q 8Q")  # struct loop_config, linux/loop.h
SHUTDOWN, WITHOUT_WRITING = 0x8004587D, 2  # EXT4_IOC_SHUTDOWN, EXT4_GOING_FLAGS_NOLOGFLUSH
ATTEMPTS = 32  # others may take the free device before us


@contextmanager
def mounted_image(image: Path, at: Path, options: str) -> Iterator[None]:
    """Mount the ext4 in `image` at `at`; when the block ends it is thrown away, so nothing of it is written any more.

    The name of `image` may go as soon as it is mounted. Raises: InfrastructureError where there are no loop devices.
    """
    device = _device(image)
    try:
        mount("ext4", at, options, source=Path(f"/dev/loop{os.minor(os.fstat(device).st_rdev)}"))
    finally:
        os.close(device)
    try:
        yield
    finally:
        _shut_down(at)
        unmount(at)


def _device(image: Path) -> int:
    """A file descriptor of a loop device for `image`; unless it is mounted, the device is free when that is closed."""
    try:
        for _ in range(ATTEMPTS):
            with CONTROL.open("rb") as control:
                number = fcntl.ioctl(control, GET_FREE)
            if (device := _configured(number, image)) is not None:
                return device
    except OSError as error:
        raise InfrastructureError(f"This host has no loop devices: {error.strerror}.") from error
    raise InfrastructureError("This host has no free loop device.")


def _configured(number: int, image: Path) -> int | None:
    """The device of that number for `image`; None if somebody else was faster."""
    path = Path(f"/dev/loop{number}")
    if not path.exists():  # a /dev that udev does not fill
        with suppress(FileExistsError):  # another build makes it at the same moment
            os.mknod(path, 0o660 | 0o060000, os.makedev(MAJOR, number))
    device = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    with image.open("rb+") as file:
        config = CONFIG.pack(file.fileno(), 0, *[0] * 5, 0, 0, 0, AUTOCLEAR, b"", b"", b"", *[0] * 10)
        try:
            fcntl.ioctl(device, CONFIGURE, config)
        except OSError as error:
            os.close(device)
            if error.errno == errno.EBUSY:
                return None
            raise
    return device


def _shut_down(at: Path) -> None:
    """Tell the file system that what it has not written yet need not be."""
    folder = os.open(at, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.ioctl(folder, SHUTDOWN, struct.pack("I", WITHOUT_WRITING))
    except OSError:
        pass  # a kernel that cannot; then it is written, and gone all the same
    finally:
        os.close(folder)
