"""Pages of promotion policies: which there are, what each says and said, and the editor."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from builds.models import Tag
from builds.promotion import policies
from builds.promotion.policy import read
from builds.promotion.promotion_forms import PolicyForm
from builds.promotion.promotion_models import PromotionPolicy
from builds.promotion.promotion_views import policy_of
from builds.promotion.schema import POLICY
from debatomic.access.checks import require
from debatomic.gates import PageRequest, SignedInRequest, acting, reading
from debatomic.paging import page_of, slice_of_rows
from debatomic.tools.errors import InputError


@require_safe
@reading("builds.view", public=True)
def policy_list(request: PageRequest) -> HttpResponse:
    page = slice_of_rows(PromotionPolicy.objects.visible_to(request.user), request.GET)
    return render(request, "builds/promotion/policies.html", {"page": page})


@require_safe
@reading(public=True)
def policy_detail(request: PageRequest, name: str) -> HttpResponse:
    """Its rules as they are, and its revisions."""
    policy = policy_of(request, name)
    latest = policy.latest
    page = page_of(policy.revisions.select_related("created_by").defer("text"), request.GET, size=20)
    context = {"policy": policy, "latest": latest, "content": latest.content, "page": page}
    return render(request, "builds/promotion/policy.html", context)


@require_safe
@reading(public=True)
def revision_detail(request: PageRequest, name: str, number: int) -> HttpResponse:
    """What a policy said at one time, and what that changed."""
    policy = policy_of(request, name)
    revision = get_object_or_404(policy.revisions.select_related("created_by", "policy"), number=number)
    previous = revision.previous
    context = {"policy": policy, "revision": revision, "previous": previous,
               "changes": policies.differences(previous, revision)}  # fmt: skip
    return render(request, "builds/promotion/revision.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@acting("tags.policies")
def policy_edit(request: SignedInRequest, name: str = "") -> HttpResponse:
    policy = policy_of(request, name) if name else None
    form = PolicyForm(request.POST if request.method == "POST" else None, policy=policy)
    if form.is_bound and form.is_valid() and (revision := form.save(by=request.user)):
        is_new = revision.number != form.cleaned_data["base"]
        messages.success(request, f"Saved as {revision}." if is_new else "Nothing was changed.")
        return redirect("promotion-policy", revision.policy.name)
    context = {"policy": policy, "form": form}
    return render(request, "builds/promotion/edit.html", context, status=422 if form.errors else 200)


@require_POST
@acting("tags.policies")
def policy_check(request: SignedInRequest) -> HttpResponse:
    """The editor's text: the first mistake in it, or what it comes to."""
    require(bool(request.htmx), "This page is a part of the editor.")
    try:
        content, mistake = read(request.POST.get("text", ""), tags=set(Tag.objects.values_list("name", flat=True))), ""
    except InputError as error:
        content, mistake = None, error.sentence
    return render(request, "builds/promotion/_check.html", {"content": content, "mistake": mistake})


@require_POST
@acting("tags.policies")
def policy_switch(request: SignedInRequest, name: str) -> HttpResponse:
    """Enabled becomes disabled, disabled becomes enabled."""
    policy = policy_of(request, name)
    policies.switch(policy, enabled=not policy.enabled, by=request.user)
    messages.success(request, f"{policy} is {'enabled' if policy.enabled else 'disabled: it promotes nothing'}.")
    return redirect("promotion-policy", policy.name)


@require_safe
def policy_schema(request: PageRequest) -> HttpResponse:
    """The JSON schema of policies, for editors: the one they are checked against."""
    return JsonResponse(POLICY, json_dumps_params={"indent": 2})
