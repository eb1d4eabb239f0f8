"""What the checks of a build say, as badges."""

from __future__ import annotations

from functools import lru_cache

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from builds.models import Build
from debatomic.templatetags.pages import state

register = template.Library()


@register.simple_tag
def badges(build: Build) -> SafeString:
    """A badge for each check of a build; plain Python, because lists of builds have some in every row."""
    return SafeString("".join(badge(one.title, one.architecture, one.shown) for one in build.verdicts))


@lru_cache(maxsize=4096)
def badge(title: str, architecture: str, shown: str) -> SafeString:
    return format_html('<span class="tag" title="{}, {}">{} {}</span> ', title, architecture, title, state(shown))
