"""What retention removes next, over the API of a real server."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from builds.models import Build, Target
from debatomic.access.models import User
from debatomic.client import account
from hosts.models import State, Task
from tests import scene


@pytest.fixture
def build(live_server: Any, key_of: Callable[..., str], target: Target, somebody: User) -> Build:
    """A tagged build that is marked; the command is signed in as a release manager."""
    account.save(account.Account(live_server.url, key_of("release-manager")))
    made = scene.build(somebody, target)
    Task.objects.filter(pk=made.task_id).update(state=State.COMPLETED)
    target.tag.entries.create(build=made, began_at=timezone.now() - timedelta(days=20))
    Build.objects.update(leaves_at=timezone.now() + timedelta(days=3, minutes=1))
    return made


def test_a_build_that_leaves_is_listed_and_kept(debatomic: Callable[..., Any], build: Build) -> None:
    assert "in 3 d" in debatomic("leaving", "list").out
    assert "REPOSITORY" in debatomic("leaving", "snapshots").out
    assert debatomic("leaving", "keep", str(build.pk)).out == "figlet 2.2.5-3 stays.\n"
    assert Build.objects.get().kept
    assert "under the rules of its tags again" in debatomic("leaving", "let-go", str(build.pk)).out
    assert "Say what to keep." in debatomic("leaving", "keep").err


def test_the_rules_of_a_tag_are_tried_out(debatomic: Callable[..., Any], build: Build) -> None:
    told = debatomic("leaving", "try", "trixie", "--days", "10", "--least", "0").out
    assert told == f"{build.pk}  figlet 2.2.5-3: older than 10 days\n"
    assert debatomic("leaving", "try", "trixie").out == "Nothing would leave.\n"
