"""Pages of release channels: what each carries, how it came there, and moving it."""

from __future__ import annotations

from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from builds import keys
from composes.filters import ReleaseChannelFilter
from composes.models import Compose
from composes.releases import metadata, retention
from composes.releases.preview import preview
from composes.releases.release_forms import MoveForm, candidates
from composes.releases.release_models import ReleaseChannel
from composes.releases.releasing import check
from debatomic.gates import PageRequest, SignedInRequest, acting, reading
from debatomic.paging import number_in, page_of
from debatomic.tools.errors import InputError


@require_safe
@reading("composes.view", public=True)
def channel_list(request: PageRequest) -> HttpResponse:
    visible = ReleaseChannel.objects.visible_to(request.user).for_lists()
    filtered = ReleaseChannelFilter(request.GET, queryset=visible)  # type: ignore[no-untyped-call]
    page = page_of(filtered.qs, request.GET)
    channels = sorted(page.rows, key=lambda row: (row.definition.name, row.variant, row.position))
    context = {"filter": filtered, "page": page, "channels": channels, "keys": keys.fingerprints()}
    return render(request, "composes/release_list.html", context)


@require_safe
@reading("composes.view", public=True)
def channel_detail(request: PageRequest, pk: int) -> HttpResponse:
    channel = _channel(request, pk)
    page = page_of(channel.moves.for_lists(), request.GET)
    context = {"channel": channel, "page": page, "source": channel.source, "under_way": channel.under_way,
               "repository": request.build_absolute_uri("/ostree/repo")}  # fmt: skip
    return render(request, "composes/release.html", context)


def _channel(request: PageRequest, pk: int) -> ReleaseChannel:
    return get_object_or_404(ReleaseChannel.objects.visible_to(request.user).for_lists(), pk=pk)


@require_http_methods(["GET", "HEAD", "POST"])
@acting("composes.publish")
def promote(request: SignedInRequest, pk: int) -> HttpResponse:
    """`?compose=ID`: which one (default: the newest of the channel before); a preview until it is sent."""
    channel = _channel(request, pk)
    choices = candidates(channel)
    wanted = number_in(request.GET, "compose")
    visible = Compose.objects.visible_to(request.user).for_lists()
    chosen = wanted or (choices[0].pk if choices else 0)
    compose = get_object_or_404(visible, pk=chosen) if chosen else None
    return _moving(request, channel, compose, choices, verb="promote")


@require_http_methods(["GET", "HEAD", "POST"])
@acting("composes.publish")
def withdraw(request: SignedInRequest, pk: int) -> HttpResponse:
    """Back to what it carried before; a preview until it is sent."""
    channel = _channel(request, pk)
    return _moving(request, channel, channel.back_to, [], verb="withdraw")


def _moving(
    request: SignedInRequest, channel: ReleaseChannel, compose: Compose | None, choices: list[Compose], *, verb: str
) -> HttpResponse:
    posted = request.method == "POST"
    form = MoveForm(request.POST if posted else None, channel=channel, compose=compose if verb == "promote" else None)
    if posted and compose and form.is_valid() and (move := form.save(by=request.user)):
        messages.success(request, f"{channel} is being moved to {move.compose}.")
        return redirect(channel)
    found, mistake = None, "" if compose else "There is nothing to go back to."
    try:
        if compose:
            if verb == "promote":
                check(channel, compose)
            found = preview(channel, compose)
    except InputError as error:
        mistake = error.sentence
    context = {"channel": channel, "compose": compose, "choices": choices, "verb": verb, "form": form,
               "preview": found, "mistake": mistake}  # fmt: skip
    return render(request, "composes/release_move.html", context, status=422 if form.errors else 200)


@require_safe
@reading(public=True)
def compose_metadata(request: PageRequest, pk: int, name: str) -> HttpResponse:
    """composeinfo, images or packages, as JSON."""
    compose = get_object_or_404(Compose.objects.visible_to(request.user).for_lists(), pk=pk)
    if name not in metadata.DOCUMENTS:
        raise Http404(f"There is no metadata {name}; there is {', '.join(metadata.DOCUMENTS)}.")
    try:
        return HttpResponse(metadata.text(metadata.DOCUMENTS[name](compose)), content_type="application/json")
    except InputError as error:
        raise Http404(error.sentence) from error


@require_safe
@reading("retention.view")
def compose_retention(request: PageRequest) -> HttpResponse:
    """What would go by the settings, or by `?keep=` and `?days=`; it removes nothing."""
    used = retention.policy()
    wanted = retention.Policy(keep=number_in(request.GET, "keep") or used.keep,
                              days=number_in(request.GET, "days") if "days" in request.GET else used.days)  # fmt: skip
    plan = retention.plan(wanted)
    return render(request, "composes/retention.html", {"used": used, "wanted": wanted, "plan": plan})


@require_safe
def public_keys(request: HttpRequest) -> HttpResponseBase:
    """The keys that sign what is published, ASCII-armoured."""
    path = keys.path()
    if not path.is_file():
        raise Http404("This hub has no signing key yet; its builder makes one when it starts.")
    return FileResponse(path.open("rb"), content_type="application/pgp-keys", headers={"Cache-Control": "no-cache"})
