"""Each version of a source package is built once per target, and only where it is asked for."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from builds.architectures import plan
from builds.models import Build, Target
from builds.submitting.signatures import Checking
from chroots.models import Chroot
from debatomic.access.models import User
from debatomic.tools.errors import InputError
from hosts import hub
from hosts.models import State, Task

pytestmark = pytest.mark.django_db


@pytest.fixture
def submit(target: Target, dsc: Path, users: dict[str, User]) -> Callable[..., Build]:
    def made(**more: Any) -> Build:
        files = [(path.name, io.BytesIO(path.read_bytes())) for path in dsc.parent.iterdir()]
        return Build.objects.submit_upload(files=files, target=target, by=users["packager"], **more)

    return made


def end(build: Build, state: State) -> None:
    Task.objects.filter(pk=build.task_id).update(state=state)


def test_a_second_is_refused_with_a_link_to_the_first(submit: Callable[..., Build]) -> None:
    one = submit()
    with pytest.raises(InputError, match=rf"tiny 1\.0 is being built for trixie already: build {one.pk}, /builds/"):
        submit()
    end(one, State.COMPLETED)
    with pytest.raises(InputError, match=r"tiny 1\.0 is built for trixie already") as caught:
        submit()
    assert caught.value.field == "files"
    assert Build.objects.count() == 1


def test_scratch_builds_and_builds_in_vain_do_not_count(submit: Callable[..., Build]) -> None:
    submit(scratch=True)
    failed = submit()
    submit(scratch=True)
    end(failed, State.FAILED)
    canceled = submit()
    end(canceled, State.CANCELED)
    submit()
    with pytest.raises(InputError, match="already"):  # another one took its place
        failed.retry(by=failed.created_by)


def test_a_retry_of_its_task_asks_the_same(
    submit: Callable[..., Build], target: Target, users: dict[str, User]
) -> None:
    failed = submit()
    tasks = [failed.task, failed.task.children.get()]
    Task.objects.update(state=State.FAILED)
    other = submit()
    for task in tasks:
        with pytest.raises(InputError, match="already"):
            hub.retry(task, users["release-manager"])
    end(other, State.FAILED)
    Target.objects.update(signatures=Checking.REQUIRED)
    for task in tasks:
        with pytest.raises(InputError, match="only what a key it names has signed"):
            hub.retry(task, users["release-manager"])
    Target.objects.update(signatures=Checking.INFORMATIVE)
    hub.retry(tasks[1], users["release-manager"])
    for task in tasks:
        task.refresh_from_db()
        assert task.state == State.FREE


def test_another_target_and_one_that_builds_again_take_it(submit: Callable[..., Build], target: Target) -> None:
    submit()
    target.once = False
    target.save()
    assert submit().pk


def test_the_form_links_the_first(submit: Callable[..., Build], client_of: Callable[[str], Client], dsc: Path) -> None:
    one = submit()
    files = [path.open("rb") for path in sorted(dsc.parent.iterdir())]
    answer = client_of("packager").post("/builds/new/", {"target": "trixie", "files": files})
    assert answer.status_code == 422
    assert f'<a href="/builds/{one.pk}/">/builds/{one.pk}/</a>' in answer.content.decode()


def test_chosen_architectures_alone_are_built(
    submit: Callable[..., Build], target: Target, client_of: Callable[[str], Client]
) -> None:
    arm = Chroot.objects.create(name="trixie-arm64", suite="trixie", architecture="arm64", components=["main"])
    target.chroots.add(arm)
    build = submit(architectures=["arm64"])
    assert [task.architecture for task in build.task.children.all()] == ["arm64"]
    asked = {"source": "figlet", "target": "trixie", "architectures": ["s390x"]}
    page = client_of("packager").post("/builds/new/", {**asked, "source": "No Name", "architectures": "s390x, arm64"})
    assert page.context["form"].cleaned_data["architectures"] == ["s390x", "arm64"]


@pytest.mark.parametrize(
    ("wanted", "only", "planned"),
    [
        ("any all", (), {"amd64": "binary", "arm64": "any"}),
        ("any all", ("arm64",), {"arm64": "binary"}),
        ("all", ("arm64",), {"arm64": "all"}),
        ("arm64", ("arm64",), {"arm64": "any"}),
        ("arm64", ("amd64",), "It is for arm64, which amd64 is not."),
        ("any", ("s390x",), "The target has no s390x; it has amd64, arm64."),
    ],
)
def test_what_is_planned_for_some_architectures(
    wanted: str, only: tuple[str, ...], planned: dict[str, str] | str
) -> None:
    if isinstance(planned, dict):
        assert plan(wanted.split(), ["arm64", "amd64"], only) == planned
    else:
        with pytest.raises(InputError, match=planned) as caught:
            plan(wanted.split(), ["arm64", "amd64"], only)
        assert caught.value.field == "architectures"
