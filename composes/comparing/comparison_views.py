"""The page that says what a compose has otherwise than another one."""

from __future__ import annotations

from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from composes.comparing.comparison import Difference, difference, older_than
from composes.comparing.comparison_rows import KINDS, sections
from composes.models import Compose
from debatomic.gates import PageRequest, reading
from debatomic.paging import number_in
from debatomic.tools.errors import InputError

OTHERS = 50  # composes to choose from


@require_safe
@reading(public=True)
def comparison(request: PageRequest, pk: int) -> HttpResponse:
    """`?with=ID` names the older one (default: the last finished one before); `?format=json` or `text` for programs.

    `?q=`, `?kind=` and `?page=` choose the packages that the page shows.
    """
    visible = Compose.objects.visible_to(request.user).for_lists()
    new = get_object_or_404(visible, pk=pk)
    old = found = None
    mistake = ""
    try:
        old = older_than(new, number_in(request.GET, "with"), visible)
        found = difference(old, new)
    except InputError as error:
        mistake = error.sentence
    if found and (answer := _for_programs(request.GET.get("format", ""), found)):
        return answer
    others = visible.filter(revision__definition=new.revision.definition_id).exclude(pk=pk)[:OTHERS]
    context = {"compose": new, "old": old, "difference": found, "mistake": mistake, "others": others, "kinds": KINDS,
               "sections": sections(found, request.GET) if found else (),
               "text": request.GET.get("q", ""), "kind": request.GET.get("kind", "")}  # fmt: skip
    return render(request, "composes/comparison.html", context)


def _for_programs(form: str, found: Difference) -> HttpResponse | None:
    if form == "json":
        return JsonResponse(found.as_json())
    return HttpResponse(found.text(), content_type="text/plain; charset=utf-8") if form == "text" else None
