"""Where the time of a run went, and its tasks drawn over time."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanwise.cli.text.timeline import ASCII, timeline_lines
from fanwise.cli.text.timing_lines import timing_lines
from fanwise.model import ItemCounts, ItemOutcome, Status, VisitRecord
from fanwise.reports.progress import item_progress
from fanwise.reports.sessions import Sessions
from fanwise.reports.timing import RunTime, run_time, spell_times, spells_of
from fanwise.system import SystemClock
from fanwise.testing.stores import MemoryStore


def visit(no: int, path: str, start: float | None, end: float | None, **changes) -> VisitRecord:
    """A visit from `start` to `end` seconds after the run's start at 100."""
    values = {"visit": 1, "status": Status.SUCCEEDED, **changes}
    times = {
        name: None if at is None else 100.0 + at
        for name, at in (("started_at", start), ("ended_at", end))
    }
    return VisitRecord(1, no, path, **values, **times)


def timed(
    visits: list[VisitRecord], before=None, *, store: MemoryStore | None = None, until: float = 10.0
) -> RunTime:
    store = store or MemoryStore()
    sessions = Sessions([(100.0, 100.0 + until)])
    return run_time(
        store,
        spells_of(visits, spell_times(store, visits, sessions, 100.0 + until)),
        sessions,
        before or {},
    )


def test_the_tasks_that_took_longest_come_first():
    """Over all of their visits; more than ten are only counted."""
    visits = [visit(no, f"t{no}", no, no + 0.1) for no in range(1, 12)]
    again = [visit(20 + no, "again", no, no + 1, visit=no) for no in range(1, 4)]
    time = timed([*visits, *again])
    assert (time.tasks[0].path, time.tasks[0].span_s) == ("again", 3.0)
    assert (len(time.tasks), time.others) == (10, 2)
    assert timing_lines(time)[-1] == "and 2 shorter tasks"


def test_time_in_which_no_task_works_is_told():
    """Before the first one, between two, and while the only one is delayed."""
    a, b = visit(1, "a", 1, 4), visit(2, "b", 2, 3)
    c = visit(3, "c", 6, 10, due_at=108.0)
    time = timed([a, b, c])
    assert (time.span_s, time.idle_s) == (10.0, 1 + 2 + 2)
    assert [(task.path, task.waited_s) for task in time.tasks] == [("c", 2), ("a", 0), ("b", 0)]
    assert timing_lines(time)[0].endswith("10.00 s, 5.00 s of it without a task at work")


def test_what_has_not_ended_counts_until_then():
    """And what hasn't started has taken no time."""
    time = timed([visit(1, "a", 1, None), visit(2, "b", None, None)], until=4.0)
    assert [(task.path, task.span_s) for task in time.tasks] == [("a", 3.0)]


def test_the_critical_path_is_of_visits_that_waited_for_each_other():
    """From the last end back to whatever ended last before it; other branches are left out."""
    visits = [
        visit(1, "a", 0, 2),
        visit(2, "short", 2, 3),
        visit(3, "long", 2, 7),
        visit(4, "stray", 0, 7.5),
        visit(5, "join", 7, 9),
    ]
    before = {"short": {"a"}, "long": {"a"}, "join": {"short", "long"}}
    time = timed(visits, before)
    assert (list(time.critical), time.critical_s) == (["a", "long", "join"], 9.0)
    assert timing_lines(time)[-1] == "Critical path, 9.00 s: a, long, join"


