"""How the API says no: DRF's shape, with the sentences of our own errors."""

from __future__ import annotations

from typing import Any

from rest_framework import status
from rest_framework.exceptions import APIException, PermissionDenied, ValidationError
from rest_framework.response import Response
from rest_framework.views import exception_handler

from debatomic.tools.errors import InputError, Kind, ToolError


class Conflict(APIException):
    """The thing is in a state in which this cannot be done."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class Unreachable(APIException):
    """Something we need does not answer; asking again later may help."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "unreachable"


def as_refusal(error: ToolError) -> APIException:
    """Our error in DRF's words: a field's error where the field is known, else one sentence."""
    if isinstance(error, InputError):
        return ValidationError({error.field or "non_field_errors": [error.sentence]})
    return Unreachable(error.sentence) if error.kind is Kind.INFRASTRUCTURE else Conflict(error.sentence)


def answer(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler, which knows our errors too."""
    return exception_handler(as_refusal(error) if isinstance(error, ToolError) else error, context)


def allow(can: bool, *, possible: bool, sentence: str) -> None:
    """Go on if `can`; else 409 with the sentence where nobody could now, 403 where this person may not."""
    if can:
        return
    if not possible:
        raise Conflict(sentence)
    raise PermissionDenied("Your role does not allow this.")
