"""What people fill in about themselves and others."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm, UsernameField
from django.contrib.auth.validators import UnicodeUsernameValidator

from debatomic.access import keys, roles
from debatomic.access.models import User

LASTING = [(7, "7 days"), (30, "30 days"), (90, "90 days"), (365, "1 year"), (keys.MOST_DAYS, "2 years")]


class Ticks(forms.CheckboxSelectMultiple):
    """Boxes to tick, in the site's look."""

    def __init__(self) -> None:
        super().__init__(attrs={"class": "form-check-input"})


class SignInForm(AuthenticationForm):
    """Django's, with a sentence that says what to do."""

    error_messages = {
        "invalid_login": "The name or the password is wrong. Try again, or ask an administrator for a new password.",
        "inactive": "This account is disabled. Ask an administrator.",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = "Name"


class KeyForm(forms.Form):
    """A new API key; its rights are chosen among one's own."""

    name = forms.CharField(max_length=100, help_text="What it is for, so that you know it again: “nightly script”.")
    scopes = forms.MultipleChoiceField(
        label="Only these rights",
        required=False,
        widget=Ticks,
        help_text="None chosen: the key may do all that you may, now and later.",
    )
    days = forms.TypedChoiceField(label="Valid for", choices=LASTING, coerce=int, initial=keys.USUAL_DAYS)

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        scopes = self.fields["scopes"]
        assert isinstance(scopes, forms.MultipleChoiceField)
        scopes.choices = [(right, right) for right in roles.TABLE if right in user.rights]

    @property
    def lasting(self) -> timedelta:
        return timedelta(days=self.cleaned_data["days"])


class NewUserForm(forms.Form):
    """A new person; the password is made and shown once."""

    username = UsernameField(label="Name", max_length=150, validators=[UnicodeUsernameValidator()])
    email = forms.EmailField(label="Mail address", required=False)
    roles = forms.MultipleChoiceField(choices=list(roles.TITLES.items()), required=False, widget=Ticks)

    def clean_username(self) -> str:
        name: str = self.cleaned_data["username"]
        if User.objects.filter(username__iexact=name).exists():
            raise forms.ValidationError(f"There is a user named “{name}” already.")
        return name


class ChangeUserForm(forms.Form):
    """A person's roles, and whether they may sign in."""

    roles = forms.MultipleChoiceField(choices=list(roles.TITLES.items()), required=False, widget=Ticks)
    enabled = forms.BooleanField(
        required=False, help_text="A disabled person is signed out at once, and their API keys stop working."
    )


class AuditFilter(forms.Form):
    """What the audit log can be narrowed to."""

    user = forms.CharField(label="By", required=False)
    act = forms.CharField(label="What", required=False, widget=forms.TextInput(attrs={"placeholder": "build."}))
    thing = forms.CharField(label="To what begins with", required=False)
    since = forms.DateField(label="Since", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(label="Until", required=False, widget=forms.DateInput(attrs={"type": "date"}))
