"""Pages of repositories, and their files as apt reads them."""

from __future__ import annotations

import re

from django.conf import settings
from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from builds import keys
from builds.tagging.repository_forms import RepositoryForm
from builds.tagging.repository_models import Repository
from builds.tagging.tag_models import Tag
from debatomic.gates import PageRequest, SignedInRequest, acting, reading
from debatomic.paging import page_of
from debatomic.served_files import Tree
from hosts.kept.downloads import pieces

NEVER_OTHER = re.compile(r"[^/]+/(?:snapshots/[^/]+/)?(?:pool/|dists/.*/by-hash/)")


def tree() -> Tree:
    """All repositories, as daphne serves them before Django."""
    return Tree(prefix="/repositories/", root=str(settings.REPOSITORIES), forever=NEVER_OTHER)


@require_safe
def file(request: HttpRequest, suite: str, name: str) -> HttpResponseBase:
    """The same as debatomic.served_files.Files sends, for whatever does not speak ASGI."""
    asked = {header.lower(): value for header, value in request.headers.items()}
    found = tree().answer(f"{suite}/{name}", asked)
    if found.status == 404:
        raise Http404("There is no such file in the repository.")
    if found.file is None:
        return HttpResponse(status=found.status, headers=found.headers)
    return StreamingHttpResponse(pieces(found.file, found.size), status=found.status, headers=found.headers)


@require_safe
def public_keys(request: HttpRequest) -> HttpResponseBase:
    """The keys that sign repositories, ASCII-armoured."""
    if not keys.path().is_file():
        raise Http404("This hub has no signing key yet; its builder makes one when it starts.")
    return FileResponse(keys.path().open("rb"), content_type="application/pgp-keys",
                        headers={"Cache-Control": "no-cache"})  # fmt: skip


@require_safe
@reading("builds.view", public=True)
def repository_list(request: PageRequest) -> HttpResponse:
    visible = Repository.objects.visible_to(request.user).select_related("tag", "current")
    return render(request, "builds/repository_list.html",
                  {"page": page_of(visible, request.GET), "keys": keys.fingerprints()})  # fmt: skip


@require_safe
@reading(public=True)
def repository_detail(request: PageRequest, suite: str) -> HttpResponse:
    repository = _repository(request, suite)
    context = {
        "repository": repository, "keys": keys.fingerprints(), "under_way": repository.under_way,
        "failed": repository.failed, "page": page_of(repository.snapshots.select_related("task"), request.GET),
        "lines": lines(request, repository),
    }  # fmt: skip
    return render(request, "builds/repository.html", context)


@require_safe
@reading(public=True)
def sources(request: PageRequest, suite: str) -> HttpResponse:
    """The file for /etc/apt/sources.list.d, with the keys in it."""
    repository = _repository(request, suite)
    return HttpResponse(lines(request, repository), content_type="text/plain; charset=utf-8")


def lines(request: HttpRequest, repository: Repository) -> str:
    """What belongs in a file of /etc/apt/sources.list.d; keys follow indented, as deb822 has them."""
    address = request.build_absolute_uri(repository.path)
    said = keys.public_keys().strip()
    key = "".join(f"\n {line or '.'}" for line in said.splitlines())
    signed = f"Signed-By:{key}\n" if key else ""
    return f"Types: deb deb-src\nURIs: {address}\nSuites: {repository.suite}\nComponents: main\n{signed}"


@require_http_methods(["GET", "HEAD", "POST"])
@acting("tags.edit")
def repository_edit(request: SignedInRequest, name: str) -> HttpResponse:
    """Make a tag's repository, or change it; `name` is the tag's."""
    tag = get_object_or_404(Tag.objects.visible_to(request.user), name=name)
    form = RepositoryForm(request.POST if request.method == "POST" else None, tag=tag)
    if request.method == "POST" and form.is_valid():
        made = form.save(by=request.user)
        messages.success(request, f"Repository {made} is saved; it is made anew in a moment.")
        return redirect(made)
    context = {"tag": tag, "form": form, "title": f"Repository of {tag}", "verb": "Save"}
    return render(request, "builds/tag_act.html", context, status=422 if form.errors else 200)


def _repository(request: PageRequest, suite: str) -> Repository:
    found = Repository.objects.visible_to(request.user).select_related("tag", "current")
    return get_object_or_404(found, suite=suite)
