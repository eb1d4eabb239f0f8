"""What the API tells of a row is what Django REST framework would tell, field by field."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models import Model
from django.test import RequestFactory
from django.utils import timezone
from rest_framework import serializers

from builds.api import BuildDetailSerializer, TargetSerializer
from builds.models import Build, Target
from chroots.models import Chroot
from chroots.serializers import ChrootSerializer
from composes.api import ComposeSerializer
from composes.defining.definition_api import DefinitionSerializer, RevisionSerializer
from composes.models import Compose, Definition, Revision
from debatomic.access.models import User
from debatomic.access.rows import RowSerializer
from hosts.api.host_serializers import HostSerializer
from hosts.api.schedule_api import ScheduleSerializer
from hosts.api.serializers import (
    ArtifactSerializer,
    AttemptSerializer,
    ChannelSerializer,
    LogSerializer,
    TaskDetailSerializer,
)
from hosts.models import Artifact, Attempt, Channel, Host, Log, Schedule, Task
from hosts.pages.host_views import with_use

KINDS: list[tuple[Any, Any]] = [
    (ArtifactSerializer, Artifact), (AttemptSerializer, Attempt), (BuildDetailSerializer, Build),
    (ChannelSerializer, Channel), (ChrootSerializer, Chroot), (ComposeSerializer, Compose),
    (DefinitionSerializer, Definition), (HostSerializer, Host), (LogSerializer, Log), (RevisionSerializer, Revision),
    (ScheduleSerializer, Schedule), (TargetSerializer, Target), (TaskDetailSerializer, Task),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "model"), KINDS)
def test_a_row_is_told_as_the_framework_tells_it(
    kind: type[RowSerializer[Any]], model: type[Model], world: dict[str, Any], somebody: User, settings: Any
) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    rows: Any = with_use(Host.objects.all()) if model is Host else model._default_manager.all()
    request = RequestFactory().get("/api/v1/", headers={"host": "localhost"})
    request.user = somebody
    assert rows.exists()
    for row in rows:
        told = kind(row, context={"request": request}).data
        plain = kind(row, context={"request": request})

        assert told == serializers.ModelSerializer.to_representation(plain, row)
        assert list(told) == [name for name, field in plain.fields.items() if not field.write_only]


def test_a_field_that_is_not_there_has_its_default() -> None:
    revision = Revision(number=1, created_by=None, created_at=timezone.now(), variants={})

    assert RevisionSerializer(revision).data["created_by"] is None
