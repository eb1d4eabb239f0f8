"""The page that finds files, and the same in the API."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from builds.models import Repository, Tag
from builds.provenance.file_models import PackageFiles
from builds.provenance.finding import Found, Hit, find, parse
from debatomic.gates import PageRequest, reading
from debatomic.tools.errors import InputError


@require_safe
@reading("builds.view", public=True)
def file_search(request: PageRequest) -> HttpResponse:
    """`?name=`: a file; `?tag=`, `?repository=`: only what is in it now."""
    asked = {name: request.GET.get(name, "").strip() for name in ("name", "tag", "repository")}
    found, wrong = None, ""
    if asked["name"]:
        try:
            found = _found(request.GET, request.user)
        except InputError as error:
            wrong = error.sentence
        except Http404:
            wrong = "There is no such tag or repository."
    context = {
        "asked": asked, "found": found, "wrong": wrong,
        "following": _turned(request.GET, found.following) if found and found.following else "",
        "waiting": PackageFiles.objects.filter(waits=True).exists(),
    }  # fmt: skip
    return render(request, "provenance/files.html", context, status=422 if wrong else 200)


def _found(asked: Any, user: Any) -> Found:
    query = parse(asked.get("name", ""))
    tag, suite = asked.get("tag", "").strip(), asked.get("repository", "").strip()
    return find(
        query, user, begin=asked.get("from", ""),
        tag=get_object_or_404(Tag.objects.visible_to(user), name=tag) if tag else None,
        repository=get_object_or_404(Repository.objects.visible_to(user), suite=suite) if suite else None,
    )  # fmt: skip


def _turned(query: QueryDict, begin: str) -> str:
    copy = query.copy()
    copy["from"] = begin
    return "?" + copy.urlencode()


class FileHitSerializer(serializers.Serializer[Any]):
    """Paths of the newest package that has exactly these files; `packages`: how many have, with it."""

    paths = serializers.ListField(child=serializers.CharField())
    more_paths = serializers.IntegerField()
    binary = serializers.IntegerField()
    name = serializers.CharField()
    version = serializers.CharField()
    architecture = serializers.CharField()
    source: Any = serializers.CharField()
    build = serializers.IntegerField()
    target = serializers.CharField()
    packages = serializers.IntegerField()


class FilesSerializer(serializers.Serializer[Any]):
    """`following`: what to give as `from` for the next page; empty: that was all."""

    results = FileHitSerializer(many=True)
    following = serializers.CharField(allow_blank=True)


class FilesView(APIView):
    """Where is this file?"""

    public = True

    @extend_schema(responses=FilesSerializer, parameters=[
        OpenApiParameter("name", str, required=True, description="libfoo.so.1, libfoo*, bin/foo or /usr/bin/foo."),
        OpenApiParameter("tag", str, description="Only what is in this tag now."),
        OpenApiParameter("repository", str, description="Only what this repository has now, by its suite."),
        OpenApiParameter("from", str, description="The `following` of the page before."),
    ])  # fmt: skip
    def get(self, request: Request) -> Response:
        """Which built packages have a file of this name."""
        try:
            found = _found(request.GET, request.user)
        except InputError as error:
            raise serializers.ValidationError({error.field or "non_field_errors": [error.sentence]}) from error
        return Response({"results": [_told(hit) for hit in found.hits], "following": found.following})


def _told(hit: Hit) -> dict[str, Any]:
    package = hit.package
    return {
        "paths": hit.paths, "more_paths": hit.more, "binary": package.pk, "name": package.name,
        "version": package.version, "architecture": package.architecture, "source": package.build.source,
        "build": package.build_id, "target": package.build.target.name, "packages": hit.number,
    }  # fmt: skip