def test_the_critical_path_follows_a_cycle_visit_by_visit():
    """Also where visits take no time at all."""
    visits = [visit(no, "ab"[no % 2], no // 4, no // 4, visit=no // 2 + 1) for no in range(9)]
    time = timed(visits, {"a": {"b"}, "b": {"a"}})
    assert "".join(time.critical) == "ababababa"


def test_items_are_told_by_rate_and_by_how_long_they_took():
    """Per second from the first start to the last end, with the slowest ones by their labels."""
    store = MemoryStore()
    store.commit(
        [
            ItemOutcome(1, 1, no, Status.SUCCEEDED, 1, 100.0, no / 10, label=f"host {no}")
            for no in range(1, 101)
        ]
    )
    time = timed([visit(1, "each", 0, 50, has_items=True)], store=store, until=50)
    (task,) = time.tasks
    assert (task.items_per_s, task.at_once) == (2.0, pytest.approx(505 / 50))
    lines = timing_lines(time)
    assert " ".join(lines[2].split()) == "each 50.00 s 100 % 2.00 10.1 5.00 s 9.50 s"
    assert lines[3].startswith("Slowest of each: [100] host 100 10.00 s, [99] host 99 9.90 s")


def test_a_run_with_several_tasks_tells_where_its_time_went(fanwise, write):
    """For people below the tasks, for programs by name."""
    write(**{"flow.yaml": "tasks: [{name: a, action: core.noop}, {name: b, action: core.noop}]\n"})
    fanwise("run", "flow.yaml", "--run-id", "r")
    assert "\nWhere the time went: " in fanwise("show", "r").out
    timing = json.loads(fanwise("show", "r", "--json").out)["timing"]
    assert set(timing["tasks"]) == {"a", "b"}
    assert timing["critical_path"] == ["a", "b"]


def drawn(visits: list[VisitRecord], *, width: int = 60, until: float = 10.0) -> list[str]:
    found = spells_of(
        visits,
        spell_times(MemoryStore(), visits, Sessions([(100.0, 100.0 + until)]), 100.0 + until),
    )
    never = len(visits) - len(found)
    items = {each.visit_no: item_progress(MemoryStore(), each) for each in visits if each.has_items}
    return timeline_lines(
        found, never, items, run_status="running", width=width, marks=ASCII, colours=False
    )


def test_bars_stand_where_visits_lie_in_time():
    """Delays are told from work; so are further visits, attempts and ends that aren't good."""
    lines = drawn(
        [
            visit(1, "a", 0, 5),
            visit(2, "b", 5, 10, due_at=107.5, status=Status.FAILED, attempts=3),
            visit(3, "a", 5, 10, visit=2, has_items=True, items=ItemCounts(7, 7, 0)),
            visit(4, "c", None, None, status=Status.SKIPPED),
        ],
        width=len("a #2") + 2 + 32 + 2 + len("5.00 s, 3 attempts, failed"),
    )
    assert lines[1] == f"a     {'#' * 16}{' ' * 16}  5.00 s"
    assert lines[2] == f"b     {' ' * 16}{'.' * 8}{'#' * 8}  5.00 s, 3 attempts, failed"
    assert lines[3] == f"a #2  {' ' * 16}{'#' * 16}  5.00 s, 7 items"
    assert lines[4] == "1 task never started."


def test_a_timeline_of_very_many_visits_stays_short():
    """Those that went wrong and the longest are drawn alone, the others share lines."""
    visits = [
        visit(
            no,
            f"t{no}",
            no,
            no + (2.5 if no == 1234 else 1),
            status=Status.FAILED if no == 4321 else Status.SUCCEEDED,
        )
        for no in range(5_000)
    ]
    lines = drawn(visits, width=100)
    assert len(lines) < 100
    assert any(line.startswith("t1234 ") for line in lines)
    assert any(line.startswith("t4321 ") and line.endswith("failed") for line in lines)
    assert "stands for several visits: 4,960 in all" in lines[-1]


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text("ab", min_size=1, max_size=50),
            st.none() | st.floats(0, 1e6),
            st.none() | st.floats(0, 1e6),
            st.none() | st.floats(0, 1e6),
        ),
        max_size=60,
    ),
    st.integers(20, 200),
)
def test_a_timeline_fits_its_width_whatever_was_recorded(told, width: int):
    """Also times that make no sense, after a clock was set back."""
    visits = [
        visit(no, path, start, end, due_at=due) for no, (path, start, end, due) in enumerate(told)
    ]
    lines = drawn(visits, width=width, until=1.0)
    drawings = lines[:-2]  # below them stand at most two notes
    assert all(len(line) <= max(width, 80) for line in drawings)


def test_a_timeline_draws_a_run_or_the_steps_of_a_child(fanwise, write):
    """With `--json` each visit is a line; a terminal's colours stay out of pipes."""
    child = "tasks: [{name: first, action: core.noop}, {name: second, action: core.noop}]\n"
    write(**{"child.yaml": child})
    write(**{"flow.yaml": "tasks: [{name: each, action: ./child.yaml, with-items: [1]}]\n"})
    fanwise("run", "flow.yaml", "--run-id", "r")
    assert [line.split()[0] for line in fanwise("show", "r", "--timeline").out.splitlines()][
        1:
    ] == ["each"]
    told = fanwise("show", "r", "--timeline", "--within", "each[0]").out
    assert [line.split()[0] for line in told.splitlines()][1:] == ["first", "second"]
    assert "\x1b" not in told
    lines = fanwise("show", "r", "--timeline", "--json").out.splitlines()
    assert [json.loads(line)["path"] for line in lines] == ["each"]


def test_a_timeline_is_drawn_as_a_picture(fanwise, write):
    """Of a run or of the steps of a child, with the names that the text has."""
    child = "tasks: [{name: first, action: core.noop}, {name: second, action: core.noop}]\n"
    write(**{"child.yaml": child})
    write(**{"flow.yaml": "tasks: [{name: each, action: ./child.yaml, with-items: [1]}]\n"})
    fanwise("run", "flow.yaml", "--run-id", "r")
    for options, names in (((), ["each"]), (("--within", "each[0]"), ["first", "second"])):
        told = fanwise("show", "r", "--timeline", "--svg", *options)
        assert (told.status, told.err) == (0, "")
        drawn = ElementTree.fromstring(told.out)
        svg = "{http://www.w3.org/2000/svg}text"
        assert [each.text for each in drawn.iter(svg) if each.get("class") == "name"] == names
    assert "marks the visits that led to the end" in fanwise("show", "r", "--timeline", "--svg").out


@pytest.mark.parametrize("options", [("--svg",), ("--svg", "--timeline", "--json")])
def test_only_a_timeline_is_drawn(fanwise, options: tuple[str, ...]):
    """The message says how."""
    told = fanwise("show", "r", *options)
    assert told.status == 2
    assert told.err == "--svg draws a timeline. Use: fanwise show RUN --timeline --svg\n"


def test_a_step_of_a_child_took_the_time_for_which_it_was_driven(fanwise, write, monkeypatch):
    """A step that failed and was retried a day later has not taken a day."""
    write(
        **{
            "child.yaml": "tasks: [{name: last, action: core.shell, input: {script: test -f it}}]",
            "all.yaml": "tasks: [{name: each, action: ./child.yaml, with-items: [1]}]",
        }
    )
    clock = SystemClock.now
    assert fanwise("run", "all.yaml", "--run-id", "r").status == 1
    write(it="")
    monkeypatch.setattr(SystemClock, "now", staticmethod(lambda: clock() + 86_400))
    assert fanwise("retry", "r").status == 0
    lines = fanwise("show", "r", "--within", "each[0]").out.splitlines()
    assert re.match(r" *last +succeeded +\d+ ms", lines[1]), lines
