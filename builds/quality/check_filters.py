"""What lists can be narrowed to by checks."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django_filters.filters import CharFilter, ChoiceFilter
from django_filters.filterset import FilterSet

from builds.quality.check_models import LEVELS, VERDICTS, CheckResult
from chroots.engine.checking.table import ALL

BLOCKED = "blocked"
CHECKED = [*VERDICTS, (BLOCKED, "keeps it from its tag")]


def checked(builds: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
    """Builds one of whose checks says so."""
    of_it = CheckResult.objects.filter(build=OuterRef("pk"))
    return builds.filter(Exists(of_it.blocking() if value == BLOCKED else of_it.filter(verdict=value)))


class CheckFilter(FilterSet):
    check_name = ChoiceFilter(choices=[(one.name, one.title) for one in ALL], label="Check", empty_label="any")
    verdict = ChoiceFilter(choices=VERDICTS, label="Verdict", empty_label="any")
    level = ChoiceFilter(choices=LEVELS, label="Level", empty_label="any")
    source = CharFilter(method="source_begins", label="Source begins with")
    target = CharFilter(field_name="build__target__name", label="Target")

    class Meta:
        model = CheckResult
        fields: tuple[str, ...] = ()

    def source_begins(self, results: QuerySet[CheckResult], name: str, value: str) -> QuerySet[CheckResult]:
        return results.filter(build__source__startswith=value.strip().lower())
