"""What a builder host elsewhere may say, over HTTP, with its own token: the verbs of hosts.hub and nothing more.

A claim that does not hold (any more) is answered with 410; the host then ends the attempt and writes nothing.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict
from functools import wraps
from typing import Any, cast

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from debatomic.tools.errors import InputError, Kind, ToolError
from hosts import hub
from hosts.builder import local
from hosts.builder.connection import ClaimLost, File
from hosts.fleet import registering
from hosts.kept import downloads, store
from hosts.models import Host, Task

View = Callable[..., HttpResponseBase]
PIECE = 1024 * 1024
LOG_PIECE_LIMIT = 4 * 1024 * 1024


class Refused(Exception):
    """An answer that is not a success."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


def _host(request: HttpRequest) -> Host:
    """The host that speaks. Raises Refused."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    host = Host.objects.by_token(token.strip()) if scheme.lower() == "bearer" and token.startswith("dh_") else None
    if host is None:
        raise Refused(401, "This is no token of a host; `manage.py add_host` makes one.")
    return host


def _own(request: HttpRequest, claim: uuid.UUID) -> Host:
    """The host that speaks, which must hold this claim. Raises Refused, ClaimLost."""
    host = _host(request)
    if not Task.objects.held().filter(claim=claim, host=host).exists():
        raise ClaimLost
    return host


def _said(request: HttpRequest) -> dict[str, Any]:
    """The JSON object in the body."""
    try:
        said = json.loads(request.body)
    except ValueError as error:
        raise Refused(400, "The body is not JSON.") from error
    if not isinstance(said, dict):
        raise Refused(400, "The body is not a JSON object.")
    return said


def _answered(error: Exception) -> HttpResponse:
    if isinstance(error, ClaimLost):
        return JsonResponse({"detail": "This claim does not hold."}, status=410)
    if isinstance(error, Refused):
        return JsonResponse({"detail": str(error)}, status=error.status)
    if isinstance(error, ToolError):
        status = 503 if error.kind is Kind.INFRASTRUCTURE else 422
        field = {"field": error.field} if isinstance(error, InputError) and error.field else {}
        return JsonResponse({"detail": error.sentence, "kind": error.kind, **field}, status=status)
    return JsonResponse({"detail": f"This is not what a host says here: {error!r}"}, status=400)


def _verb(method: str) -> Callable[[View], View]:
    """A view for one HTTP method, whose errors are answers. For hosts only: no cookies, so no CSRF."""

    def decorate(view: View) -> View:
        @csrf_exempt
        @wraps(view)
        def answer(request: HttpRequest, **names: Any) -> HttpResponseBase:
            if request.method != method:
                return JsonResponse({"detail": f"Use {method}."}, status=405)
            try:
                return view(request, **names)
            except (ClaimLost, Refused, ToolError, KeyError, TypeError, ValueError) as error:
                return _answered(error)

        return answer

    return decorate


@_verb("POST")
def claim(request: HttpRequest) -> HttpResponse:
    host, said = _host(request), _said(request)
    tasks = hub.claim_some(host, token=uuid.UUID(said["token"]), slots=int(said["slots"]))
    return JsonResponse({"claimed": [{"task": task.pk, "claim": str(task.claim)} for task in tasks]})


@_verb("POST")
def report(request: HttpRequest) -> HttpResponse:
    held = hub.report(_host(request), _said(request))
    return JsonResponse({"held": [asdict(one) for one in held]})


@_verb("POST")
def register(request: HttpRequest) -> HttpResponse:
    """The one thing a machine without a host token may say: exchange a registration token for one."""
    said = _said(request)
    host, token = registering.register(str(said.get("token", "")), said)
    return JsonResponse({"name": host.name, "token": token}, status=201)


@_verb("POST")
def start(request: HttpRequest, claim: uuid.UUID) -> HttpResponse:
    _own(request, claim)
    task = hub.start(claim, again=bool(_said(request).get("again")))
    if task is None:
        raise ClaimLost
    return JsonResponse(local.job_of(task))


@_verb("POST")
def beat(request: HttpRequest, claim: uuid.UUID) -> HttpResponse:
    _own(request, claim)
    return JsonResponse(asdict(hub.beat(claim, progress=_said(request).get("progress"))))


@_verb("POST")
def log(request: HttpRequest, claim: uuid.UUID, name: str) -> HttpResponse:
    _own(request, claim)
    if int(request.headers.get("Content-Length") or 0) > LOG_PIECE_LIMIT:
        raise Refused(413, f"Send at most {LOG_PIECE_LIMIT} bytes at once.")
    return JsonResponse({"size": local.log(str(claim), name, int(request.GET["offset"]), request.body)})


@_verb("POST")
def finish(request: HttpRequest, claim: uuid.UUID) -> HttpResponse:
    _own(request, claim)
    said = _said(request)
    return _ended(hub.finish(claim, dict(said["result"]), [File(**file) for file in said["files"]]))


@_verb("POST")
def fail(request: HttpRequest, claim: uuid.UUID) -> HttpResponse:
    _own(request, claim)
    said = _said(request)
    told = {"reason": said["reason"], "kind": said["kind"], "decisive": said["decisive"]}
    return _ended(hub.fail(claim, **told, cause=str(said.get("cause", ""))))


@_verb("POST")
def release(request: HttpRequest, claim: uuid.UUID) -> HttpResponse:
    _own(request, claim)
    return _ended(hub.release(claim, _said(request)["reason"]))


def _ended(written: bool) -> HttpResponse:
    if not written:
        raise ClaimLost
    return HttpResponse(status=204)


@_verb("GET")
def fetch(request: HttpRequest, claim: uuid.UUID, sha256: str) -> HttpResponseBase:
    _own(request, claim)
    local.require_named(str(claim), sha256)
    try:
        return downloads.whole(request, sha256)
    except FileNotFoundError:
        raise local.not_kept(sha256) from None


@_verb("HEAD")
def known(request: HttpRequest, claim: uuid.UUID, sha256: str) -> HttpResponse:
    _own(request, claim)
    return HttpResponse(status=204 if store.renew(sha256) else 404)  # it is about to be named


@_verb("PUT")
def _may_upload(request: HttpRequest, claim: uuid.UUID) -> HttpResponse:
    _own(request, claim)
    if int(request.headers.get("Content-Length") or 0) > settings.UPLOAD_LIMIT_BYTES:
        raise Refused(413, f"This hub takes files of at most {settings.UPLOAD_LIMIT_BYTES} bytes.")
    return HttpResponse(status=204)


async def upload(request: HttpRequest, claim: uuid.UUID, sha256: str) -> HttpResponse:
    """Take a file in. Its copying has a thread of its own: pages are answered meanwhile."""
    answer = cast(HttpResponse, await sync_to_async(_may_upload)(request, claim=claim))
    if answer.status_code != 204:
        return answer
    try:
        size = await asyncio.to_thread(_receive, request, sha256)
    except ToolError as error:
        return _answered(error)
    return JsonResponse({"sha256": sha256, "size": size}, status=201)


def _receive(request: HttpRequest, sha256: str) -> int:
    return store.receive(_pieces(request), sha256, limit=settings.UPLOAD_LIMIT_BYTES)


def _pieces(request: HttpRequest) -> Iterator[bytes]:
    while piece := request.read(PIECE):
        yield piece


@csrf_exempt
async def files(request: HttpRequest, claim: uuid.UUID, sha256: str) -> HttpResponseBase:
    """GET a file the request names, HEAD whether the store has it, PUT one of the outcome."""
    if request.method == "PUT":
        return await upload(request, claim, sha256)
    view = known if request.method == "HEAD" else fetch
    return await cast(Callable[..., Awaitable[HttpResponseBase]], sync_to_async(view))(
        request, claim=claim, sha256=sha256
    )


urlpatterns = [
    path("register", register),
    path("claim", claim),
    path("report", report),
    path("claims/<uuid:claim>/start", start),
    path("claims/<uuid:claim>/beat", beat),
    path("claims/<uuid:claim>/log/<str:name>", log),
    path("claims/<uuid:claim>/files/<str:sha256>", files),
    path("claims/<uuid:claim>/finish", finish),
    path("claims/<uuid:claim>/fail", fail),
    path("claims/<uuid:claim>/release", release),
]
