"""A trial as the API takes it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from chroots.models import Chroot
from chroots.trying.submitting import LIMITS, LONGEST_SCRIPT, LONGEST_TIME, Wanted, submit
from debatomic.access.checks import person
from debatomic.tools.errors import InputError
from hosts.models import Task


class TrialSerializer(serializers.Serializer[Any]):
    """What to try; at least one of packages, script and places. Files need multipart/form-data."""

    packages = serializers.ListField(
        child=serializers.CharField(max_length=200), required=False, help_text="To install, by name or name=version."
    )
    files = serializers.ListField(
        child=serializers.FileField(), required=False, help_text="Go to /build, where the script begins."
    )
    script = serializers.CharField(
        max_length=LONGEST_SCRIPT, required=False, allow_blank=True, trim_whitespace=False,
        help_text="Lines of a shell: /bin/sh -ex runs them.",
    )  # fmt: skip
    places = serializers.ListField(
        child=serializers.CharField(max_length=400), required=False, help_text="Files and folders to copy out."
    )
    as_root = serializers.BooleanField(default=False, help_text="The script runs as root of the buildroot.")
    network = serializers.BooleanField(
        default=False, help_text="The script has the network of the host; needs the right chroots.network."
    )
    time_limit = serializers.IntegerField(default=LIMITS["time_limit"], min_value=1, max_value=LONGEST_TIME)


def asked_for(chroot: Chroot, request: Request) -> Task:
    """The trial this request asks for. Raises ValidationError with its fields."""
    _refuse_too_large(request)
    asked = TrialSerializer(data=request.data)
    asked.is_valid(raise_exception=True)
    fields = asked.validated_data
    wanted = Wanted(
        packages=tuple(fields.get("packages", ())), script=fields.get("script", ""),
        places=tuple(fields.get("places", ())), as_root=fields["as_root"], network=fields["network"],
        time_limit=fields["time_limit"],
    )  # fmt: skip
    uploads = [(str(file.name), file) for file in fields.get("files", ())]
    try:
        return submit(chroot, wanted, uploads, by=person(request.user))
    except InputError as error:
        raise ValidationError({error.field or "non_field_errors": [error.sentence]}) from error


def _refuse_too_large(request: Request) -> None:
    """Before the body is read."""
    if int(request.headers.get("Content-Length") or 0) > settings.UPLOAD_LIMIT_BYTES:
        most = settings.UPLOAD_LIMIT_BYTES // 1024**2
        raise ValidationError({"files": [f"The files are larger than the {most} MiB this hub takes at once."]})
