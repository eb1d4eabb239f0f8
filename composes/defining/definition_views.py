"""Pages of definitions: what can be composed, its revisions, and the editor."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from composes.defining import conversion, definitions
from composes.defining.definition_forms import DefinitionForm
from composes.filters import DefinitionFilter
from composes.models import Compose, Definition, GitOrigin, Revision
from composes.pipeline.treefiles.schema import TREEFILE
from composes.pipeline.treefiles.shown import as_treefile, differences, text
from composes.pipeline.treefiles.treefile import Tree
from debatomic.access.checks import require
from debatomic.gates import PageRequest, SignedInRequest, acting, reading
from debatomic.paging import page_of
from debatomic.tools.errors import InputError

MEDIA_TYPES = {"yaml": "text/yaml; charset=utf-8", "json": "application/json"}


@require_safe
@reading("composes.view", public=True)
def definition_list(request: PageRequest) -> HttpResponse:
    filtered = DefinitionFilter(request.GET, queryset=Definition.objects.visible_to(request.user))  # type: ignore[no-untyped-call]
    page = page_of(filtered.qs, request.GET)
    newest = Revision.objects.newest().filter(definition__in=page.rows).select_related("created_by").defer("files")
    by_definition = {revision.definition_id: revision for revision in newest}
    rows = [(definition, by_definition.get(definition.pk)) for definition in page.rows]
    return render(request, "composes/definition_list.html", {"rows": rows, "page": page, "filter": filtered})


@require_safe
@reading(public=True)
def definition_detail(request: PageRequest, name: str) -> HttpResponse:
    definition = _definition(request, name)
    revisions = page_of(definition.revisions.select_related("created_by").defer("files"), request.GET, size=20)
    context = {"definition": definition, "latest": definition.latest, "page": revisions,
               "origin": GitOrigin.objects.filter(definition=definition).first(),
               "attachments": definition.attachments.select_related("created_by"),
               "composes": _latest_composes(request, definition)}  # fmt: skip
    return render(request, "composes/definition.html", context)


def _latest_composes(request: PageRequest, definition: Definition) -> dict[str, Compose]:
    """The newest compose of each variant."""
    latest = definition.latest
    visible = Compose.objects.visible_to(request.user).for_lists().filter(revision__definition=definition)
    found = {name: visible.filter(variant=name).first() for name in (latest.variants if latest else {})}
    return {name: compose for name, compose in found.items() if compose}


@require_safe
@reading(public=True)
def revision_detail(request: PageRequest, name: str, number: int) -> HttpResponse:
    """The files of a revision, what it changed, and every variant resolved."""
    revision = _revision(request, name, number)
    previous = revision.previous
    context = {"revision": revision, "definition": revision.definition, "previous": previous,
               "changes": definitions.text_differences(previous.files if previous else {}, revision.files),
               "files": sorted(revision.files.items(), key=lambda file: (file[0] != revision.main, file[0])),
               "variants": revision.variants}  # fmt: skip
    return render(request, "composes/revision.html", context)


@require_safe
@reading(public=True)
def resolved(request: PageRequest, name: str, number: int, variant: str, architecture: str, form: str) -> HttpResponse:
    """A variant of a revision as a plain treefile, in YAML or JSON."""
    revision = _revision(request, name, number)
    tree = definitions.trees(revision.files, revision.main).get((variant, architecture))
    if tree is None or form not in MEDIA_TYPES:
        raise Http404(f"{revision} has no {variant} for {architecture} in {form}.")
    return HttpResponse(text(as_treefile(tree), form), content_type=MEDIA_TYPES[form])


@require_safe
def schema(request: PageRequest) -> HttpResponse:
    """The JSON schema of treefiles, for editors: the one they are checked against."""
    return JsonResponse(TREEFILE, json_dumps_params={"indent": 2})


@require_http_methods(["GET", "HEAD", "POST"])
@acting("composes.define")
def definition_edit(request: SignedInRequest, name: str = "") -> HttpResponse:
    definition = _definition(request, name) if name else None
    if "add" in request.POST:
        return _with_upload(request, definition)
    form = DefinitionForm(request.POST if request.method == "POST" else None, definition=definition)
    if form.is_bound and form.is_valid() and (revision := form.save(by=request.user)):
        is_new = revision.number != form.cleaned_data["base"]
        messages.success(request, f"Saved as {revision}." if is_new else "Nothing was changed.")
        return redirect(revision)
    context = {"form": form, "definition": definition}
    return render(request, "composes/definition_edit.html", context, status=422 if form.errors else 200)


def _with_upload(request: SignedInRequest, definition: Definition | None) -> HttpResponse:
    """The editor again, with an uploaded blueprint or recipe as a treefile more."""
    data: QueryDict = request.POST
    file = request.FILES.get("upload")
    try:
        if file is None:
            raise InputError("Choose a file first.")
        name, made, left = conversion.treefile_of(str(file.name), file.read(conversion.LIMIT + 1))
        data = conversion.added(request.POST, name, made)
        messages.success(request, f"{name} is added. Name it under include of the main file, then save.")
        for line in left[:50]:
            messages.warning(request, line)
    except InputError as error:
        messages.error(request, error.sentence)
    context = {"form": DefinitionForm(data, definition=definition), "definition": definition}
    return render(request, "composes/definition_edit.html", context)


@require_POST
@acting("composes.define")
def definition_check(request: SignedInRequest) -> HttpResponse:
    """What the editor's text would be: the first mistake, or the variants and what they get otherwise than now."""
    require(bool(request.htmx), "This page is a part of the editor.")
    definition = Definition.objects.filter(name=request.POST.get("definition", "")).first()
    form = DefinitionForm(request.POST, definition=definition)
    context: dict[str, Any] = {"form": form}
    try:
        if form.is_valid():
            new = definitions.trees(*form.texts())
            context |= {"trees": new.values(), "changes": _changes(definition, new)}
    except InputError as error:
        context["mistake"] = error.sentence
    return render(request, "composes/_definition_check.html", context)


def _changes(definition: Definition | None, new: dict[tuple[str, str], Tree]) -> list[tuple[str, list[str]]]:
    """For each variant and architecture that is there already, the lines of what would be otherwise."""
    latest = definition.latest if definition else None
    old = definitions.trees(latest.files, latest.main) if latest else {}
    both = [(f"{variant} for {architecture}", list(differences(old[variant, architecture], tree)))
            for (variant, architecture), tree in new.items() if (variant, architecture) in old]  # fmt: skip
    return [(name, lines) for name, lines in both if lines]


def _definition(request: PageRequest, name: str) -> Definition:
    return get_object_or_404(Definition.objects.visible_to(request.user), name=name)


def _revision(request: PageRequest, name: str, number: int) -> Revision:
    definitions_seen = Definition.objects.visible_to(request.user)
    found = Revision.objects.select_related("definition", "created_by").filter(definition__in=definitions_seen)
    return get_object_or_404(found, definition__name=name, number=number)
