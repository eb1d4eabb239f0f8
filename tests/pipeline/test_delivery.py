"""Files put into others, with their holes."""

from __future__ import annotations

from pathlib import Path

import pytest

from composes.pipeline.delivery import put_sparse

MIB = 1 << 20


@pytest.mark.parametrize("pieces", [{}, {0: b"a"}, {3 * MIB: b"x" * 5000, 8 * MIB + 17: b"y" * 70000},
                                    {10 * MIB - 4: b"last"}])  # fmt: skip
def test_what_is_written_comes_over_and_holes_stay_holes(tmp_path: Path, pieces: dict[int, bytes]) -> None:
    source, target = tmp_path / "part", tmp_path / "disk"
    for path, size in ((source, 10 * MIB), (target, 20 * MIB)):
        with path.open("wb") as file:
            file.truncate(size)
            for start, content in pieces.items() if path == source else ():
                file.seek(start)
                file.write(content)
    put_sparse(source, target, 5 * MIB)
    assert target.read_bytes() == bytes(5 * MIB) + source.read_bytes() + bytes(5 * MIB)
    assert target.stat().st_blocks * 512 < MIB
