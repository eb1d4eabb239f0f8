"""What dput talks: PUT of one file after the other, with an API key as the password."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.authentication import BasicAuthentication
from rest_framework.exceptions import APIException, AuthenticationFailed
from rest_framework.parsers import FileUploadParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from builds.models import Target
from builds.submitting import changes
from debatomic.access.authentication import ApiKeyAuthentication
from debatomic.access.checks import may, person, readable, require
from debatomic.access.models import AuditEntry
from debatomic.gates import PageRequest, reading
from debatomic.tools.errors import InputError


class KeyAsPassword(BasicAuthentication):
    """The name of a person, and an API key of theirs."""

    www_authenticate_realm = "DebAtomic: your name and an API key"

    def authenticate_credentials(self, userid: str, password: str, request: Any = None) -> tuple[Any, Any]:
        user, key = ApiKeyAuthentication().authenticate_credentials(password.encode())
        if user.username != userid:
            raise AuthenticationFailed(f"This API key is not {userid}'s.")
        return user, key


class TooLarge(APIException):
    """More than the hub takes."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"


class UploadView(APIView):
    """One file."""

    public = True
    authentication_classes = (KeyAsPassword, ApiKeyAuthentication)
    parser_classes = (FileUploadParser,)

    @extend_schema(exclude=True)
    def put(self, request: Request, target: str, name: str, scratch: str = "") -> Response:
        """201 with the build's address for a .changes, 201 with nothing for another file."""
        require(may(request.user, "builds.scratch" if scratch else "builds.submit"))
        by = person(request.user)
        if int(request.headers.get("Content-Length") or 0) > settings.UPLOAD_LIMIT_BYTES:
            raise TooLarge(f"{name} is larger than the {settings.UPLOAD_LIMIT_BYTES >> 20} MiB this hub takes.")
        found = get_object_or_404(Target, name=target, enabled=True)
        try:
            build = changes.take(found, by, name, request._request.read, scratch=bool(scratch))
        except InputError as error:
            AuditEntry.note(by, "build.refuse", name, target=target, why=error.sentence[:500])
            raise
        if build is None:
            return Response(status=status.HTTP_201_CREATED)
        page = request.build_absolute_uri(build.get_absolute_url())
        told = {"id": build.pk, "source": build.source, "version": build.version, "page": page}
        return Response(told, status=status.HTTP_201_CREATED, headers={"Location": page})


@require_safe
@reading(public=True)
def dput_profile(request: PageRequest) -> HttpResponse:
    """What goes into ~/.dput.cf: two hosts for each target."""
    login = request.user.username if request.user.is_authenticated else "YOUR-NAME"
    names = readable(Target.objects.filter(enabled=True), request.user, "builds.view").values_list("name", flat=True)
    text = changes.profile(settings.PUBLIC_ADDRESS, login, names)
    return HttpResponse(text, content_type="text/plain; charset=utf-8")
