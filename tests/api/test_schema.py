"""The API's description: valid, without warnings, and its page under the site's content security policy."""

from __future__ import annotations

import io
import re

import pytest
from django.core.management import call_command
from django.test import Client


def test_the_description_is_valid_and_without_warnings() -> None:
    out = io.StringIO()
    call_command("spectacular", validate=True, fail_on_warn=True, stdout=out)
    text = out.getvalue()
    assert "/api/v1/builds/{id}/cancel/:" in text and "/api/v1/builder/" not in text
    assert "bearer" in text and "multipart/form-data" in text


@pytest.mark.django_db
def test_the_page_loads_nothing_from_elsewhere_and_runs_nothing_inline() -> None:
    page = Client().get("/api/v1/docs/")
    html = page.content.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)", html) and "<style" not in html
    assert all(address.startswith(("/static/", "/api/v1/")) for address in re.findall(r'(?:src|href)="([^"]+)"', html))
    policy = page["Content-Security-Policy"]
    assert "script-src" not in policy and "default-src 'self'" in policy and "unsafe-eval" not in policy
    script = Client().get("/api/v1/docs/?script=")
    assert script["Content-Type"].startswith("application/javascript") and b"SwaggerUIBundle" in script.content
    assert "unsafe-inline" not in Client().get("/sign-in/")["Content-Security-Policy"]
