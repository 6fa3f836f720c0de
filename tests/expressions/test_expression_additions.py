"""Filters and functions that Jinja2 doesn't have, or has without a refusal."""

import json
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import product
from re import findall, sub

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanwise.context import WorkflowContext
from fanwise.errors import TemplateError, TemplateSyntaxError
from fanwise.expressions import compile_template
from fanwise.values import freeze
from tests.expressions.template_strategies import values

RUN = {"id": "r", "started_at": "2026-03-01T08:30:05.250000+00:00"}
PARAMETERS = {
    "line": "2026-03-05 ERROR worker-17: disk full",
    "json": '{"rows": [{"a": 1}, {"a": 2.5}], "ok": true}',
    "base": {"a": 1, "deep": {"x": 1, "y": 2}},
}
EXAMPLES = [
    ("parameters.json | fromjson", json.loads(PARAMETERS["json"])),
    ("(parameters.json | fromjson).rows | sum(attribute='a')", 3.5),
    ("'\ufeff[1]' | fromjson", [1]),
    ("['1', 'null'] | map('fromjson') | list", [1, None]),
    ("[1, 2] | zip('ab', [3, 4]) | list", [[1, "a", 3], [2, "b", 4]]),
    ("[1, 2] | product('ab') | list", [[1, "a"], [1, "b"], [2, "a"], [2, "b"]]),
    ("[1] | product([]) | list", []),
    ("dict(['a', 'b'] | zip([1, 2]))", {"a": 1, "b": 2}),
    ("dict(parameters.base, a=2)", {"a": 2, "deep": {"x": 1, "y": 2}}),
    ("dict()", {}),
    ("parameters.base | combine({'deep': {'x': 5}})", {"a": 1, "deep": {"x": 5}}),
    (
        "parameters.base | combine({'deep': {'x': 5}}, {'b': 3}, recursive=true)",
        {"a": 1, "deep": {"x": 5, "y": 2}, "b": 3},
    ),
    ("parameters.line | regex_search('worker-([0-9]+)')", "worker-17"),
    ("parameters.line | regex_search('worker-([0-9]+)', 1)", "17"),
    ("parameters.line | regex_search('(?P<level>[A-Z]{3,})', 'level')", "ERROR"),
    ("parameters.line | regex_search('nothing')", None),
    ("parameters.line | regex_search('(nothing)?', 1)", None),
    ("parameters.line | regex_findall('[0-9]+')", ["2026", "03", "05", "17"]),
    ("parameters.line | regex_findall('([a-z]+)-([0-9]+)')", [["worker", "17"]]),
    ("'aéb' | regex_replace('é', '-')", "a-b"),
    (r"'a-1' | regex_replace('([a-z])-([0-9])', '\\2\\g<1>\\\\')", "1a\\"),
    ("'a b c' | regex_replace(' ', '_', count=1)", "a_b c"),
    ("['web-1', 'db-1'] | select('regex_search', '^web') | list", ["web-1"]),
    ("run.started_at | strftime('%Y/%m/%d %H:%M:%S.%f')", "2026/03/01 08:30:05.250000"),
    ("run.started_at | strftime('%a %A %b %B %d %j %p %I')", "Sun Sunday Mar March 01 060 AM 08"),
    (
        "run.started_at | strftime('%F %T %G-W%V-%u %y %z %%')",
        "2026-03-01 08:30:05 2026-W09-7 26 +0000 %",
    ),
    ("run.started_at | shift(days=-1) | strftime('%Y-%m-%d')", "2026-02-28"),
    ("'2026-03-31' | shift(months=-1)", "2026-02-28"),
    ("'2024-01-31' | shift(months=13, weeks=1)", "2025-03-07"),
    ("'2026-03-05' | shift(hours=1.5)", "2026-03-05T01:30:00"),
    ("'5.3.2026' | date('%d.%m.%Y')", "2026-03-05"),
    ("'05 mar 26 8:30 +0130' | date('%d %b %y %H:%M %z')", "2026-03-05T08:30:00+01:30"),
    ("'20260305T083000Z' | date", "2026-03-05T08:30:00+00:00"),
    ("run.started_at | date(tz='Asia/Kolkata')", "2026-03-01T14:00:05.250000+05:30"),
    ("'2026-07-05T23:30Z' | strftime('%F %H:%M %z', tz='Europe/Berlin')", "2026-07-06 01:30 +0200"),
    ("'5.3.2026 8:30' | date('%d.%m.%Y %H:%M', 'Europe/Berlin')", "2026-03-05T08:30:00+01:00"),
    ("'2026-07-05' | date(tz='Europe/Berlin')", "2026-07-05T00:00:00+02:00"),
    ("'2026-03-29T02:30' | date(tz='Europe/Berlin')", "2026-03-29T03:30:00+02:00"),
    ("'2026-10-25T02:30' | date(tz='Europe/Berlin')", "2026-10-25T02:30:00+02:00"),
    ("'2026-10-25T01:30Z' | date(tz='Europe/Berlin')", "2026-10-25T02:30:00+01:00"),
    ("0 | date", "1970-01-01T00:00:00+00:00"),
    ("'2026-03-05T01:00:00+01:00' | timestamp", 1772668800),
    ("('2026-03-02' | timestamp) - (run.started_at | timestamp)", 55794.75),
    ("['12', ' 7 ', '1.9', true] | map('int') | list", [12, 7, 1, 1]),
    ("['x', '', none, '1e999'] | map('int', default=none) | list", [None] * 4),
    ("'x' | float(2)", 2),
    ("parameters.base.missing.deeper[0].still | default(5)", 5),
    ("parameters.missing.deeper is defined", False),
    ("task.absent.output.key | default('none')", "none"),
    ("secrets.ABSENT.part | default('none')", "none"),
]
PATTERNS = ["a+", "[ab]", "b?", "(a)(b)?", "é|-", "^a|ab"]
REFUSED = [
    ("'x' | int", "this text can't be read as a number"),
    ("'1,900' | int", "int(default=none)"),
    ("none | int", "null can't be read as a number"),
    ("'' | float", "this text can't be read as a number"),
    ("'{' | fromjson", "the text is no JSON"),
    ("' ' | fromjson", "It is empty"),
    ("'1\n2' | fromjson", "splitlines"),
    ("[1] | zip([1, 2])", "lists of one length"),
    ("[1] | select | zip([1, 2]) | list", "lists of one length"),
    ("dict([[1, 2, 3]])", "made of pairs"),
    ("[1] | combine({})", "a list is given where a map is needed"),
    ("'a' | regex_search('a', 1)", "no such group"),
    ("'a' | regex_replace('a', '\\1')", "control character"),
    ("'a' | regex_replace('a', '\\\\x')", "names no group"),
    ("'a' | regex_search('(' ~ 'a')", "the regular expression is wrong"),
    ("'5.3.2026' | date", "date('%d.%m.%Y')"),
    ("'5.3.2026' | date('%d.%m')", "needs a year, a month and a day"),
    ("'31.2.2026' | date('%d.%m.%Y')", "no date of that format"),
    ("'2026-03-05' | strftime('%c')", "%c can't be written"),
    ("'9999-12-31' | shift(days=1)", "beyond the years"),
    ("'0001-01-01' | date(tz='Asia/Tokyo')", "beyond the years"),
    ("0 | date(tz='Mars/' ~ 'Base')", "no time zone of that name. Names are such as Europe/Berlin"),
    ("0 | date(tz='../../etc/' ~ 'passwd')", "no time zone of that name"),
    ("0 | date(tz=5)", "a number is given where text is needed"),
    ("parameters.base.missing.deeper", 'parameters.base has no key "missing"'),
    ("task.absent.output.key", 'task "absent" has no result here'),
]
UNKNOWN = [
    ("now()", "run.started_at"),
    ("run.started_at | datetime", "shift(days=-1)"),
    ("run.started_at.strftime('%Y')", "strftime("),
    ("env.HOME", "declare a parameter"),
    ("length(parameters.base)", "It is a filter: | length"),
    ("'a' | regex_search('(a')", "missing )"),
    ("'a' | regex_search('(?=a)')", "without looking around"),
    ("0 | date(tz='Europe/Berln')", 'Did you mean "Europe/Berlin"?'),
    ("0 | strftime('%F', 'berlin')", 'Did you mean "Europe/Berlin"?'),
    ("[0] | map('date', tz='New York') | list", 'Did you mean "America/New_York"?'),
    ("['a'] | map('regex_search', '[a') | list", "missing ]"),
    (r"'a' | regex_search('\bdisk')", "control character"),
]


