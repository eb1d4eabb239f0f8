"""A commit to build, in the API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from builds.models import Target
from builds.submitting.from_git import from_git
from debatomic.access.checks import may, person, require
from debatomic.access.fields import NameField
from debatomic.access.idempotency import submitted
from hosts.models import Task


class GitSerializer(serializers.Serializer[Any]):
    """`ref`: a branch, a tag, or a commit in full; HEAD for the repository's own."""

    url = serializers.CharField(max_length=300)
    ref = serializers.CharField(max_length=200, default="HEAD")
    target = NameField("target", queryset=Target.objects.filter(enabled=True))
    scratch = serializers.BooleanField(default=False)
    architectures = serializers.ListField(child=serializers.CharField(max_length=20), required=False)


class PackingSerializer(serializers.Serializer[Any]):
    """The task that makes the source package; once it is completed, its result has `build`."""

    id = serializers.IntegerField()
    title = serializers.CharField()
    page = serializers.CharField()


class GitView(APIView):
    """Build a commit of a git repository."""

    public = True

    @extend_schema(request=GitSerializer, responses={201: PackingSerializer}, operation_id="builds_git_create")
    def post(self, request: Request) -> Response:
        """Have a host make a source package of it; the build follows."""
        require(may(request.user, "builds.submit") or may(request.user, "builds.scratch"))
        asked = GitSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        require(may(request.user, "builds.scratch" if wanted["scratch"] else "builds.submit"))
        by = person(request.user)

        def make() -> Task:
            return from_git(wanted["target"], wanted["url"], wanted["ref"], by=by, scratch=wanted["scratch"],
                            architectures=wanted.get("architectures", ()))  # fmt: skip

        def show(task: Task) -> dict[str, Any]:
            page = request.build_absolute_uri(task.get_absolute_url())
            return {"id": task.pk, "title": task.title, "page": page}

        return submitted(request, make, show)
