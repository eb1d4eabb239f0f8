"""What lists of tasks and artifacts can be narrowed to."""

from __future__ import annotations

import django_filters
from django.db.models import QuerySet

from hosts.models import LIVE, Artifact, State, Task

STATES = [("live", "waiting or running"), *State.choices]


class TaskFilter(django_filters.FilterSet):
    state = django_filters.ChoiceFilter(choices=STATES, method="in_state", label="State", empty_label="any")
    method = django_filters.CharFilter(label="Method")
    host = django_filters.CharFilter(field_name="host__name", label="Host")
    architecture = django_filters.CharFilter(label="Architecture")
    submitter = django_filters.CharFilter(field_name="created_by__username", label="Submitted by")

    class Meta:
        model = Task
        fields: tuple[str, ...] = ()

    def in_state(self, tasks: QuerySet[Task], name: str, value: str) -> QuerySet[Task]:
        return tasks.filter(state__in=LIVE if value == "live" else [value])


class ArtifactFilter(django_filters.FilterSet):
    name = django_filters.CharFilter(lookup_expr="startswith", label="Name begins with")
    kind = django_filters.ChoiceFilter(choices=Artifact.Kind.choices, label="Kind", empty_label="any")
    sha256 = django_filters.CharFilter(lookup_expr="startswith", label="SHA-256 begins with")

    class Meta:
        model = Artifact
        fields: tuple[str, ...] = ()
