"""The OSTree repository over HTTP, as `ostree pull` and `rpm-ostree` ask for it: files by name, no listings."""

from __future__ import annotations

import re
from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from builds import keys
from debatomic.served_files import Tree
from hosts.kept.downloads import pieces

OBJECTS = r"objects/[0-9a-f]{2}/[0-9a-f]{62}\.(?:filez|dirtree|dirmeta|commit)\Z"


def tree() -> Tree:
    """The repository, as daphne serves it before Django."""
    return Tree(prefix="/ostree/repo/", root=str(Path(settings.OSTREE) / "repo"), forever=re.compile(OBJECTS))


def everything() -> Tree:
    """The repository with what is beside it: signatures of containers."""
    return Tree(prefix="/ostree/", root=str(settings.OSTREE), forever=re.compile(f"repo/{OBJECTS}"))


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
    """The same as debatomic.served_files.Files sends, for whatever does not speak ASGI; and what is beside it."""
    found = everything().answer(name, {header.lower(): value for header, value in request.headers.items()})
    if found.status == 404:
        raise Http404("There is no such file in the OSTree repository.")
    if found.file is None:
        return HttpResponse(status=found.status, headers=found.headers)
    return StreamingHttpResponse(pieces(found.file, found.size), status=found.status, headers=found.headers)
