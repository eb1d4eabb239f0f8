"""Pages of tags: what is in each, since when, and the verbs on it."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from builds.models import Build
from builds.promotion import around
from builds.tagging import changing
from builds.tagging.content import content
from builds.tagging.moments import moment_in
from builds.tagging.tag_forms import AddForm, BlockForm, TagForm, UntagForm
from builds.tagging.tag_models import Tag
from debatomic.gates import PageRequest, SignedInRequest, acting, reading
from debatomic.paging import page_of, slice_of, slice_of_rows
from debatomic.tools.errors import InputError


@require_safe
@reading("builds.view", public=True)
def tag_list(request: PageRequest) -> HttpResponse:
    visible = Tag.objects.visible_to(request.user)
    if begins := request.GET.get("name", "").strip():
        visible = visible.filter(name__startswith=begins)
    page = slice_of_rows(visible.for_lists(), request.GET)
    return render(request, "builds/tag_list.html", {"page": page, "name": begins})


@require_safe
@reading(public=True)
def tag_detail(request: PageRequest, name: str) -> HttpResponse:
    """`?at=`: as it was then; `?source=`: of packages whose names begin so."""
    tag = _tag(request, name)
    at, wrong = moment_in(request.GET.get("at", ""))
    begins = request.GET.get("source", "").strip().lower()
    found = [each for each in content(tag, at) if each.source.startswith(begins)]
    page = slice_of(sorted(found, key=lambda each: (each.source, -each.build)), request.GET)
    builds = Build.objects.visible_to(request.user).for_rows().in_bulk([each.build for each in page.rows])
    names = dict(Tag.objects.filter(pk__in={each.via for each in page.rows}).values_list("pk", "name"))
    rows = [(builds[each.build], names[each.via]) for each in page.rows if each.build in builds]
    context = {
        "tag": tag, "page": page, "rows": rows, "at": at, "wrong": wrong, "source": begins,
        "parents": tag.parents.at().select_related("parent").order_by("priority"),
        "children": tag.children.at().select_related("tag").order_by("tag__name"),
        "blocked": tag.blocked.at().select_related("began_by").order_by("source"),
        "targets": tag.targets.order_by("name"), "repository": getattr(tag, "repository", None),
    }  # fmt: skip
    return render(request, "builds/tag.html", context)


@require_safe
@reading(public=True)
def tag_history(request: PageRequest, name: str) -> HttpResponse:
    """Every entry there was, the newest first."""
    tag = _tag(request, name)
    visible = Build.objects.visible_to(request.user)
    entries = tag.entries.filter(build__in=visible).select_related("build", "began_by", "ended_by")
    if begins := request.GET.get("source", "").strip().lower():
        entries = entries.filter(build__source__startswith=begins)
    return render(request, "builds/tag_history.html",
                  {"tag": tag, "page": page_of(entries, request.GET), "source": begins})  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
@acting("tags.edit")
def tag_edit(request: SignedInRequest, name: str = "") -> HttpResponse:
    """A new tag, or what one inherits from and how many versions it keeps."""
    tag = _tag(request, name) if name else None
    form = TagForm(request.POST if request.method == "POST" else None, tag=tag)
    if request.method == "POST" and form.is_valid() and (made := form.save(by=request.user)):
        messages.success(request, f"Tag {made} is saved.")
        return redirect(made)
    context = {"tag": tag, "form": form, "title": f"Edit {tag}" if tag else "Make a tag", "verb": "Save"}
    return render(request, "builds/tag_act.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@acting("tags.edit")
def tag_add(request: SignedInRequest, name: str) -> HttpResponse:
    """`?build=ID`: which one."""
    tag = _tag(request, name)
    form = AddForm(request.POST if request.method == "POST" else None, initial={"build": request.GET.get("build", "")})

    def act() -> None:
        around.check(tag, form.cleaned_data["build"], by=request.user, reason=form.cleaned_data["reason"])
        changing.add(tag, by=request.user, **form.cleaned_data)

    return _acted(request, tag, form, "Tag a build", act)


@require_http_methods(["GET", "HEAD", "POST"])
@acting("tags.edit")
def tag_remove(request: SignedInRequest, name: str, pk: int) -> HttpResponse:
    tag = _tag(request, name)
    build = get_object_or_404(Build.objects.visible_to(request.user), pk=pk)
    form = UntagForm(request.POST if request.method == "POST" else None)
    return _acted(request, tag, form, f"Take {build} out of {tag}",
                  lambda: changing.remove(tag, build, by=request.user, **form.cleaned_data))  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
@acting("tags.edit")
def tag_block(request: SignedInRequest, name: str) -> HttpResponse:
    tag = _tag(request, name)
    form = BlockForm(request.POST if request.method == "POST" else None)
    return _acted(request, tag, form, f"Block a source package in {tag}",
                  lambda: changing.block(tag, by=request.user, **form.cleaned_data))  # fmt: skip


@require_POST
@acting("tags.edit")
def tag_unblock(request: SignedInRequest, name: str, source: str) -> HttpResponse:
    tag = _tag(request, name)
    try:
        changing.unblock(tag, source, by=request.user)
        messages.success(request, f"{source} is not blocked in {tag} any more.")
    except InputError as error:
        messages.error(request, error.sentence)
    return redirect(tag)


@require_POST
@acting("tags.edit")
def tag_lock(request: SignedInRequest, name: str) -> HttpResponse:
    """Locked becomes open, open becomes locked."""
    tag = _tag(request, name)
    changing.lock(tag, locked=not tag.locked, by=request.user)
    messages.success(request, f"{tag} is {'locked: nothing enters or leaves' if tag.locked else 'open again'}.")
    return redirect(tag)


Form = AddForm | UntagForm | BlockForm


def _acted(request: SignedInRequest, tag: Tag, form: Form, title: str, act: Callable[[], None]) -> HttpResponse:
    if request.method == "POST" and form.is_valid():
        try:
            act()
            messages.success(request, f"{tag} is changed.")
            return redirect(tag)
        except InputError as error:
            form.add_error(error.field if error.field in form.fields else None, error.sentence)
    context = {"tag": tag, "form": form, "title": title}
    return render(request, "builds/tag_act.html", context, status=422 if form.errors else 200)


def _tag(request: PageRequest, name: str) -> Tag:
    return get_object_or_404(Tag.objects.visible_to(request.user), name=name)
