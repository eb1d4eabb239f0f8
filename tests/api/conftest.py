"""A target and one build and compose in each state the verbs care for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.cache import cache

from builds.models import Target
from debatomic.access.models import User
from hosts.models import Channel, Host
from tests import scene


@pytest.fixture(autouse=True)
def nobody_throttled() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def target(default_channel: Channel) -> Target:
    return scene.target(default_channel)


@pytest.fixture
def somebody(db: None) -> User:
    """Who made what the tests ask for: none of the people of the roles table."""
    return User.objects.create_user("somebody")


@pytest.fixture
def world(target: Target, somebody: User, host: Host, tmp_path: Path) -> dict[str, int | str]:
    """The ids of: a waiting, a failed, a finished and a private build, their tasks, an artifact, and composes alike."""
    failed = scene.build(somebody, target)
    failed_task = scene.begin(failed, host)
    scene.fail(failed_task)
    finished = scene.build(somebody, target)
    finished_task = scene.begin(finished, host)
    artifact = scene.complete(finished_task, tmp_path)
    waiting, private = scene.build(somebody, target), scene.build(somebody, target, public=False)
    compose = scene.compose(somebody, target.channel)
    secret = scene.compose(somebody, target.channel, number=1, public=False)
    return {
        "waiting": waiting.pk, "failed": failed.pk, "finished": finished.pk, "private": private.pk,
        "waiting_task": waiting.task.children.get().pk, "failed_task": failed_task.pk,
        "finished_task": finished_task.pk, "private_task": private.task_id, "artifact": artifact.pk,
        "compose": compose.pk, "secret_compose": secret.pk, "host": host.name,
        "schedule": scene.schedule(somebody).name, "window": scene.window(host).pk,
    }  # fmt: skip
