"""Why a task failed, as a word and as a sentence."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from hosts.causes import CAUSES
from hosts.models import State

register = template.Library()


@register.simple_tag
def cause(task: Any) -> SafeString | str:
    """The cause of a failed task as a badge; nothing for any other."""
    if task.state != State.FAILED or not task.cause:
        return ""
    return format_html('<span class="tag cause" title="{}">{}</span>', CAUSES.get(task.cause, ""), task.cause)


@register.simple_tag
def cause_of(value: str) -> str:
    """A cause as a sentence."""
    return CAUSES.get(value, value)
