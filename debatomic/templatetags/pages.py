"""What templates say in many places: states, times, sizes, progress, icons, rights."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from django import template
from django.forms import BoundField, CheckboxInput, Select
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from debatomic.access import checks
from debatomic.addresses import address_of

register = template.Library()
register.simple_tag(address_of, name="address")

# state: (what people read, icon, colour class)
STATES = {
    "free": ("waiting", "clock", "waiting"),
    "assigned": ("assigned", "dot", "running"),
    "running": ("running", "play", "running"),
    "canceling": ("canceling", "ban", "waiting"),
    "completed": ("completed", "check", "good"),
    "failed": ("failed", "cross", "bad"),
    "canceled": ("canceled", "ban", "ended"),
    "done": ("done", "check", "good"),
    "reused": ("reused", "check", "good"),
    "identical": ("identical", "check", "good"),
    "different": ("different", "cross", "bad"),
    "absent": ("not in the archive", "dot", "ended"),
    "lost": ("lost", "cross", "bad"),
    "STARTED": ("started", "play", "running"),
    "FINISHED": ("finished", "check", "good"),
    "FINISHED_INCOMPLETE": ("finished incomplete", "check", "waiting"),
    "DOOMED": ("doomed", "cross", "bad"),
    "TERMINATED": ("terminated", "ban", "ended"),
    "passed": ("passed", "check", "good"),
    "warned": ("warns", "warning", "waiting"),
    "skipped": ("skipped", "ban", "ended"),
    "overridden": ("overridden", "warning", "waiting"),
    "error": ("could not be done", "warning", "bad"),
    "alive": ("alive", "check", "good"),
    "silent": ("silent", "cross", "bad"),
    "never-seen": ("never seen", "clock", "ended"),
    "disabled": ("disabled", "ban", "ended"),
    "draining": ("draining", "down", "waiting"),
    "drained": ("drained", "ban", "ended"),
    "maintenance": ("in maintenance", "warning", "waiting"),
    "quarantine": ("in quarantine", "warning", "bad"),
    "open": ("open", "clock", "waiting"),
    "used": ("used", "check", "ended"),
    "expired": ("expired", "ban", "ended"),
    "unhealthy": ("out of service", "cross", "bad"),
    "enabled": ("enabled", "check", "good"),
    "can-build": ("builds can run here", "check", "good"),
    "cannot-build": ("builds cannot run here", "cross", "bad"),
    "missing": ("missing", "cross", "bad"),
    "lacking": ("lacking", "warning", "waiting"),
}


@register.simple_tag
@cache
def icon(name: str, label: str = "") -> SafeString:
    """An icon of static/img/icons.svg; without a label it is decoration."""
    address = f"{static('img/icons.svg')}#{name}"
    if label:
        return format_html('<svg class="icon" role="img" aria-label="{}"><use href="{}"/></svg>', label, address)
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}"/></svg>', address)


@register.simple_tag
@cache
def state(value: str) -> SafeString:
    """A state as a word with its icon."""
    word, picture, colour = STATES.get(value, (str(value).lower(), "dot", "ended"))
    return format_html('<span class="state state-{}">{}{}</span>', colour, icon(picture), word)


MENU = (
    ("dashboard", "Dashboard", ""),
    ("build-list", "Builds", ""),
    ("package-list", "Packages", ""),
    ("tag-list", "Tags", ""),
    ("compose-list", "Composes", ""),
    ("task-list", "Tasks", ""),
    ("host-list", "Hosts", "hosts.view"),
    ("chroot-list", "Chroots", ""),
    ("artifact-list", "Artifacts", ""),
    ("statistics", "Statistics", "signed-in"),
)  # address, title, what is needed to see it
CURRENT = SafeString(' aria-current="page"')
STEPS = {"waiting": "free"}


@register.simple_tag
def diff_line(line: str) -> SafeString:
    """A line of a difference, marked by what it begins with."""
    tag = {"+": "ins", "-": "del"}.get(line[:1], "span")
    return format_html(f"<{tag}>{{}}</{tag}>", line)


@register.filter
def at(mapping: Mapping[str, Any], key: str) -> Any:
    """The value of a key, None where there is none."""
    return mapping.get(key)


@register.simple_tag
def phase_state(value: str) -> SafeString:
    return state(STEPS.get(value, value))


@register.simple_tag
def task_state(task: Any) -> SafeString:
    """A task's state; one that was asked to stop is canceling."""
    return state("canceling" if task.cancel_asked else task.state)


