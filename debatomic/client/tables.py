"""Lists for people: one line for each thing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from debatomic.client.screen import harmless

COLUMNS = {
    "builds": ("id", "source", "version", "target", "state", "created_by", "created_at"),
    "chains": ("id", "title", "size", "target", "state", "created_by", "created_at"),
    "composes": ("id", "identity", "variant", "state", "created_by", "created_at"),
    "release-channels": ("id", "definition", "variant", "name", "compose", "identity", "label", "since"),
    "tasks": ("id", "state", "host", "priority", "created_at", "title"),
    "hosts": ("name", "is_alive", "state", "in_service", "used", "capacity", "architectures", "channels"),
    "schedules": ("name", "order", "cron", "time_zone", "enabled", "next_at", "created_by"),
    "targets": ("name", "enabled", "tag", "chroots"),
    "chroots": ("name", "suite", "architecture", "enabled"),
    "definitions": ("name", "revision", "variants"),
    "leaving": ("id", "source", "version", "target", "leaves_at"),
    "snapshots": ("id", "repository", "name", "created_at", "leaves_at"),
    "tags": ("name", "locked", "versions", "parents", "repository", "description"),
    "promotion-policies": ("name", "enabled", "revision", "path", "title"),
    "artifacts": ("id", "kind", "size", "name"),
}


PARTS = {
    "content": ("build", "source", "version", "via"),
    "history": ("build", "source", "version", "began_at", "began_by", "ended_at", "ended_by", "why"),
    "revisions": ("number", "created_at", "created_by", "message"),
}  # of one thing, not lists of their own


def lines(what: str, things: list[dict[str, Any]]) -> list[str]:
    """A head and a line for each thing, in columns."""
    names = (COLUMNS | PARTS)[what]
    rows = [[name.replace("_", " ").upper() for name in names]]
    rows += [[cell(thing.get(name)) for name in names] for thing in things]
    widths = [max(len(row[column]) for row in rows) for column in range(len(names))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def cell(value: Any) -> str:
    """One value for people: times as how long ago, several in a row."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | dict):
        return ",".join(map(str, value)) or "-"
    if isinstance(value, float):
        return f"{value:g}"
    text = "-" if value is None or value == "" else str(value)
    return ago(text) if len(text) > 18 and text[4:5] == "-" and text[10:11] == "T" else harmless(text, colours=False)


def ago(moment: str) -> str:
    """How long ago an ISO time was, or in what time it comes, in one unit."""
    passed = (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()
    for seconds, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if abs(passed) >= seconds:
            number = f"{int(abs(passed) // seconds)} {unit}"
            return f"{number} ago" if passed > 0 else f"in {number}"
    return "0 s ago"


def took(begin: str | None, end: str | None) -> str:
    """How long something took: " in 3 min 5 s", or nothing where that is not known."""
    if not begin or not end:
        return ""
    seconds = int((datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds())
    hours, minutes = seconds // 3600, seconds // 60 % 60
    parts = [f"{hours} h"] * bool(hours) + [f"{minutes} min"] * bool(minutes) + [f"{seconds % 60} s"] * (not hours)
    return f" in {' '.join(parts)}"
