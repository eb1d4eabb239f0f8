"""What lists of tasks and artifacts can be narrowed to."""

from __future__ import annotations

from django.db.models import QuerySet
from django_filters.filters import CharFilter, ChoiceFilter
from django_filters.filterset import FilterSet

from hosts.causes import CHOICES
from hosts.models import LIVE, Artifact, State, Task

STATES = [("live", "waiting or running"), *State.choices]


class TaskFilter(FilterSet):
    state = ChoiceFilter(choices=STATES, method="in_state", label="State", empty_label="any")
    cause = ChoiceFilter(choices=CHOICES, label="Cause", empty_label="any")
    method = CharFilter(label="Method")
    host = CharFilter(field_name="host__name", label="Host")
    architecture = CharFilter(label="Architecture")
    submitter = CharFilter(field_name="created_by__username", label="Submitted by")

    class Meta:
        model = Task
        fields: tuple[str, ...] = ()

    def in_state(self, tasks: QuerySet[Task], name: str, value: str) -> QuerySet[Task]:
        return tasks.filter(state__in=LIVE if value == "live" else [value])


class ArtifactFilter(FilterSet):
    name = CharFilter(lookup_expr="startswith", label="Name begins with")
    kind = ChoiceFilter(choices=Artifact.Kind.choices, label="Kind", empty_label="any")
    sha256 = CharFilter(lookup_expr="startswith", label="SHA-256 begins with")

    class Meta:
        model = Artifact
        fields: tuple[str, ...] = ()
