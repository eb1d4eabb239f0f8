"""The page that shows two builds of a source package side by side."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from builds.comparing.choosing import OTHERS, chosen, of_package
from builds.comparing.difference import Difference, difference
from debatomic.gates import PageRequest, reading
from debatomic.paging import slice_of
from debatomic.tools.errors import InputError

REPORTS = ("debdiff", "reproducible")  # checks that compare by themselves


@require_safe
@reading(public=True)
def package_difference(request: PageRequest, source: str) -> HttpResponse:
    """`?from=ID&to=ID`; `?q=`: only files with this in their path; `?page=`: of the files."""
    builds = of_package(source, request.user)
    others = list(builds[:OTHERS])
    if not others:
        raise Http404
    context: dict[str, Any] = {"source": source, "others": others, "text": request.GET.get("q", "").strip()}
    try:
        old, new = chosen(builds, request.GET)
        context |= {"old": old, "new": new, **_shown(request, difference(old, new))}
        context["others"] = sorted({*others, old, new}, key=lambda build: -build.pk)
    except InputError as error:
        context["mistake"] = error.sentence
    return render(request, "builds/comparing/difference.html", context)


def _shown(request: PageRequest, found: Difference) -> dict[str, Any]:
    text = request.GET.get("q", "").strip()
    files = [each for each in found.files if text in each.change.name]
    reports = [(check, report) for name in REPORTS for key, check in found.new.checks.items() if key[0] == name
               for report in check.reports]  # fmt: skip
    return {"difference": found, "page": slice_of(files, request.GET), "reports": reports,
            "comparison": found.new.build.comparison}  # fmt: skip
