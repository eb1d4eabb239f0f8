"""The caches of objects: nothing of another start of the host, which may have lost what was not synced."""

from __future__ import annotations

from pathlib import Path

from composes.pipeline.publishing import caches


def test_they_begin_anew_with_each_start_of_the_host(tmp_path: Path) -> None:
    folder = tmp_path / "ostree"
    for name in (caches.BUILD, caches.ARCHIVE, caches.DEPLOYED):
        (folder / name).mkdir(parents=True)
    (folder / "boot").write_text("another\n")
    caches._trim(folder)
    assert [path.name for path in folder.iterdir()] == ["boot"]
    (folder / caches.BUILD).mkdir()
    caches._trim(folder)
    assert (folder / caches.BUILD).is_dir()
