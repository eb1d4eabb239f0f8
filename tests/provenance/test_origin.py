"""The page of a binary package: source, buildroot, log, tags."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from django.test import Client

from builds.models import Target
from builds.provenance.buildinfo import Installed, installed
from debatomic.access.models import User
from hosts.kept import store
from hosts.models import Artifact, Host
from tests import scene
from tests.provenance.made import BUILDINFO, finished


def test_the_packages_of_a_buildroot() -> None:
    found = [Installed("dpkg", "1.22.22"), Installed("gcc-14", "14.2.0-19", "arm64"),
             Installed("libc6-dev", "2.41-12+deb13u1")]  # fmt: skip
    assert installed(BUILDINFO) == found
    assert installed("Source: x\nInstalled-Build-Depends: a-b (= 1),\n ; rm (= 2), c<script> (= 3)\n") == [
        Installed("a-b", "1")
    ]
    assert installed("") == []


def test_a_package_says_where_it_comes_from(
    target: Target, somebody: User, host: Host, tmp_path: Path, client_of: Callable[[str], Client]
) -> None:
    package = finished(scene.build(somebody, target), host, tmp_path, [], b"same")
    other = finished(scene.build(somebody, target), host, tmp_path, [], b"same")
    page = client_of("viewer").get(f"/binaries/{package.pk}/").content.decode()
    for text in ("somebody", "builder-1", "b" * 64, "d8ae327c", "14.2.0-19", "figlet.buildinfo", "a newer version came",
                 f"/binaries/{other.pk}/", f"/tasks/{package.artifact.task_id}/log/1/build/"):  # fmt: skip
        assert text in page
    hidden = finished(scene.build(somebody, target, public=False), host, tmp_path, [])
    assert client_of("visitor").get(f"/binaries/{hidden.pk}/").status_code == 404


def test_a_forged_buildinfo_makes_no_long_page(
    target: Target, somebody: User, host: Host, tmp_path: Path, client_of: Callable[[str], Client]
) -> None:
    package = finished(scene.build(somebody, target), host, tmp_path, [])
    forged = "Installed-Build-Depends:\n" + "".join(f" p{number:05} (= 1),\n" for number in range(9_000))
    (tmp_path / "forged").write_text(forged)
    told = Artifact.objects.get(kind=Artifact.Kind.BUILDINFO)
    Artifact.objects.filter(pk=told.pk).update(sha256=store.put(tmp_path / "forged")[0])
    page = client_of("viewer").get(f"/binaries/{package.pk}/").content.decode()
    assert "p00499" in page and "p00500" not in page
    assert f'The first 500. <a href="{told.get_absolute_url()}">figlet.buildinfo</a> has all.' in page
    assert len(installed(forged)) == 5_000 and installed(f"Installed-Build-Depends: {'a' * 101} (= 1)\n") == []
