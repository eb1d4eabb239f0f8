"""Pages of chains, and of what a target does by itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_filters.filters import CharFilter, ChoiceFilter, ModelChoiceFilter
from django_filters.filterset import FilterSet

from builds.chains import rebuilding
from builds.chains.chain_forms import ChainForm, PolicyForm
from builds.chains.chain_models import Chain, ChainMember, ChainNeed
from builds.chains.drawing import draw
from builds.filters import STATES
from builds.models import Build, Target
from debatomic.access.checks import require
from debatomic.gates import PageRequest, SignedInRequest, acting, reading
from debatomic.paging import page_of
from debatomic.tools.errors import InputError
from hosts.models import LIVE


class ChainFilter(FilterSet):
    target = ModelChoiceFilter(queryset=Target.objects.all(), to_field_name="name", label="Target", empty_label="any")
    state = ChoiceFilter(choices=STATES, method="in_state", label="State", empty_label="any")
    source = CharFilter(method="with_source", label="With source")
    submitter = CharFilter(field_name="created_by__username", label="Submitted by")

    class Meta:
        model = Chain
        fields: tuple[str, ...] = ()

    def in_state(self, chains: QuerySet[Chain], name: str, value: str) -> QuerySet[Chain]:
        return chains.filter(task__state__in=LIVE if value == "live" else [value])

    def with_source(self, chains: QuerySet[Chain], name: str, value: str) -> QuerySet[Chain]:
        """No chain has a source twice."""
        return chains.filter(members__build__source=value.strip().lower())


@require_safe
@reading("builds.view", public=True)
def chain_list(request: PageRequest) -> HttpResponse:
    filtered = ChainFilter(request.GET, queryset=Chain.objects.visible_to(request.user).for_lists())  # type: ignore[no-untyped-call]
    context = {"filter": filtered, "page": page_of(filtered.qs, request.GET),
               "targets": Target.objects.order_by("name")}  # fmt: skip
    return render(request, "builds/chain_list.html", context)


@require_safe
@reading(public=True)
def chain_detail(request: PageRequest, pk: int) -> HttpResponse:
    chain = get_object_or_404(Chain.objects.visible_to(request.user).select_related(
        "task", "target__tag", "created_by", "because"), pk=pk)  # fmt: skip
    members = list(chain.members.select_related("build__task", "gate"))
    needs = needs_of(members)
    drawing = draw(members, {pk: [(each.needed_id, each.packages) for each in found] for pk, found in needs.items()})
    context = {"chain": chain, "drawing": drawing,
               "rows": [(member, needs.get(member.pk, []), held(member)) for member in members]}  # fmt: skip
    return render(request, "builds/chain.html", context)


def needs_of(members: Iterable[ChainMember]) -> dict[int, list[ChainNeed]]:
    """What each member, by its id, waits for."""
    found: dict[int, list[ChainNeed]] = {}
    for need in ChainNeed.objects.filter(member__in=members).select_related("needed__build").order_by("pk"):
        found.setdefault(need.member_id, []).append(need)
    return found


def held(member: ChainMember) -> str:
    """Why it does not start, or did not; empty where its own task says that."""
    gate = member.gate
    if gate is None or (not member.build.is_live and not gate.reason):
        return ""
    if not gate.is_live:
        return gate.reason
    return "waits for the repository" if gate.ready_at else "waits for the ones before"


@require_http_methods(["GET", "HEAD", "POST"])
@acting("builds.submit")
def chain_new(request: SignedInRequest) -> HttpResponse:
    """`only=order` shows the order and submits nothing."""
    posted, only = request.method == "POST", request.POST.get("only") == "order"
    form = ChainForm(request.POST, request.FILES) if posted else ChainForm(initial=request.GET.dict())
    if posted and form.is_valid() and (chain := form.submit(by=request.user, only_plan=only)):
        messages.success(request, f"{chain} is submitted.")
        return redirect(chain)
    return render(request, "builds/chain_new.html", {"form": form, "plan": form.plan if only else None},
                  status=422 if form.errors else 200)  # fmt: skip


@require_POST
@acting()
def chain_cancel(request: SignedInRequest, pk: int) -> HttpResponse:
    chain = get_object_or_404(Chain.objects.visible_to(request.user), pk=pk)
    require(chain.can_cancel(request.user))
    chain.cancel(by=request.user)
    messages.success(request, f"{chain} is being canceled.")
    return redirect(chain)


@require_POST
@acting()
def chain_retry(request: SignedInRequest, pk: int) -> HttpResponse:
    chain = get_object_or_404(Chain.objects.visible_to(request.user), pk=pk)
    require(chain.can_retry(request.user), "Only failed and canceled chains can be retried, by whoever may.")
    try:
        chain.retry(by=request.user)
        messages.success(request, f"{chain} goes on where it stopped.")
    except InputError as error:
        messages.error(request, error.sentence)
    return redirect(chain)


@require_http_methods(["GET", "HEAD", "POST"])
@acting("targets.edit")
def target_chains(request: SignedInRequest, name: str) -> HttpResponse:
    """What a target does by itself; `?library=`: what a change of that source package would have built anew."""
    target = get_object_or_404(Target.objects.select_related("tag"), name=name)
    form = PolicyForm(request.POST if request.method == "POST" else None, target=target)
    if request.method == "POST" and form.is_valid():
        form.keep(by=request.user)
        messages.success(request, f"The settings of {target} are saved.")
        return redirect("target-chains", target.name)
    context = {"target": target, "form": form, **_previewed(target, request.GET.get("library", "").strip())}
    return render(request, "builds/target_chains.html", context, status=422 if form.errors else 200)


def _previewed(target: Target, library: str) -> dict[str, Any]:
    if not library:
        return {}
    build = Build.objects.filter(tag_entries__tag=target.tag_id, source=library).order_by("-pk").first()
    if build is None:
        return {"library": library, "wrong": f"Tag {target.tag} has no build of {library}."}
    try:
        return {"library": library, "preview": rebuilding.preview(target, build)}
    except InputError as error:
        return {"library": library, "wrong": error.sentence}
