"""Pages of administrators: people, their roles, and what was done."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from debatomic.access import people, roles
from debatomic.access.checks import person
from debatomic.access.forms import AuditFilter, ChangeUserForm, NewUserForm
from debatomic.access.models import AuditEntry, User
from debatomic.gates import acting
from debatomic.paging import page_of
from debatomic.tools.errors import InputError


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@acting("users.edit")
def user_list(request: HttpRequest) -> HttpResponse:
    """Everybody, and a form for somebody new, whose password is shown in the answer and nowhere again."""
    form = NewUserForm(request.POST if request.method == "POST" else None)
    made: tuple[User, str] | None = None
    if request.method == "POST" and form.is_valid():
        wanted = form.cleaned_data
        made = people.create(wanted["username"], email=wanted["email"], held=wanted["roles"], by=request.user)
        form = NewUserForm()
    titles = list(roles.TITLES.values())
    context = {"form": form, "users": _everybody(), "made": made, "titles": titles, "table": _table()}
    return render(request, "access/users.html", context, status=400 if form.errors else 200)


def _everybody() -> list[tuple[User, list[str]]]:
    users = User.objects.prefetch_related("bindings").order_by("username")
    return [(user, [roles.TITLES[binding.role] for binding in user.bindings.all()]) for user in users]


def _table() -> list[tuple[str, list[tuple[str, bool]]]]:
    """The roles table for people: each right, and for each role's title whether it has it."""
    held = [(title, roles.rights_of(role)) for role, title in roles.TITLES.items()]
    return [(right, [(title, right in rights) for title, rights in held]) for right in roles.TABLE]


@require_http_methods(["GET", "HEAD", "POST"])
@acting("users.edit")
def user_change(request: HttpRequest, pk: int) -> HttpResponse:
    """One person's roles, and whether they may sign in."""
    user = get_object_or_404(User, pk=pk)
    form = ChangeUserForm(
        request.POST if request.method == "POST" else None, initial={"roles": user.roles, "enabled": user.is_active}
    )
    if request.method == "POST" and form.is_valid() and _changed(request, user, form):
        messages.success(request, f"{user} is changed.")
        return redirect("user-list")
    return render(request, "access/user.html", {"form": form, "subject": user}, status=400 if form.errors else 200)


def _changed(request: HttpRequest, user: User, form: ChangeUserForm) -> bool:
    wanted = form.cleaned_data
    try:
        people.change(user, held=wanted["roles"], enabled=wanted["enabled"], by=person(request.user))
    except InputError as error:
        form.add_error(error.field or None, ValidationError(error.sentence))
        return False
    return True


@never_cache
@require_POST
@acting("users.edit")
def user_new_password(request: HttpRequest, pk: int) -> HttpResponse:
    """A new password, shown this once."""
    user = get_object_or_404(User, pk=pk)
    password = people.reset_password(user, by=person(request.user))
    form = ChangeUserForm(initial={"roles": user.roles, "enabled": user.is_active})
    return render(request, "access/user.html", {"form": form, "subject": user, "password": password})


@require_safe
@acting("audit.view")
def audit(request: HttpRequest) -> HttpResponse:
    """What was done, newest first."""
    form = AuditFilter(request.GET)
    entries = _narrowed(form.cleaned_data if form.is_valid() else {})
    return render(request, "access/audit.html", {"form": form, "page": page_of(entries, request.GET)})


def _narrowed(wanted: dict[str, Any]) -> QuerySet[AuditEntry]:
    columns = {"user": "user__username", "act": "act__startswith", "thing": "thing__startswith"}
    asked = {columns[name]: value for name, value in wanted.items() if value and name in columns}
    entries = AuditEntry.objects.select_related("user").filter(**asked)
    if since := wanted.get("since"):
        entries = entries.filter(at__gte=midnight(since))
    if until := wanted.get("until"):  # by the id of its last entry: then no newer row is looked at
        last = AuditEntry.objects.filter(at__lt=midnight(until + timedelta(days=1))).order_by("-at", "-pk")
        entries = entries.filter(pk__lte=Subquery(last.values("pk")[:1]))
    return entries


def midnight(day: date) -> datetime:
    """When a day begins, here."""
    return timezone.make_aware(datetime.combine(day, time()))
