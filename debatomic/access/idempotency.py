"""`Idempotency-Key`: a submit that is sent twice makes one thing, also when both arrive at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, models, transaction
from django.utils import timezone
from rest_framework import status
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from debatomic.access.checks import person
from debatomic.access.models import Submission
from debatomic.access.refusals import Conflict
from debatomic.tools.errors import ToolError

KEPT_FOR = timedelta(hours=24)
HEADER = "Idempotency-Key"

T = TypeVar("T", bound=models.Model)


class OtherRequest(APIException):
    """The key belongs to a request that asked for something else."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_code = "key_used"


def submitted(request: Request, make: Callable[[], T], show: Callable[[T], Any]) -> Response:
    """Make a thing and answer 201 with `show(thing)`; to a key seen before, answer what was answered then.

    A refused request leaves nothing, so its key may be used again. A request whose process died stays unknown: it is
    never repeated by itself.
    """
    key = request.headers.get(HEADER, "").strip()
    if not key:
        return Response(show(make()), status=status.HTTP_201_CREATED)
    if len(key) > 200:
        raise ValidationError({HEADER: ["An idempotency key has at most 200 characters."]})
    digest = _digest(request)
    _forget_old()
    submission = _take(request, key, digest)
    if submission is None:
        return _answered(Submission.objects.filter(user=person(request.user), key=key).first(), digest)
    try:
        made = make()
    except (ToolError, APIException, PermissionDenied):
        submission.delete()
        raise
    answer = json.loads(JSONRenderer().render(show(made)))
    Submission.objects.filter(pk=submission.pk).update(status=status.HTTP_201_CREATED, answer=answer)
    return Response(answer, status=status.HTTP_201_CREATED)


def _take(request: Request, key: str, digest: str) -> Submission | None:
    """The row of whoever comes first; None for everybody after."""
    try:
        with transaction.atomic():
            return Submission.objects.create(user=person(request.user), key=key, digest=digest)
    except IntegrityError:
        return None


def _answered(submission: Submission | None, digest: str) -> Response:
    if submission is not None and submission.digest != digest:
        raise OtherRequest(f"This {HEADER} was used for another request. Use a new one.")
    if submission is None or submission.status is None:
        raise Conflict(f"A request with this {HEADER} is being worked on. Ask again in a moment; if that lasts, look "
                       "whether it was done before you submit with a new key.")  # fmt: skip
    return Response(submission.answer, status=submission.status, headers={"Idempotent-Replay": "true"})


def _forget_old() -> None:
    Submission.objects.filter(created_at__lt=timezone.now() - KEPT_FOR).delete()


def _digest(request: Request) -> str:
    """What was asked: address, fields, and files by name and content."""
    made = hashlib.sha256(request.path.encode())
    for name in sorted(request.data):
        values = request.data.getlist(name) if hasattr(request.data, "getlist") else [request.data[name]]
        for value in values:
            made.update(f"\0{name}\0".encode())
            made.update(_content(value))
    return made.hexdigest()


def _content(value: Any) -> bytes:
    if not isinstance(value, UploadedFile):
        return json.dumps(value, sort_keys=True, default=str).encode()
    digest = hashlib.sha256(str(value.name).encode())
    for chunk in value.chunks():
        digest.update(chunk)
    value.seek(0)
    return digest.digest()
