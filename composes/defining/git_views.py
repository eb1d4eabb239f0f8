"""Pages by which a definition follows a git repository, and gets packages of its own."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from composes.defining import attachments, git_origins
from composes.defining.git_forms import GitForm
from composes.models import Attachment, Definition
from debatomic.gates import SignedInRequest, acting
from debatomic.tools.errors import ToolError


@require_http_methods(["GET", "HEAD", "POST"])
@acting("composes.define")
def definition_follow(request: SignedInRequest, name: str = "") -> HttpResponse:
    definition = _found(request, name) if name else None
    form = GitForm(request.POST if request.method == "POST" else None, definition=definition)
    if form.is_bound and form.is_valid() and (followed := form.save(by=request.user)):
        return _synchronised(request, followed)
    context = {"form": form, "definition": definition}
    return render(request, "composes/definition_follow.html", context, status=422 if form.errors else 200)


@require_POST
@acting("composes.define")
def definition_sync(request: SignedInRequest, name: str) -> HttpResponse:
    return _synchronised(request, _found(request, name))


def _synchronised(request: SignedInRequest, definition: Definition) -> HttpResponse:
    try:
        task = git_origins.sync(definition, by=request.user)
    except ToolError as error:
        messages.error(request, error.sentence)
        return redirect(definition)
    messages.success(request, f"{definition} is being synchronised.")
    return redirect(task)


@require_POST
@acting("composes.define")
def definition_unfollow(request: SignedInRequest, name: str) -> HttpResponse:
    definition = _found(request, name)
    try:
        git_origins.unfollow(definition, by=request.user)
        messages.success(request, f"{definition} is edited here again.")
    except ToolError as error:
        messages.error(request, error.sentence)
    return redirect(definition)


@require_POST
@acting("composes.define")
def definition_attach(request: SignedInRequest, name: str) -> HttpResponse:
    """Take packages in."""
    definition = _found(request, name)
    for file in request.FILES.getlist("file"):
        try:
            made = attachments.add(definition, str(file.name), file, by=request.user)
            messages.success(request, f"{made} is attached. Name it in debs of the treefile.")
        except ToolError as error:
            messages.error(request, error.sentence)
    return redirect(definition)


@require_POST
@acting("composes.define")
def definition_detach(request: SignedInRequest, name: str, pk: int) -> HttpResponse:
    attachment = get_object_or_404(Attachment, pk=pk, definition=_found(request, name))
    attachments.remove(attachment, by=request.user)
    messages.success(request, f"{attachment} is removed.")
    return redirect(attachment.definition)


def _found(request: SignedInRequest, name: str) -> Definition:
    return get_object_or_404(Definition.objects.visible_to(request.user), name=name)
