"""What lists of chroots, refreshes and uses can be narrowed to."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django_filters.filters import CharFilter, ChoiceFilter
from django_filters.filterset import FilterSet

from chroots.models import Chroot, ChrootUse, Refresh
from hosts.causes import CHOICES
from hosts.models import LIVE, State

STATES = [("live", "waiting or running"), *State.choices]


class ChrootFilter(FilterSet):
    name = CharFilter(lookup_expr="icontains", label="Name has")
    suite = CharFilter(label="Suite")
    architecture = CharFilter(label="Architecture")
    state = ChoiceFilter(
        choices=[("yes", "enabled"), ("no", "disabled")], method="in_state", label="State", empty_label="any"
    )

    class Meta:
        model = Chroot
        fields: tuple[str, ...] = ()

    def in_state(self, chroots: QuerySet[Chroot], name: str, value: str) -> QuerySet[Chroot]:
        return chroots.filter(enabled=value == "yes")


class OfTask(FilterSet):
    """By what is known of a row's task."""

    state = ChoiceFilter(choices=STATES, method="in_state", label="State", empty_label="any")
    host = CharFilter(field_name="task__host__name", label="Host")

    def in_state(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return rows.filter(task__state__in=LIVE if value == "live" else [value])


class RefreshFilter(OfTask):
    class Meta:
        model = Refresh
        fields: tuple[str, ...] = ()


class UseFilter(OfTask):
    cause = ChoiceFilter(field_name="task__cause", choices=CHOICES, label="Cause", empty_label="any")

    class Meta:
        model = ChrootUse
        fields: tuple[str, ...] = ()