def evaluated(expression: str, **parameters: object) -> object:
    context = WorkflowContext(freeze({**PARAMETERS, **parameters}), run=RUN)
    return compile_template(f"{{{{ {expression} }}}}").evaluate(context)


@pytest.mark.parametrize(("expression", "value"), EXAMPLES)
def test_each_filter_of_our_own_gives_what_the_docs_say(expression, value):
    """JSON text, lists and maps together, patterns, dates, numbers and missing paths."""
    given_ = evaluated(expression)
    assert (given_, type(given_) is bool) == (value, type(value) is bool)


@pytest.mark.parametrize(("expression", "message"), REFUSED)
def test_what_has_no_result_is_an_error_with_a_remedy(expression, message):
    """Nothing becomes a wrong value in silence."""
    with pytest.raises(TemplateError) as caught:
        evaluated(expression)
    assert message in str(caught.value)


@pytest.mark.parametrize(("expression", "message"), UNKNOWN)
def test_what_can_never_work_is_found_before_it_runs(expression, message):
    """Names of other systems and faulty patterns get a remedy when the workflow is checked."""
    with pytest.raises(TemplateSyntaxError) as caught:
        compile_template(f"{{{{ {expression} }}}}")
    assert message in str(caught.value)


@given(values)
def test_json_text_is_read_as_it_was_written(value):
    """What tojson writes, fromjson reads."""
    assert evaluated("parameters.v | tojson | fromjson", v=value) == value


