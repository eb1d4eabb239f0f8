"""Who may open a page at all; what they see on it is the queryset's business (`visible_to`)."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django_htmx.middleware import HtmxDetails

from debatomic.access.checks import require
from debatomic.access.models import User

View = Callable[..., HttpResponseBase]


class PageRequest(HttpRequest):
    """A request as views of pages get it: whether htmx asks, and for which part."""

    htmx: HtmxDetails


class SignedInRequest(PageRequest):
    """A request behind `acting`."""

    user: User


def reading(right: str = "", *, public: bool = False) -> Callable[[View], View]:
    """Visitors read public pages of a public site and are asked to sign in elsewhere; others need the right.

    Without a right the page itself decides: it looks its thing up among what is visible, and answers 404.
    """

    def gate(view: View) -> View:
        @wraps(view)
        def opened(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            user = request.user
            if not user.is_authenticated:
                open_to_all = public and settings.PUBLIC_READING
                return view(request, *args, **kwargs) if open_to_all else redirect_to_login(request.get_full_path())
            require(not right or user.may(right), "Your role does not allow this. An administrator can change that.")
            return view(request, *args, **kwargs)

        return opened

    return gate


def acting(right: str = "") -> Callable[[View], View]:
    """For forms and verbs: visitors are asked to sign in, others need the right."""
    return reading(right, public=False)
