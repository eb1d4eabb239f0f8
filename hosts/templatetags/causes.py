"""Why a task failed, as a word and as a sentence."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from django import template
from django.template.defaultfilters import truncatechars
from django.utils.html import format_html
from django.utils.safestring import SafeString

from debatomic.templatetags.pages import took
from hosts.causes import CAUSES
from hosts.models import State

register = template.Library()
REASON = 120  # characters


@register.simple_tag
def cause(task: Any) -> SafeString | str:
    """The cause of a failed task as a badge; nothing for any other."""
    if task.state != State.FAILED or not task.cause:
        return ""
    return _badge(task.cause)


@cache
def _badge(word: str) -> SafeString:
    return format_html('<span class="tag cause" title="{}">{}</span>', CAUSES.get(word, ""), word)


@register.simple_tag
def outcome(task: Any, begin: datetime | None) -> SafeString | str:
    """The reason of a task that has one; else how long it took since then, once it has ended.

    A parent's begins with its child's title, which begins with its own: that stands beside it already.
    """
    if task.reason:
        return short(task.reason.removeprefix(f"{task.title}, "))
    if not task.finished_at:
        return ""
    return SafeString(f'<span class="text-secondary">took {took(begin, task.finished_at)}</span>')


def short(reason: str) -> str:
    """A reason that fits into a list."""
    return reason if len(reason) <= REASON else truncatechars(reason, REASON)


@register.simple_tag
def cause_of(value: str) -> str:
    """A cause as a sentence."""
    return CAUSES.get(value, value)
