"""What templates ask of logs."""

from __future__ import annotations

import re

from django import template

from hosts.live import logs
from hosts.models import Log

register = template.Library()

ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~]?)")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@register.simple_tag
def log_tail(log: Log) -> str:
    """The last lines of a log as plain text, for browsers without JavaScript."""
    text = logs.tail(log.task_id, log.attempt, log.name).decode(errors="replace")
    return CONTROL.sub("", ESCAPE.sub("", text))
