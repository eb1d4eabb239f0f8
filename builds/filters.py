"""What a list of builds can be narrowed to."""

from __future__ import annotations

from django.db.models import QuerySet
from django_filters.filters import CharFilter, ChoiceFilter, ModelChoiceFilter
from django_filters.filterset import FilterSet

from builds.models import Build, Target
from builds.quality.check_filters import CHECKED, checked
from hosts.causes import CHOICES
from hosts.models import LIVE, State

STATES = [("live", "waiting or running"), *State.choices]


class BuildFilter(FilterSet):
    source = CharFilter(method="source_begins", label="Source begins with")
    target = ModelChoiceFilter(queryset=Target.objects.all(), to_field_name="name", label="Target", empty_label="any")
    state = ChoiceFilter(choices=STATES, method="in_state", label="State", empty_label="any")
    cause = ChoiceFilter(field_name="task__cause", choices=CHOICES, label="Cause", empty_label="any")
    verdict = ChoiceFilter(choices=CHECKED, method=checked, label="Checks", empty_label="any")
    submitter = CharFilter(field_name="created_by__username", label="Submitted by")

    class Meta:
        model = Build
        fields: tuple[str, ...] = ()

    def source_begins(self, builds: QuerySet[Build], name: str, value: str) -> QuerySet[Build]:
        """Names of source packages are lower case, so this can use the index."""
        return builds.filter(source__startswith=value.strip().lower())

    def in_state(self, builds: QuerySet[Build], name: str, value: str) -> QuerySet[Build]:
        return builds.filter(task__state__in=LIVE if value == "live" else [value])
