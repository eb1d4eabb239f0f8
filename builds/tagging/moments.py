"""Times that people ask for."""

from __future__ import annotations

from datetime import datetime, time

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime


def moment_in(text: str) -> tuple[datetime | None, str]:
    """A date means its end; and what is wrong with the text."""
    if not text.strip():
        return None, ""
    try:
        day = parse_date(text.strip())
        found = datetime.combine(day, time.max) if day else parse_datetime(text.strip())
    except ValueError:
        found = None
    if found is None:
        return None, f"“{text:.40}” is no date; write for example 2026-11-22 or 2026-11-22T06:00."
    return (found if timezone.is_aware(found) else timezone.make_aware(found)), ""
