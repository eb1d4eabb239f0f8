"""Pages of promotion: the board, the preview before the click, and the tester."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from builds.models import Build
from builds.promotion import moving, promoting
from builds.promotion.board import SHOWS, Board, board
from builds.promotion.promoting import Candidate, went
from builds.promotion.promotion_forms import MoveForm, TestForm
from builds.promotion.promotion_models import PromotionPolicy
from debatomic.access.checks import may
from debatomic.gates import PageRequest, SignedInRequest, acting, reading
from debatomic.tools.errors import InputError


@require_safe
@reading(public=True)
def promotion_board(request: PageRequest, name: str) -> HttpResponse:
    """`?source=`: whose names begin so; `?show=movable` or `held`; `?after=`: the next page."""
    row = policy_of(request, name)
    asked = {key: request.GET.get(key, "").strip() for key in ("source", "show", "after")}
    show = asked["show"] if asked["show"] in SHOWS else ""
    policy = row.latest.content
    page = board(policy, by=request.user, begins=asked["source"].lower(), after=asked["after"], show=show)
    onward = {"source": asked["source"], "show": show, "after": page.after}
    context = {"policy": row, "content": policy, "board": page, "show": show, "shows": SHOWS.items(), "asked": asked,
               "onward": "?" + urlencode({key: value for key, value in onward.items() if value}) if page.after else "",
               "movable": _movable(page), "can_pick": row.enabled and may(request.user, "tags.promote")}  # fmt: skip
    return render(request, "builds/promotion/board.html", context)


def _movable(page: Board) -> list[tuple[str, int, str]]:
    """For each step, how many of the page can go on, and the query that picks them."""
    picks: dict[str, list[str]] = {}
    for candidate in (each for row in page.rows for each in row.candidates if each.can_move):
        picks.setdefault(candidate.source.name, []).append(f"{candidate.source}:{candidate.build.pk}")
    return [(tag, len(found), urlencode([("pick", each) for each in found])) for tag, found in picks.items()]


@require_http_methods(["GET", "HEAD", "POST"])
@acting("tags.promote")
def promotion_move(request: SignedInRequest, name: str) -> HttpResponse:
    """`?pick=TAG:BUILD`, repeated: each rule and its verdict; sent, the builds go that may."""
    row = policy_of(request, name)
    latest = row.latest
    posted, may_override = request.method == "POST", may(request.user, "tags.override")
    form = MoveForm(request.POST if posted else None, revision=latest.number, may_override=may_override)
    found, mistake = [], ""
    try:
        picks = moving.picks_in((request.POST if posted else request.GET).getlist("pick"))
        found = moving.look(latest.content, picks, by=request.user)
        if posted and found and form.is_valid() and _moved(request, row, picks, form):
            return redirect(row)
    except InputError as error:
        mistake = error.sentence
    context = {"policy": row, "latest": latest, "found": found, "mistake": mistake, "form": form, **_counted(found),
               "may_override": may_override}  # fmt: skip
    status = 422 if posted or mistake else 200
    return render(request, "builds/promotion/move.html", context, status=status)


def _counted(found: list[Candidate]) -> dict[str, Any]:
    can = sum(each.can_move for each in found)
    return {"can": can, "held": len(found) - can, "overridable": sum(each.can_be_overridden for each in found)}


def _moved(request: SignedInRequest, row: PromotionPolicy, picks: list[moving.Pick], form: MoveForm) -> bool:
    """Whether it was done; else the form says why not."""
    told = form.cleaned_data
    override = bool(told.get("override"))
    try:
        found = moving.do(row, picks, by=request.user, revision=told["revision"], override=override,
                          reason=told["reason"])  # fmt: skip
    except InputError as error:
        form.add_error(error.field if error.field in form.fields and error.field != "revision" else None,
                       error.sentence)  # fmt: skip
        return False
    gone = [each for each in found if went(each, override=override)]
    if gone:
        names = ", ".join(f"{each.build} to {each.to}" for each in gone[:5])
        more = f" and {len(gone) - 5} more" if len(gone) > 5 else ""
        messages.success(request, f"Promoted: {names}{more}.")
    for each in [each for each in found if each not in gone][:5]:
        messages.warning(request, f"{each.build} stays in {each.source}. {each.why_not}")
    return True


@require_safe
@reading("builds.view", public=True)
def promotion_test(request: PageRequest) -> HttpResponse:
    """`?policy=&build=&source=&to=`: what each rule says of it, and what it saw."""
    form = TestForm(request.GET if "build" in request.GET else None, initial=request.GET.dict())
    candidate, mistake = None, ""
    if form.is_bound and form.is_valid():
        candidate, mistake = _tested(request, form)
    context = {"form": form, "candidate": candidate, "mistake": mistake}
    return render(request, "builds/promotion/test.html", context, status=422 if form.errors else 200)


def _tested(request: PageRequest, form: TestForm) -> tuple[Candidate | None, str]:
    told = form.cleaned_data
    builds = Build.objects.visible_to(request.user).select_related("task", "created_by", "target")
    build = builds.filter(pk=told["build"]).first()
    if build is None:
        return None, f"There is no build {told['build']}."
    try:
        policy = told["policy"].latest.content
        here, there = promoting.step(policy, told["source"].name, told["to"].name if told["to"] else "")
        return promoting.preview(policy, [build], source=here, to=there, by=request.user)[0], ""
    except InputError as error:
        return None, error.sentence


def policy_of(request: PageRequest, name: str) -> PromotionPolicy:
    return get_object_or_404(PromotionPolicy.objects.visible_to(request.user), name=name)
