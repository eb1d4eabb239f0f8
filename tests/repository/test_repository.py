"""Repositories as real clients read them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from builds.repository.writer import Change
from debatomic.tools.errors import InputError
from tests.repository.apt import SPEC, Apt, Hub

pytestmark = pytest.mark.integration
CHANGES = 100


def candidate(apt: Apt, name: str) -> str:
    shown = apt("policy", name, program="apt-cache")
    return next((line.split()[1] for line in shown.splitlines() if "Candidate:" in line), "")


def test_packages_come_and_go_for_a_real_apt(hub: Hub, apt: Apt) -> None:
    hub.change(hub.package("alpha"), hub.package("beta", depends="alpha"))
    assert "Err" not in apt("update")
    assert (candidate(apt, "alpha"), candidate(apt, "beta")) == ("1.0", "1.0")
    apt("download", "alpha")
    assert (apt.folder / "alpha_1.0_all.deb").exists()

    told = hub.change(hub.package("alpha", "2.0"), remove=["alpha_1.0", "beta_1.0"])
    assert (told["packages"], told["name"]) == (1, hub.repository.current)
    apt("update")
    assert (candidate(apt, "alpha"), candidate(apt, "beta")) == ("2.0", "")


def test_a_snapshot_stays_what_it_was(hub: Hub, apt: Apt) -> None:
    first = hub.change(hub.package("alpha"))["name"]
    hub.change(hub.package("alpha", "2.0"), remove=["alpha_1.0"])
    then = Apt(apt.folder / "then", f"{apt.address}/snapshots/{first}", apt.keys)
    then("update")
    assert candidate(then, "alpha") == "1.0"
    then("download", "alpha")


def test_the_same_content_gives_the_same_indexes(hub: Hub, tmp_path: Path) -> None:
    hub.change(hub.package("alpha"))
    hub.change(hub.package("beta"))
    grown = hub.repository.folder / "dists/house/main/binary-amd64/Packages.xz"
    before = grown.read_bytes()
    hub.change(hub.package("beta"), hub.package("alpha"), anew=True)
    assert grown.read_bytes() == before


def test_a_client_of_an_older_release_finds_its_indexes(hub: Hub) -> None:
    hub.change(hub.package("alpha"))
    release = (hub.repository.folder / "dists/house/Release").read_text()
    for number in range(3):
        hub.change(hub.package("alpha", f"2.{number}"))
    rows = [line.split() for line in release.splitlines() if line.endswith((".xz", ".zst"))]
    assert rows
    for digest, size, path in rows:
        named = hub.repository.folder / "dists/house" / Path(path).parent / "by-hash/SHA256" / digest
        assert named.stat().st_size == int(size)


def test_keys_are_changed_with_both_valid(hub: Hub, apt: Apt) -> None:
    old = apt.keys
    hub.change(hub.package("alpha"))
    first = hub.signer.fingerprints()[0]
    hub.signer.add("House, next")
    hub.change(hub.package("alpha", "2.0"))
    apt("update")  # knows the old key only
    new = Apt(apt.folder / "new", apt.address, hub.signer.public())
    new("update")
    hub.signer.retire(first)
    hub.change(hub.package("alpha", "3.0"))
    new("update")
    assert candidate(new, "alpha") == "3.0"
    assert "NO_PUBKEY" in Apt(apt.folder / "old", apt.address, old)("update", check=False)


def test_an_altered_index_is_refused(hub: Hub, apt: Apt) -> None:
    hub.change(hub.package("alpha"))
    release = hub.repository.folder / "dists/house/InRelease"
    release.write_text(release.read_text().replace("Label: House", "Label: Mouse"))
    assert "BADSIG" in apt("update", check=False)


@pytest.mark.parametrize("base, sentence", [("20200101T000000Z", "not at 20200101T000000Z")])
def test_a_change_of_another_snapshot_is_refused_and_changes_nothing(hub: Hub, base: str, sentence: str) -> None:
    hub.change(hub.package("alpha"))
    before = (hub.repository.folder / "dists/house/InRelease").read_bytes()
    wanted = Change(name="20261122T000099Z", base=base, spec=SPEC, remove=["alpha_1.0"])
    with pytest.raises(InputError, match=sentence):
        hub.repository.change(wanted, hub.signer, hub.places.__getitem__)
    assert (hub.repository.folder / "dists/house/InRelease").read_bytes() == before
    assert [path.name for path in (hub.repository.folder / "snapshots").iterdir()] == ["20261122T000001Z"]


def test_what_ended_before_the_switch_is_switched_to_by_the_next_try(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.change(hub.package("alpha"))

    def dies(name: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(hub.repository, "_switch", dies)
        hub.change(hub.package("beta"))
    assert hub.repository.current == "20261122T000001Z"
    hub.made -= 1
    assert hub.change(hub.package("beta"))["packages"] == 2
    assert hub.repository.current == "20261122T000002Z"


def test_old_snapshots_are_pruned_and_the_current_one_is_not(hub: Hub) -> None:
    package = hub.package("alpha")
    first = hub.change(package)["name"]
    second = hub.change(hub.package("beta"), remove=["alpha_1.0"])["name"]
    with pytest.raises(InputError, match="stays"):
        hub.repository.prune([first, second], [])
    assert hub.repository.prune([first], [package[1].path]) == [first]
    assert not (hub.repository.folder / package[1].path).exists()
    assert [path.name for path in (hub.repository.folder / "snapshots").iterdir()] == [second]


def test_no_client_ever_sees_half_a_change(hub: Hub, apt: Apt) -> None:
    hub.change(hub.package("steady"))
    packages = [hub.package("moving", f"1.{number}") for number in range(CHANGES)]
    landed = threading.Event()

    def land() -> None:
        try:
            for number, package in enumerate(packages):
                hub.change(package, remove=[f"moving_1.{number - 1}"])
        finally:
            landed.set()

    changing = threading.Thread(target=land)
    changing.start()
    updates = 0
    while not landed.is_set():
        said = apt("update")
        assert "Err" not in said and "Failed" not in said, said
        assert candidate(apt, "steady") == "1.0"
        updates += 1
    changing.join()
    apt("update")
    assert candidate(apt, "moving") == f"1.{CHANGES - 1}"
    assert updates > 5
