"""The OSTree repository over HTTP, as `ostree pull` and `rpm-ostree` ask for it: files by name, no listings."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from composes.releases import keys
from composes.releases.ostree_files import answer
from hosts.kept.downloads import pieces


@require_safe
def front(request: HttpRequest) -> HttpResponse:
    """What is here and how to follow it: the refs."""
    heads = Path(settings.OSTREE) / "repo" / "refs" / "heads"
    refs = sorted(
        (str(path.relative_to(heads)), path.read_text().strip()) for path in heads.rglob("*") if path.is_file()
    )
    context = {"refs": refs, "repository": request.build_absolute_uri("/ostree/repo"), "keys": keys.fingerprints(),
               "keys_address": request.build_absolute_uri(f"/ostree/{keys.NAME}")}  # fmt: skip
    return render(request, "composes/ostree.html", context)


@require_safe
def file(request: HttpRequest, name: str) -> HttpResponseBase:
    """The same as composes.releases.ostree_files.Files sends, for whatever does not speak ASGI."""
    found = answer(name, {header.lower(): value for header, value in request.headers.items()})
    if found.status == 404:
        raise Http404("There is no such file in the OSTree repository.")
    if found.file is None:
        return HttpResponse(status=found.status, headers=found.headers)
    return StreamingHttpResponse(pieces(found.file, found.size), status=found.status, headers=found.headers)
