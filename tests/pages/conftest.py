"""A small world for the pages: builds and composes in every state the pages speak of."""

from __future__ import annotations

from pathlib import Path

import pytest

from builds.models import Target
from debatomic.access.models import User
from hosts.models import Channel, Host
from tests import scene


@pytest.fixture
def target(default_channel: Channel) -> Target:
    return scene.target(default_channel)


@pytest.fixture
def somebody(db: None) -> User:
    """Who made what the tests ask for: none of the people of the roles table."""
    return User.objects.create_user("somebody")


@pytest.fixture
def world(target: Target, somebody: User, host: Host, tmp_path: Path) -> dict[str, int | str]:
    """The ids of a waiting, failed, finished and private build, of their tasks, and of composes alike."""
    failed = scene.build(somebody, target)
    failed_task = scene.begin(failed, host)
    scene.fail(failed_task)
    finished = scene.build(somebody, target)
    finished_task = scene.begin(finished, host)
    artifact = scene.complete(finished_task, tmp_path)
    failed_compose = scene.compose(somebody, target.channel, number=1)
    scene.fail(scene.begin(failed_compose, host))
    private = scene.build(somebody, target, public=False)
    waiting = scene.build(somebody, target)
    compose = scene.compose(somebody, target.channel)
    return {
        "failed": failed.pk, "failed_task": failed_task.pk, "finished": finished.pk, "finished_task": finished_task.pk,
        "artifact": artifact.pk, "artifact_name": artifact.name, "private": private.pk,
        "private_task": private.task.children.get().pk, "waiting": waiting.pk,
        "waiting_task": waiting.task.children.get().pk, "compose": compose.pk, "failed_compose": failed_compose.pk,
        "host": host.name, "schedule": scene.schedule(somebody).name, "window": scene.window(host).pk,
    }  # fmt: skip
