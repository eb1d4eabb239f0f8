"""What somebody sees after too many wrong passwords."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render


def answer(request: HttpRequest, *_: Any) -> HttpResponse:
    """429 with what to do: a page, or JSON for the API."""
    minutes = int(settings.AXES_COOLOFF_TIME.total_seconds() // 60)
    sentence = (
        f"Too many wrong passwords for this name. Wait {minutes} minutes and try again, "
        "or ask an administrator to set a new password for you."
    )
    if request.path.startswith("/api/"):
        return JsonResponse({"detail": sentence}, status=429)
    return render(request, "access/locked_out.html", {"sentence": sentence}, status=429)
