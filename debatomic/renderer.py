"""How forms become HTML: as Django does it, but for select boxes, where it renders two templates for each option."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.forms import Select
from django.forms.renderers import DjangoTemplates
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString


class Renderer(DjangoTemplates):
    """For FORM_RENDERER."""

    def render(self, template_name: str, context: Any, request: Any = None) -> str:
        if template_name == Select.template_name:
            return select(context["widget"])
        return super().render(template_name, context, request)


def select(widget: Mapping[str, Any]) -> SafeString:
    """A select box from what Django's widget tells its template: the same HTML."""
    groups = SafeString("".join(_group(name, options) for name, options, _ in widget["optgroups"]))
    return format_html('<select name="{}"{}>{}\n</select>', widget["name"], _attributes(widget["attrs"]), groups)


def _group(name: str | None, options: list[dict[str, Any]]) -> str:
    lines = "".join(map(_option, options))
    return format_html('\n  <optgroup label="{}">{}\n  </optgroup>', name, SafeString(lines)) if name else lines


def _option(option: Mapping[str, Any]) -> str:
    value, label = conditional_escape(str(option["value"])), conditional_escape(option["label"])
    return f'\n  <option value="{value}"{_attributes(option["attrs"])}>{label}</option>'


def _attributes(attributes: Mapping[str, Any]) -> SafeString:
    """True stands alone, and False for nothing."""
    parts = [f" {conditional_escape(name)}" if value is True else f' {name}="{conditional_escape(str(value))}"'
             for name, value in attributes.items() if value is not False]  # fmt: skip
    return SafeString("".join(parts))
