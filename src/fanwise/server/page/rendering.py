"""Rendering of fragments by Jinja2: every text that a template prints is escaped and made harmless.

The words, numbers and times of templates are filters here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Final, NamedTuple

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from fanwise.drawings.icons import icon
from fanwise.model import Role
from fanwise.reports.plain import clean, clean_lines, escaped
from fanwise.server.page.addresses import Addresses
from fanwise.server.page.bars import bar
from fanwise.units import show_bytes, show_seconds, show_span

NONE: Final = "\u2013"
"""The mark of a value that is missing: a dash."""

MOST_SHOWN: Final = 64 * 1024
"""The characters of a value that a page shows."""


class Place(NamedTuple):
    """The place and the reader that a fragment is rendered for; `base` ends with a slash."""

    base: str
    now: float
    role: Role


def render(template: str, place: Place, values: Mapping[str, object]) -> str:
    """Render a fragment. `values` are those of the template."""
    found = environment().get_template(template)
    addresses = {"url": Addresses(place.base), "api": Addresses("/api/v1/")}
    return found.render(values, **place._asdict(), **addresses)


@cache
def environment() -> Environment:
    """Return the templates with their filters."""
    made = Environment(
        loader=PackageLoader("fanwise.server.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_harmless,
        auto_reload=False,
    )
    made.filters.update(
        n=_number, span=_span, about=_about, bytes=show_bytes, json=_json, time=_time, age=_age,
        since=_since, icon=_icon, line=_line, head=_head, plural=_plural,
        local=_local, code=_code,
    )  # fmt: skip
    made.globals.update(bar=bar)
    return made


def _harmless(value: object) -> object:
    """Text of others without control characters and marks of direction."""
    return value if isinstance(value, Markup) or not isinstance(value, str) else clean_lines(value)


# Filters


def _number(value: float | None) -> str:
    return NONE if value is None else f"{value:,.0f}"


def _span(span_s: float | None) -> str:
    """A span of time; one that is shorter than a millisecond in its own unit."""
    is_short = span_s is not None and 0 < span_s < 0.001
    return show_seconds(span_s) if is_short and span_s else show_span(span_s)


def _about(span_s: float) -> str:
    """A span of time that is only estimated: in whole seconds."""
    return f"{math.ceil(span_s)} s" if span_s < 60 else show_span(span_s)


def _plural(count: float, noun: str, more: str = "") -> str:
    return f"{count:,.0f} {noun if count == 1 else more or noun + 's'}"


def _time(at: float | None) -> str:
    return _element(at, "time")


def _age(at: float | None) -> str:
    return _element(at, "age")


def _since(at: float | None) -> str:
    """The span from a time until now, which a script keeps counting."""
    return _element(at, "span")


def _element(at: float | None, kind: str) -> str:
    """A time as an element, in UTC until a script shows it in the reader's zone."""
    if at is None or not math.isfinite(at):
        return Markup(f'<span class="muted">{NONE}</span>')
    when = datetime.fromtimestamp(at, UTC)
    text = f"{when:%Y-%m-%d %H:%M:%S} UTC"
    mark = '<time datetime="{}" data-at="{:.3f}" data-as="{}">{}</time>'
    return Markup(mark).format(f"{when:%Y-%m-%dT%H:%M:%SZ}", at, kind, text)


def _local(when: datetime) -> str:
    return f"{when:%a %d %b %Y %H:%M:%S}"


def _code(text: str) -> str:
    """A text of documentation, whose parts between backticks are code."""
    parts = (
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part)
        for number, part in enumerate(text.split("`"))
    )
    return Markup().join(parts)


def _icon(status: str) -> str:
    drawn = Markup(icon(status, 0, 0))
    return Markup(
        '<svg viewBox="0 0 12 12" aria-hidden="true" fill="currentColor">{}</svg>'
    ).format(drawn)


def _line(text: str | None, most: int = 240) -> str:
    """The beginning of a text in one line."""
    if text is None:
        return ""
    shown = clean(text[: 4 * most])
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def _head(text: str, most: int = MOST_SHOWN) -> str:
    return text if len(text) <= most else text[:most]


def _json(value: object) -> str:
    """A value for people, or the text of one as it is recorded."""
    if isinstance(value, bytes):
        if len(value) > MOST_SHOWN:  # too long to be read as a whole
            return escaped(value[:MOST_SHOWN].decode(errors="replace"))
        value = msgspec.json.decode(value)
    text = json.dumps(msgspec.to_builtins(value), indent=2, ensure_ascii=False)
    return escaped(text)
