"""Images in other formats: what a tool draws by lot is settled, and stays valid."""

from __future__ import annotations

import struct
import uuid
from pathlib import Path

import pytest

from composes.pipeline.stages import vhd, vmdk
from debatomic.tools.errors import ToolError

DESCRIPTION = b"# Disk DescriptorFile\nversion=1\nCID=%s\nparentCID=ffffffff\n"


@pytest.mark.parametrize("drawn", [b"a", b"1234567", b"89abcdef"])
def test_the_content_id_of_a_vmdk_is_settled_whatever_was_drawn(drawn: bytes, tmp_path: Path) -> None:
    path = tmp_path / "disk.vmdk"
    path.write_bytes(b"KDMV".ljust(512, b"\0") + (DESCRIPTION % drawn).ljust(1024, b"\0") + b"data")
    vmdk.settle_content_id(path, "0badcafe")
    assert path.read_bytes()[512:] == (DESCRIPTION % b"0badcafe").ljust(1024, b"\0") + b"data"


@pytest.mark.parametrize(
    "content", [b"", b"KDMV" * 100, DESCRIPTION.replace(b"CID=%s\n", b""), DESCRIPTION % b"1" + b"x" * 9]
)
def test_a_vmdk_without_room_for_it_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "disk.vmdk").write_bytes(content)
    with pytest.raises(ToolError, match="no description with a content id"):
        vmdk.settle_content_id(tmp_path / "disk.vmdk", "0badcafe")
    assert (tmp_path / "disk.vmdk").read_bytes() == content


def test_the_footer_of_a_vhd_is_settled_and_its_checksum_right(tmp_path: Path) -> None:
    path, identity = tmp_path / "disk.vhd", uuid.UUID(int=7)
    footer = vhd.COOKIE + bytes(range(256)) + b"x" * (vhd.FOOTER - 8 - 256)
    path.write_bytes(b"disk" * 128 + footer)
    vhd.settle_footer(path, date=vhd.EPOCH + 60, identity=identity)
    settled = bytearray(path.read_bytes()[512:])
    (said,) = struct.unpack_from(">I", settled, vhd.CHECKSUM)
    struct.pack_into(">I", settled, vhd.CHECKSUM, 0)
    assert said == ~sum(settled) & 0xFFFFFFFF
    assert struct.unpack_from(">I", settled, vhd.CREATED) == (60,)
    assert settled[vhd.UNIQUE : vhd.UNIQUE + 16] == identity.bytes
    assert path.read_bytes()[:512] == b"disk" * 128


def test_what_is_no_vhd_is_refused(tmp_path: Path) -> None:
    (tmp_path / "disk.vhd").write_bytes(bytes(1024))
    with pytest.raises(ToolError, match="no footer"):
        vhd.settle_footer(tmp_path / "disk.vhd", date=vhd.EPOCH, identity=uuid.UUID(int=7))
