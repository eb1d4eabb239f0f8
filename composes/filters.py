"""What a list of composes can be narrowed to."""

from __future__ import annotations

from django.db.models import QuerySet
from django_filters.filters import CharFilter, ChoiceFilter, ModelChoiceFilter
from django_filters.filterset import FilterSet

from composes import states
from composes.models import Compose, Definition, ReleaseChannel


class ComposeFilter(FilterSet):
    definition = ModelChoiceFilter(
        field_name="revision__definition", queryset=Definition.objects.all(), to_field_name="name",
        label="Definition", empty_label="any",
    )  # fmt: skip
    variant = CharFilter(label="Variant")
    state = ChoiceFilter(
        choices=[(name, name.lower().replace("_", " ")) for name in states.WHERE],
        method="in_state", label="State", empty_label="any",
    )  # fmt: skip
    submitter = CharFilter(field_name="created_by__username", label="Submitted by")

    class Meta:
        model = Compose
        fields: tuple[str, ...] = ()

    def in_state(self, composes: QuerySet[Compose], name: str, value: str) -> QuerySet[Compose]:
        return composes.filter(states.WHERE[value])


class DefinitionFilter(FilterSet):
    name = CharFilter(lookup_expr="icontains", label="Name has")
    title = CharFilter(lookup_expr="icontains", label="Title has")

    class Meta:
        model = Definition
        fields: tuple[str, ...] = ()


class ReleaseChannelFilter(FilterSet):
    definition = ModelChoiceFilter(
        queryset=Definition.objects.all(), to_field_name="name", label="Definition", empty_label="any"
    )
    variant = CharFilter(label="Variant")
    name = CharFilter(label="Channel")

    class Meta:
        model = ReleaseChannel
        fields: tuple[str, ...] = ()
