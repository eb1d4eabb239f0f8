"""The page of statistics, the same as CSV and JSON, and what retention would remove."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from debatomic.charts import Chart, Line, bar_chart, line_chart
from debatomic.gates import PageRequest, reading
from debatomic.templatetags import pages
from hosts.fleet import history, statistics
from hosts.fleet.statistics import Figures
from hosts.kept import retention
from hosts.models import PeriodCount
from hosts.models.sample import HOUR, TEN_MINUTES

DAYS = [(7, "7 days"), (30, "30 days"), (90, "90 days"), (365, "1 year")]
SHOWN, EXPORTED = 50, 100_000  # rows
OUTCOMES = ("completed", "failed", "lost")


class RetentionForm(forms.Form):
    """Ages to try out; nothing is removed by it."""

    logs = forms.IntegerField(min_value=0, max_value=retention.MOST_DAYS, required=False, label="Logs, days")
    artifacts = forms.IntegerField(min_value=0, max_value=retention.MOST_DAYS, required=False, label="Artifacts, days")
    tasks = forms.IntegerField(min_value=0, max_value=retention.MOST_DAYS, required=False, label="Tasks, days")


class StatisticsForm(forms.Form):
    by = forms.ChoiceField(label="By", choices=PeriodCount.Dimension.choices, required=False)
    days = forms.TypedChoiceField(label="Of the last", choices=DAYS, coerce=int, required=False)

    @property
    def asked(self) -> tuple[str, int]:
        """Dimension and days; the usual ones where something else is asked for."""
        valid = self.cleaned_data if self.is_valid() else {}
        return valid.get("by") or PeriodCount.Dimension.ALL, valid.get("days") or 30


@require_safe
@reading("tasks.view", public=False)
def statistics_page(request: PageRequest) -> HttpResponse:
    form = StatisticsForm({"by": "all", "days": 30, **request.GET.dict()})
    by, days = form.asked
    every = statistics.by_day(days)
    context: dict[str, Any] = {
        "form": form, "by": by, "days": days, "query": f"by={by}&days={days}",
        "heading": PeriodCount.Dimension(by).label.capitalize(),
        "figures": statistics.figures(by, days, SHOWN), "total": statistics.totals(every),
        "bars": _bars(every), "times": _times(every), "queue": history.of_queue(_span(days)), "shown": SHOWN,
    }  # fmt: skip
    return render(request, "hosts/statistics.html", context)


def _bars(every: list[Figures]) -> Any:
    return bar_chart("Attempts by day", OUTCOMES, [
        (day.name, [getattr(day, outcome) for outcome in OUTCOMES]) for day in every
    ])  # fmt: skip


def _times(every: list[Figures]) -> Chart:
    """Mean wait and duration of each day that had any."""
    known = [(statistics.noon(day.name), day) for day in every if day.attempts]
    waits = Line(name="Wait", points=[(at, day.mean_wait) for at, day in known])
    runs = Line(name="Duration", points=[(at, day.mean_run) for at, day in known])
    ends = statistics.noon(every[0].name), statistics.noon(every[-1].name)
    return line_chart("Mean wait and duration", [waits, runs], begin=ends[0], end=ends[1], step=statistics.ONE_DAY,
                      told=pages.duration)  # fmt: skip


def _span(days: int) -> history.Span:
    """The queue's history over the same days."""
    return history.Span(name="", title="", length=timedelta(days=days), grain=HOUR if days > 7 else TEN_MINUTES)


@require_safe
@reading("tasks.view", public=False)
def statistics_export(request: PageRequest, form: str) -> HttpResponse:
    """The same as a file, csv or json, with every name."""
    if form not in ("csv", "json"):
        raise Http404("Statistics are exported as csv and json.")
    by, days = StatisticsForm(request.GET).asked
    rows = [row.told for row in statistics.figures(by, days, EXPORTED)]
    name = f"statistics-{by}-{days}-days.{form}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    if form == "json":
        told = json.dumps({"by": by, "days": days, "rows": rows}, indent=2)
        return HttpResponse(told, content_type="application/json", headers=headers)
    answer = HttpResponse(content_type="text/csv; charset=utf-8", headers=headers)
    writer = csv.DictWriter(answer, statistics.TOLD)
    writer.writeheader()
    writer.writerows({**row, "name": _harmless(row["name"])} for row in rows)
    return answer


def _harmless(name: str) -> str:
    """No spreadsheet takes it for a formula."""
    return f"'{name}" if name[:1] in ("=", "+", "-", "@", "\t", "\r") else name


@require_safe
@reading("retention.view")
def retention_page(request: PageRequest) -> HttpResponse:
    """What would go by the ages of the settings, or by others that are tried out here."""
    form = RetentionForm({**asdict(retention.ages()), **request.GET.dict()})
    wanted = retention.changed(form.cleaned_data) if form.is_valid() else retention.ages()
    context = {"form": form, "plans": retention.plans(wanted), "used": retention.ages(), "wanted": wanted}
    return render(request, "hosts/retention.html", context)
