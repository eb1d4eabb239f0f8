"""How lists of the API are narrowed."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django_filters.rest_framework.backends import DjangoFilterBackend
from rest_framework.request import Request


class Filters(DjangoFilterBackend):
    """By what the address asks for; where it asks for nothing, no copies of filters and no form are made."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        if not request.query_params:
            return queryset
        narrowed: QuerySet[Any] = super().filter_queryset(request, queryset, view)  # type: ignore[no-untyped-call]
        return narrowed
