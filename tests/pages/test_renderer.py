"""Our select boxes are Django's, letter by letter, but for empty lines."""

from __future__ import annotations

import pytest
from django.forms import Select, SelectMultiple
from django.forms.renderers import DjangoTemplates, get_default_renderer
from django.utils.safestring import SafeString

from debatomic.renderer import Renderer

CHOICES = [("", "any"), ("a&b", "A & <b>B</b>"), (3, "three"), ("safe", SafeString("<i>safe</i>")),
           ('Group "of"', [("x", "X"), ("y", "Y's")])]  # fmt: skip


@pytest.mark.parametrize(
    ("widget", "value"),
    [
        (Select(choices=CHOICES), "a&b"),
        (Select(choices=CHOICES, attrs={"class": 'form-select "x"', "required": True, "disabled": False}), 3),
        (Select(choices=CHOICES), None),
        (Select(choices=()), "x"),
        (SelectMultiple(choices=CHOICES), ["x", "y", "safe"]),
    ],
)
def test_a_select_box_is_that_of_django(widget: Select, value: object) -> None:
    theirs = widget.render("a<name", value, {"id": "id_name"}, DjangoTemplates())
    assert "<select" in theirs
    ours = widget.render("a<name", value, {"id": "id_name"}, Renderer())
    assert ours.splitlines() == [line for line in theirs.splitlines() if line.strip()]


def test_forms_use_it() -> None:
    assert isinstance(get_default_renderer(), Renderer)
