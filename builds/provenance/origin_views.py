"""The page of a binary package, and its signed statement."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from builds.models import BinaryPackage, Build
from builds.provenance.origin import origin
from debatomic.gates import PageRequest, reading


@require_safe
@reading(public=True)
def binary_detail(request: PageRequest, pk: int) -> HttpResponse:
    visible = BinaryPackage.objects.filter(build__in=Build.objects.visible_to(request.user))
    package = get_object_or_404(
        visible.select_related("artifact", "build__target", "build__created_by", "build__task"), pk=pk
    )
    return render(request, "provenance/binary.html", {"package": package, "origin": origin(package, request.user)})
