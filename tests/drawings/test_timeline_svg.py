"""Timelines as SVG: places in time, failed attempts, the way to the end, and a bound for all."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanwise.drawings.timeline_svg import timeline_svg
from fanwise.model import FailedAttempt, Status, VisitRecord
from fanwise.reports.sessions import Sessions
from fanwise.reports.timing import spell_times, spells_of
from fanwise.testing.stores import MemoryStore

SVG = "{http://www.w3.org/2000/svg}"
WIDTH = 640


def visit(no: int, path: str, start: float | None, end: float | None, **changes) -> VisitRecord:
    """A visit from `start` to `end` seconds after the run's start at 100."""
    values = {"visit": 1, "status": Status.SUCCEEDED, **changes}
    times = {
        name: None if at is None else 100.0 + at
        for name, at in (("started_at", start), ("ended_at", end))
    }
    return VisitRecord(1, no, path, **values, **times)


def drawn(visits: list[VisitRecord], *, until: float = 10.0, **options) -> ElementTree.Element:
    sessions = Sessions([(100.0, 100.0 + until)])
    found = spells_of(visits, spell_times(MemoryStore(), visits, sessions, 100.0 + until))
    given = {"clock": sessions.before, "run_status": "running", "title": "t", **options}
    return ElementTree.fromstring(timeline_svg(found, {}, **given))


def lanes(picture: ElementTree.Element) -> list[ElementTree.Element]:
    return [
        each for each in picture.iter(f"{SVG}g") if (each.get("class") or "").startswith("lane")
    ]


def blocks(lane: ElementTree.Element, kind: str = "done") -> list[tuple[float, float]]:
    """The beginnings and widths of a lane's blocks."""
    rects = (each for each in lane.iter(f"{SVG}rect") if each.get("class") == kind)
    return [(float(each.get("x", -1)), float(each.get("width", -1))) for each in rects]


def test_bars_stand_where_visits_lie_in_time():
    """Delays are told from work, and so are failed attempts and the visits that led to the end."""
    failed = FailedAttempt(1, 106.25, 1.25, "Timeout", "")
    picture = drawn(
        [
            visit(1, "a", 0, 5),
            visit(2, "b", 5, 10, due_at=106.25, attempts=2, earlier=(failed,)),
            visit(3, "c", 7.5, None, status=Status.RUNNING),
        ],
        critical={1, 2},
    )
    a, b, c = lanes(picture)
    assert blocks(a) == [(0, 320)]
    assert blocks(b, "wait") == [(320, 80)]
    assert blocks(b) == [(400, 240), (400, 80)]
    assert [title.text for title in b.iter(f"{SVG}title")][1] == "attempt 1: Timeout, 1.25 s"
    assert blocks(c) == [(480, 160)]
    assert c.get("class") == "lane running"
    assert [len(blocks(lane, "critical")) for lane in (a, b, c)] == [1, 1, 0]


def test_a_lane_is_a_link_to_its_task():
    """Shared lanes are of several tasks, and lead nowhere."""
    picture = drawn([visit(1, "a[3].b", 0, 5)], href=lambda path: f"tasks/{path}")
    assert [each.get("href") for each in picture.iter(f"{SVG}a")] == ["tasks/a[3].b"]


def test_a_timeline_of_very_many_visits_stays_small():
    """Those that went wrong and the longest are drawn alone; others share, and are joined."""
    visits = [
        visit(no, f"t{no}", no, no + 0.5, status=Status.FAILED if no == 4321 else Status.SUCCEEDED)
        for no in range(5_000)
    ]
    picture = drawn(visits, until=5_000)
    assert 200 <= len(lanes(picture)) <= 401
    assert len(list(picture.iter())) < 5_000
    assert any(each.text == "t4321" for each in picture.iter(f"{SVG}text"))


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text(min_size=1, max_size=50),
            st.none() | st.floats(0, 1e6),
            st.none() | st.floats(0, 1e6),
            st.none() | st.floats(0, 1e6),
        ),
        max_size=20,
    )
)
def test_a_timeline_is_well_formed_whatever_was_recorded(told):
    """No bar leaves its room, also at times that make no sense after a clock was set back."""
    visits = [
        visit(no, path, start, end, due_at=due) for no, (path, start, end, due) in enumerate(told)
    ]
    for lane in lanes(drawn(visits, until=1.0)):
        for kind in ("done", "wait"):
            for begin, width in blocks(lane, kind):
                assert 0 <= begin <= WIDTH
                assert 1 <= width <= WIDTH - begin + 0.01


@given(st.floats(1e-5, 1e6))
def test_the_axis_has_a_few_round_times(span_s: float):
    """Of whatever length the run is; each stands where it lies between the start and the end."""
    picture = drawn([visit(1, "a", 0, span_s)], until=span_s)
    (axis,) = [each for each in picture.iter(f"{SVG}g") if each.get("class") == "axis"]
    places = [float(each.get("x", -1)) for each in axis.iter(f"{SVG}text")]
    steps = [after - before for before, after in pairwise(places)]
    assert 2 <= len(steps) <= 6
    assert max(steps) - min(steps) <= 1
    assert WIDTH - places[-1] + places[0] < max(steps) + 1


@pytest.mark.parametrize(
    ("span_s", "labels"),
    [
        (1.05, ["0", "200 ms", "400 ms", "600 ms", "800 ms", "1 s"]),
        (90.0, ["0", "20 s", "40 s", "1 min", "1 min 20 s"]),
        (5_500.0, ["0", "30 min", "1 h", "1 h 30 min"]),
    ],
)
def test_times_on_the_axis_are_short(span_s: float, labels: list[str]):
    """In the unit that suits each."""
    picture = drawn([visit(1, "a", 0, span_s)], until=span_s)
    (axis,) = [each for each in picture.iter(f"{SVG}g") if each.get("class") == "axis"]
    assert [each.text for each in axis.iter(f"{SVG}text")] == labels