@given(
    st.text("ab-é \n", max_size=20),
    st.sampled_from(["a+", "[ab]", "b?", "(a)(b)?", "é|-", "^a|b$"]),
)
def test_patterns_find_what_python_finds(text, pattern):
    """On expressions that both have, RE2 and Python agree, also beyond ASCII."""
    python = pattern.replace("$", r"\Z")  # Python's dollar is before a last line end as well
    found = [list(part) if isinstance(part, tuple) else part for part in findall(python, text)]
    assert evaluated("parameters.t | regex_findall(parameters.p)", t=text, p=pattern) == found
    replaced = evaluated("parameters.t | regex_replace(parameters.p, '<>')", t=text, p=pattern)
    assert replaced == sub(python, "<>", text)


@given(
    st.datetimes(min_value=datetime(1000, 1, 1), max_value=datetime(9000, 1, 1)),
    st.integers(-9999, 9999),
)
def test_dates_are_shifted_as_python_does(at, hours):
    """A date that is shifted, written and read again is the same date."""
    moved = evaluated("parameters.at | shift(hours=parameters.h)", at=at.isoformat(), h=hours)
    assert datetime.fromisoformat(moved) == at + timedelta(hours=hours)
    form = "%Y-%m-%d %H:%M:%S.%f"
    written = evaluated("parameters.at | strftime(parameters.f)", at=at.isoformat(), f=form)
    assert written == at.strftime(form)
    assert evaluated("parameters.w | date(parameters.f)", w=written, f=form) == at.isoformat()


@given(st.lists(st.lists(st.integers(), max_size=4), min_size=2, max_size=2))
def test_lists_are_zipped_and_multiplied_as_python_does(lists):
    """Lists of one length are zipped, and any lists multiplied."""
    names = {"a": lists[0], "b": lists[1]}
    pairs = [list(pair) for pair in product(*lists)]
    assert evaluated("parameters.a | product(parameters.b) | list", **names) == pairs
    with suppress(TemplateError):
        zipped = evaluated("parameters.a | zip(parameters.b) | list", **names)
        assert zipped == [list(pair) for pair in zip(*lists, strict=True)]
