"""Pages of what leaves: marked builds, the rules of a tag with what they would end, and the ways to keep."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from builds.keeping import leaving, rules
from builds.keeping.forms import RulesForm
from builds.models import Build
from builds.tagging.repository_models import Snapshot
from builds.tagging.tag_models import Tag, TagEntry
from debatomic.gates import PageRequest, SignedInRequest, acting, reading
from debatomic.paging import page_of, slice_of
from debatomic.tools.errors import InputError


@require_safe
@reading("builds.view", public=True)
def leaving_list(request: PageRequest) -> HttpResponse:
    """`?source=`: of packages whose names begin so; `?kept=1`: what people keep instead."""
    kept, begins = bool(request.GET.get("kept")), request.GET.get("source", "").strip().lower()
    builds = Build.objects.visible_to(request.user).for_rows()
    builds = builds.filter(kept=True) if kept else builds.filter(leaves_at__isnull=False)
    page = page_of(builds.filter(source__startswith=begins) if begins else builds, request.GET)
    return render(request, "builds/keeping/leaving.html",
                  {"page": page, "kept": kept, "source": begins, "days": settings.KEEP_UNDO_DAYS})  # fmt: skip


@require_POST
@acting("tags.edit")
def build_keep(request: SignedInRequest, pk: int) -> HttpResponse:
    """`keep=0`: not any more."""
    build = get_object_or_404(Build.objects.visible_to(request.user), pk=pk)
    keep = request.POST.get("keep") != "0"
    try:
        leaving.keep_build(build, by=request.user, keep=keep)
        messages.success(request, f"{build} {'stays' if keep else 'is under the rules of its tags again'}.")
    except InputError as error:
        messages.error(request, error.sentence)
    return redirect("build-leaving")


@require_POST
@acting("tags.edit")
def snapshot_keep(request: SignedInRequest, name: str, pk: int) -> HttpResponse:
    """`keep=0`: not any more."""
    snapshot = get_object_or_404(Snapshot.objects.select_related("repository"), pk=pk, repository__tag__name=name)
    keep = request.POST.get("keep") != "0"
    try:
        leaving.keep_snapshot(snapshot, by=request.user, keep=keep)
        messages.success(request, f"Snapshot {snapshot.name} {'stays' if keep else 'goes by its age again'}.")
    except InputError as error:
        messages.error(request, error.sentence)
    return redirect(snapshot.repository)


@require_http_methods(["GET", "HEAD", "POST"])
@acting("tags.edit")
def tag_retention(request: SignedInRequest, name: str) -> HttpResponse:
    """What the rules would end now: the tag's own, or those in the query; POST saves them."""
    tag = get_object_or_404(Tag.objects.visible_to(request.user), name=name)
    tried = request.POST if request.method == "POST" else request.GET
    form = RulesForm(tried if "versions" in tried else None, instance=Tag.objects.get(pk=tag.pk))
    if request.method == "POST" and form.is_valid():
        form.save(by=request.user)
        messages.success(request, f"The rules of {tag} are saved; they are followed within half an hour.")
        return redirect(tag)
    found = rules.plan(tag, form.rules)
    page = slice_of(sorted(found), request.GET)
    entries = TagEntry.objects.select_related("build").in_bulk(page.rows)
    rows = [(entries[pk], found[pk]) for pk in page.rows if pk in entries]
    context = {"tag": tag, "form": form, "page": page, "rows": rows, "number": len(found)}
    status = 422 if request.method == "POST" else 200
    return render(request, "builds/keeping/tag_retention.html", context, status=status)
