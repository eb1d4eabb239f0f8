"""Sign-in and what everybody has of their own: account, password, API keys."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.contrib.auth.views import LoginView, LogoutView, PasswordChangeView
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from debatomic.access import keys, roles
from debatomic.access.checks import person
from debatomic.access.forms import KeyForm, SignInForm
from debatomic.access.models import ApiKey, AuditEntry
from debatomic.tools.errors import InputError


class SignIn(LoginView):
    """Name and password; ten wrong ones lock the name for a while (django-axes)."""

    template_name = "access/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True


class SignOut(LogoutView):
    """By POST only, so that no link signs anybody out."""


class ChangePassword(PasswordChangeView):
    template_name = "access/password.html"
    success_url = reverse_lazy("account")

    def form_valid(self, form: Any) -> HttpResponse:
        response = super().form_valid(form)
        AuditEntry.note(self.request.user, "user.password", self.request.user)
        messages.success(
            self.request, "Your password is changed; other browsers you were signed in with are signed out."
        )
        return response


@receiver(user_logged_in)
def _signed_in(sender: Any, user: Any, **_: Any) -> None:
    AuditEntry.note(user, "user.sign-in", user)


@receiver(user_logged_out)
def _signed_out(sender: Any, user: Any, **_: Any) -> None:
    if user is not None:
        AuditEntry.note(user, "user.sign-out", user)


@require_safe
@login_required
def account(request: HttpRequest) -> HttpResponse:
    """Who one is, and what one may do."""
    user = person(request.user)
    held = [(right, right in user.rights) for right in roles.TABLE]
    return render(
        request, "access/account.html", {"titles": [roles.TITLES[role] for role in user.roles], "rights": held}
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def api_keys(request: HttpRequest) -> HttpResponse:
    """One's keys; a new one is shown in the answer to its form, and nowhere again."""
    user = person(request.user)
    form = KeyForm(user, request.POST if request.method == "POST" else None)
    secret = ""
    if request.method == "POST" and form.is_valid():
        secret = _make_key(request, form)
        form = KeyForm(user) if secret else form
    own = ApiKey.objects.filter(user=user)
    status = 400 if form.errors else 200
    return render(request, "access/api_keys.html", {"form": form, "secret": secret, "keys": own}, status=status)


def _make_key(request: HttpRequest, form: KeyForm) -> str:
    wanted = form.cleaned_data
    try:
        _, secret = keys.make(person(request.user), name=wanted["name"], scopes=wanted["scopes"], lasting=form.lasting)
    except InputError as error:
        form.add_error(error.field or None, error.sentence)
        return ""
    return secret


@require_POST
@login_required
def api_key_revoke(request: HttpRequest, key: str) -> HttpResponse:
    found = get_object_or_404(ApiKey, user=person(request.user), token_key=key)
    keys.revoke(found, by=request.user)
    messages.success(request, f"The key “{found.name}” is revoked.")
    return redirect("api-keys")
