"""The OSTree repository over HTTP, as `ostree pull` and `rpm-ostree` ask for it: files by name, no listings."""

from __future__ import annotations

import os
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path

from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils._os import safe_join
from django.views.decorators.http import require_safe

from composes import keys

FOREVER = "public, max-age=31536000, immutable"  # objects are named by their content


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
    path = _found(name)
    status = path.stat()
    etag = f'"{status.st_mtime_ns:x}-{status.st_size:x}"'
    headers = {
        "ETag": etag,
        "Last-Modified": formatdate(status.st_mtime, usegmt=True),
        "Cache-Control": FOREVER if "/objects/" in f"/{name}" else "no-cache",
        "X-Content-Type-Options": "nosniff",
    }
    if request.headers.get("If-None-Match") == etag or _not_newer(request, status.st_mtime):
        return HttpResponse(status=304, headers=headers)
    return FileResponse(path.open("rb"), content_type="application/octet-stream", headers=headers)


def _found(name: str) -> Path:
    """The file of this name beneath the folder of repositories, links followed; 404 outside of it."""
    root = os.path.realpath(settings.OSTREE)
    try:
        path = Path(os.path.realpath(safe_join(root, name)))
    except (ValueError, SuspiciousFileOperation):
        raise Http404("There is no such file.") from None
    hidden = any(part.startswith(".") for part in path.relative_to(root).parts) if path.is_relative_to(root) else True
    if hidden or not path.is_file():
        raise Http404("There is no such file in the OSTree repository.")
    return path


def _not_newer(request: HttpRequest, modified: float) -> bool:
    since = request.headers.get("If-Modified-Since")
    if not since or "If-None-Match" in request.headers:
        return False
    try:
        return int(modified) <= parsedate_to_datetime(since).timestamp()
    except (TypeError, ValueError):
        return False
