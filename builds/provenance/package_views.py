"""Pages of source packages."""

from __future__ import annotations

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from builds.models import Target
from builds.provenance.by_name import named_page
from builds.provenance.packages import about, listed, with_builds
from debatomic.gates import PageRequest, reading


@require_safe
@reading("builds.view", public=True)
def package_list(request: PageRequest) -> HttpResponse:
    """`?name=`: how they begin; `?target=`: built for it; `?failed=on`: whose newest build failed."""
    asked = {name: request.GET.get(name, "").strip() for name in ("name", "target")}
    failed = request.GET.get("failed") == "on"
    page = named_page(listed(request.user, failed=failed, **asked), request.GET)
    context = {"page": page, "rows": with_builds(page.rows), "asked": {**asked, "failed": failed},
               "filtered": failed or any(asked.values()), "targets": Target.objects.order_by("name")}  # fmt: skip
    return render(request, "provenance/package_list.html", context)


@require_safe
@reading(public=True)
def package_detail(request: PageRequest, source: str) -> HttpResponse:
    found = about(source, request.user)
    if found is None:
        raise Http404
    return render(request, "provenance/package.html", {"package": found})