@register.simple_tag
def state_colour(task: Any) -> str:
    """The colour class of a task's state, for what is drawn."""
    return STATES["canceling" if task.cancel_asked else task.state][2]


@register.simple_tag
def host_state(host: Any) -> SafeString:
    """What people decided, then what is wrong with it, then whether it is there."""
    if host.state == "draining":
        return state("draining" if getattr(host, "used", 1) else "drained")
    if host.state != "enabled":
        return state(host.state)
    if host.quarantined_at:
        return state("quarantine")
    if host.problems:
        return state("unhealthy")
    if host.seen_at is None:
        return state("never-seen")
    return state("alive" if host.is_alive else "silent")


@register.simple_tag
def load_of(host: Any) -> str:
    """The load of the last minute, and on how many processors."""
    load = host.report.get("load")
    return f"{load[0]:.1f} on {host.report.get('processors', '?')}" if load else ""


@register.filter
def duration(value: float | timedelta | str | None) -> str:
    """Seconds as people say them: 0.4 s, 12 s, 3 min 5 s, 2 h 4 min, 3 d 2 h."""
    if value is None or isinstance(value, str):  # a variable the template does not have
        return ""
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    return f"{max(seconds, 0):.1f} s" if seconds < 10 else whole(int(seconds))


def whole(seconds: int, parts: int = 2) -> str:
    """Whole seconds in at most two units, or one; static/js/times.js says it alike."""
    for large, small, unit, part in ((86400, 3600, "d", "h"), (3600, 60, "h", "min"), (60, 1, "min", "s")):
        if seconds >= large:
            number, rest = divmod(seconds, large)
            return f"{number} {unit} {rest // small} {part}" if rest // small and parts > 1 else f"{number} {unit}"
    return f"{seconds} s"


@register.filter
def ago(moment: datetime | None) -> SafeString | str:
    """A time as how long ago, in full as its title; static/js/times.js keeps it true."""
    return _time(moment, "{} ago", "ago", units=1)


@register.filter
def since(moment: datetime | None) -> SafeString | str:
    """How long something has been going on."""
    return _time(moment, "{}", "since", units=2)


SECONDS = len("2026-11-22 03:15:00")


def _time(moment: datetime | None, sentence: str, kind: str, *, units: int) -> SafeString | str:
    if moment is None:
        return ""
    passed = max(int((timezone.now() - moment).total_seconds()), 0)
    text = "just now" if kind == "ago" and passed < 5 else sentence.format(whole(passed, parts=units))
    local = moment.astimezone(timezone.get_default_timezone())
    full = f"{str(local)[:SECONDS]} {local.tzname()}"
    exact = moment.isoformat(timespec="seconds")  # nothing in all this needs to be escaped
    return SafeString(f'<time datetime="{exact}" title="{full}" data-time="{kind}">{text}</time>')


@register.simple_tag
def percent(share: float | None) -> str:
    """A share of 1 for people: 97 %, 99.5 %; nothing where it is not known."""
    return "" if share is None else f"{share:.1%}".replace(".0%", "%").replace("%", " %")


@register.simple_tag
def took(begin: datetime | None, end: datetime | None) -> str:
    return duration(end - begin) if begin and end else ""


