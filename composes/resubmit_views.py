"""The page that composes the same revision again, with other wishes."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from composes.models import Compose
from composes.selection import HELP, Selection
from debatomic.access.checks import require
from debatomic.gates import SignedInRequest, acting
from debatomic.tools.errors import InputError
from hosts.models import Channel
from hosts.pages.forms import WordsField
from hosts.pages.wish_form import WishForm


class ComposeAgainForm(WishForm):
    """Wishes, fewer architectures, other parts of it, and composes to wait for."""

    field_order = ("architectures", "only", "skip", "after")
    architectures = WordsField(
        max_length=200, required=False, help_text="Separated by spaces. Empty: those of the first compose."
    )
    after = WordsField(
        max_length=400, required=False, label="After composes", help_text="Their identities: it waits for them."
    )
    only = WordsField(required=False, max_length=200, help_text=f"{HELP} Only these and what they need.")
    skip = WordsField(required=False, max_length=200, help_text="The same words, and publish: not these.")
    channel = forms.ModelChoiceField(
        Channel.objects.order_by("name"), to_field_name="name", required=False, empty_label="as usual"
    )

    def clean_after(self) -> list[Compose]:
        """The composes that are named."""
        names: list[str] = self.cleaned_data["after"]
        found = {each.identity: each for each in Compose.objects.filter(identity__in=names).select_related("task")}
        if unknown := [name for name in names if name not in found]:
            raise forms.ValidationError(f"There is no compose {unknown[0]}.")
        return [found[name] for name in names]

    def submit(self, compose: Compose, *, by: Any) -> Compose | None:
        """The new compose; None when it is refused, with the reason at the field it is about."""
        try:
            after = [each.task for each in self.cleaned_data["after"]]
            chosen = self.cleaned_data["architectures"]
            selection = Selection(tuple(self.cleaned_data["only"]), tuple(self.cleaned_data["skip"]))
            return compose.resubmit(by=by, wishes=self.wishes_after(after), architectures=chosen, selection=selection)
        except InputError as error:
            self.add_error(error.field if error.field in self.fields else None, error.sentence)
            return None


@require_http_methods(["GET", "HEAD", "POST"])
@acting()
def compose_resubmit(request: SignedInRequest, pk: int) -> HttpResponse:
    compose = get_object_or_404(Compose.objects.visible_to(request.user).for_lists(), pk=pk)
    require(compose.can_resubmit(request.user))
    before = Selection.of(compose.task.request)
    initial = {"only": " ".join(before.only), "skip": " ".join(before.skip)}
    form = ComposeAgainForm(request.POST if request.method == "POST" else None, initial=initial)
    if form.is_valid() and (made := form.submit(compose, by=request.user)):
        messages.success(request, f"{made} is submitted.")
        return redirect(made)
    context = {"form": form, "ended": compose, "title": "Compose the same revision again"}
    return render(request, "hosts/resubmit.html", context, status=422 if form.errors else 200)
