"""A registry to pull from: the reading half of https://github.com/opencontainers/distribution-spec, version 1.1."""

from __future__ import annotations

import re

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.views.decorators.http import require_safe

from composes.pipeline.container.image import MANIFEST
from composes.releases.registry import Repository
from hosts.kept import downloads, store

VERSION = {"Docker-Distribution-API-Version": "registry/2.0"}
FOREVER = "public, max-age=31536000, immutable"
DIGEST = re.compile(r"^sha256:[0-9a-f]{64}\Z")


@require_safe
def front(request: HttpRequest) -> HttpResponse:
    """Whether there is a registry here at all."""
    return JsonResponse({}, headers=VERSION) if _open(request) else _closed()


@require_safe
def tags(request: HttpRequest, definition: str, variant: str) -> HttpResponse:
    if not _open(request):
        return _closed()
    repository = Repository(definition, variant, request.user)
    found = repository.tags()
    if not found:
        return _unknown("NAME_UNKNOWN", f"There is no container {repository.name}.")
    return JsonResponse({"name": repository.name, "tags": found}, headers=VERSION)


@require_safe
def manifest(request: HttpRequest, definition: str, variant: str, reference: str) -> HttpResponse:
    if not _open(request):
        return _closed()
    found = Repository(definition, variant, request.user).manifest(reference)
    try:
        content = _read(found.sha256) if found else b""
    except FileNotFoundError:
        content = b""
    if not found or not content:
        return _unknown("MANIFEST_UNKNOWN", f"There is no container {definition}/{variant} {reference:.80}.")
    digest = f"sha256:{found.sha256}"
    headers = {**VERSION, "Docker-Content-Digest": digest, "ETag": f'"{digest}"', "Content-Length": str(len(content)),
               "Cache-Control": FOREVER if reference == digest else "no-cache"}  # fmt: skip
    return HttpResponse(content, content_type=MANIFEST, headers=headers)


@require_safe
def blob(request: HttpRequest, definition: str, variant: str, digest: str) -> HttpResponseBase:
    if not _open(request):
        return _closed()
    place = Repository(definition, variant, request.user).blob(digest) if DIGEST.match(digest) else None
    if not place:
        return _unknown("BLOB_UNKNOWN", f"There is no blob {digest:.80} in {definition}/{variant}.")
    sha256, first, end = place
    headers = {**VERSION, "Docker-Content-Digest": digest, "ETag": f'"{digest}"', "Cache-Control": FOREVER,
               "Content-Length": str(end - first), "Content-Type": "application/octet-stream"}  # fmt: skip
    if request.method == "HEAD":
        return HttpResponse(headers=headers)
    response = downloads.part(request, sha256, first, end)
    for name, value in headers.items():
        response.headers[name] = value
    return response


def _read(sha256: str) -> bytes:
    with store.open(sha256) as file:
        return file.read()


def _open(request: HttpRequest) -> bool:
    return request.user.is_authenticated or settings.PUBLIC_READING


def _closed() -> HttpResponse:
    return _error(401, "UNAUTHORIZED", "This site shows its composes to people who signed in only.")


def _unknown(code: str, message: str) -> HttpResponse:
    return _error(404, code, message)


def _error(status: int, code: str, message: str) -> HttpResponse:
    content = {"errors": [{"code": code, "message": message}]}
    return JsonResponse(content, status=status, headers=VERSION)