@register.filter
def size(number: float | str | None) -> str:
    """Bytes for people: 312 B, 4.2 KiB, 1.3 GiB."""
    if number is None or isinstance(number, str):  # a variable the template does not have
        return ""
    value = float(number)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


@register.filter
def growth(number: float | None) -> str:
    """Bytes more or fewer: +4.2 KiB, -312 B, nothing for none."""
    return "" if not number else f"{'-' if number < 0 else '+'}{size(abs(number))}"


@register.inclusion_tag("_progress.html")
def progress(task: Any) -> dict[str, Any]:
    """How far a running task is: its phase in words and a bar over all phases."""
    report = task.progress or {}
    total, number = report.get("total") or 0, report.get("number") or 0
    done = (number - 1 + (report.get("fraction") or 0)) / total if total else None
    return {"task": task, "report": report, "done": done, "percent": None if done is None else round(done * 100)}


@register.simple_tag(takes_context=True)
def may(context: template.Context, right: str) -> bool:
    """Whether the reader has a right: `{% may "builds.submit" as can_submit %}`."""
    user = context.get("user")
    return user is not None and checks.may(user, right)


@register.simple_tag(takes_context=True)
def can(context: template.Context, verb: str, thing: Any) -> bool:
    """Whether the reader may do this to this thing, by the model's own `can_…`."""
    user = context.get("user")
    return bool(user is not None and user.is_authenticated and getattr(thing, f"can_{verb}")(user))


@register.simple_tag(takes_context=True)
def menu_links(context: template.Context) -> SafeString:
    """The links of the main menu, marked where the reader is beneath one."""
    here = context["request"].path if "request" in context else ""
    user = context.get("user")
    shown = {"": True, "signed-in": bool(user and user.is_authenticated), "hosts.view": may(context, "hosts.view")}
    links = [(address_of(name), title) for name, title, needed in MENU if shown[needed]]
    return format_html_join("\n", '<li><a href="{}"{}>{}</a></li>', [
        (address, CURRENT if here == address or (address != "/" and here.startswith(address)) else "", title)
        for address, title in links
    ])  # fmt: skip


@register.inclusion_tag("_field.html")
def field(bound: BoundField, mark: bool = True, **attributes: Any) -> dict[str, Any]:
    """A form field with its label, help and errors, tied together for screen readers.

    `mark=False`: do not say "optional", where one of several is needed. Attributes are the input's.
    """
    plain = isinstance(bound.field.widget, CheckboxInput)
    shape = "form-check-input" if plain else "form-select" if isinstance(bound.field.widget, Select) else "form-control"
    attrs = {"class": f"{shape} is-invalid" if bound.errors else shape, **attributes}
    about = (("help", bound.help_text), ("error", bound.errors))
    told = [f"{bound.id_for_label}-{what}" for what, there in about if there]
    if told:
        attrs["aria-describedby"] = " ".join(told)
    if bound.errors:
        attrs["aria-invalid"] = "true"
    return {"field": bound, "widget": bound.as_widget(attrs=attrs), "is_checkbox": plain,
            "is_optional": mark and not bound.field.required}  # fmt: skip


@register.simple_tag(takes_context=True)
def host_link(context: template.Context, host: Any) -> SafeString | str:
    """A host's name, as a link for readers who may see hosts; nothing for none."""
    if not host:
        return ""
    name = str(host.name)
    return format_html('<a href="{}">{}</a>', address_of("host", name), name) if may(context, "hosts.view") else name


@register.inclusion_tag("_verb.html", takes_context=True)
def verb(
    context: template.Context, name: str, key: Any, label: str, picture: str = "", colour: str = ""
) -> dict[str, Any]:
    """A button that does one thing by POST: `{% verb "build-cancel" build.pk "Cancel" "ban" "danger" %}`."""
    return {
        "csrf_token": context.get("csrf_token"), "address": reverse(name, args=[key]),
        "label": label, "picture": picture, "colour": colour,
    }  # fmt: skip
