"""What is large: very many lines of logs, a value of megabytes, a graph of a thousand tasks."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.page.project import halfway, run, store_of, submit, write
from tests.page.visitor import Visitor, visiting
from tests.server.served import Served, serving

LINES = 100_000
TASKS = 1_000
VISITS = 10_000

_LOGS = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {lines})
INSERT INTO logs (log_no, run_no, visit_no, idx, at, attempt, path, text)
SELECT i + (SELECT max(log_no) FROM logs), run_no, visit_no, i, at, 1, path, 'line ' || i
FROM (SELECT * FROM logs LIMIT 1), n
"""
_VISITS = """
WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < {visits})
INSERT INTO tasks (run_no, visit_no, path, visit, depth, status, has_items, started_at, ended_at,
    attempts)
SELECT run_no, i, path, i, depth, status, has_items, started_at + i, ended_at + i, attempts
FROM tasks, n WHERE run_no = (SELECT run_no FROM runs WHERE id = 'visited')
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of runs of which each has much of something."""
    folder: Path = tmp_path_factory.mktemp("large")
    write(folder, "talk.yaml", "large.yaml", "broken.yaml")
    run(folder, "large.yaml", run_id="large")
    run(folder, "broken.yaml", run_id="told")
    with closing(sqlite3.connect(store_of(folder))) as connection, connection:
        connection.execute(_LOGS.format(lines=LINES))
    (folder / "one.yaml").write_text("name: one\ntasks: [{name: a, action: core.noop}]\n")
    run(folder, "one.yaml", run_id="visited")
    with closing(sqlite3.connect(store_of(folder))) as connection, connection:
        connection.execute(_VISITS.format(visits=VISITS))
    (folder / "graph.yaml").write_text(json.dumps({"name": "graph", "tasks": list(tasks())}))
    submit(folder, "graph.yaml", run_id="graph")
    with serving(folder) as served:
        yield served


def tasks() -> Iterator[dict[str, object]]:
    """A fan-out, and a thousand tasks behind it, in layers of ten."""
    yield {"name": "all", "action": "core.noop", "with-items": "{{ range(1000) }}"}
    for number in range(TASKS - 1):
        before = f"t{number - 10}" if number >= 10 else "all"
        yield {"name": f"t{number}", "action": "core.noop", "needs": [before]}


@pytest.fixture
def visitor(browser: Browser, large: Served) -> Iterator[Visitor]:
    with visiting(browser, large) as found:
        yield found


def test_logs_of_an_attempt_are_shown_while_it_runs(browser: Browser, large: Served) -> None:
    """What a running attempt has printed stands on the page before it ends, and the rest then."""
    with (
        visiting(browser, large) as visitor,
        halfway(large.folder, "talk.yaml", "talk") as finish,
    ):
        visitor.open("runs/talk/logs?latest=true")
        expect(visitor.find(".logs li")).to_contain_text("this is the beginning")
        expect(visitor.find(".title .st")).to_have_text("running")
        finish()
        expect(visitor.find(".logs")).to_contain_text("this is the end")
        expect(visitor.find(".title .st")).to_have_text("succeeded")


def test_a_hundred_thousand_lines_are_scrolled_with_few_of_them_in_the_page(
    visitor: Visitor,
) -> None:
    """Further lines come as one scrolls, in both directions, and those out of sight go."""
    visitor.open("runs/told/logs")
    lines = visitor.find(".logs li")
    expect(lines.first).to_contain_text("reading")
    for page in range(2, 6):
        visitor.page.evaluate("() => scrollTo(0, document.documentElement.scrollHeight)")
        expect(visitor.find(f"#log-{page * 200 - 10}")).to_be_attached()
        assert lines.count() <= 400
    expect(visitor.find("#log-1")).not_to_be_attached()
    for page in range(3, 0, -1):
        visitor.page.evaluate("() => scrollTo(0, 0)")
        expect(visitor.find(f"#log-{page * 200 - 190}")).to_be_attached()
        assert lines.count() <= 400
    visitor.find("a", "The latest lines").click()
    expect(lines.last).to_contain_text(f"line {LINES}")
    visitor.find("a", "Earlier lines").click()
    expect(lines.last).to_contain_text(f"line {LINES - 200}")


def test_a_text_is_found_in_very_many_lines(visitor: Visitor) -> None:
    """The one line that has a text is found far down."""
    visitor.open("runs/told/logs")
    visitor.find("[name=contains]").fill("line 19123")
    visitor.page.keyboard.press("Enter")
    expect(visitor.find(".logs li")).to_have_count(1)


def test_an_output_of_twenty_megabytes_is_cut_and_saved_whole(visitor: Visitor) -> None:
    """The page has its beginning and says so; a button saves all of it."""
    visitor.open("runs/large")
    output = visitor.find("#output")
    expect(output).to_contain_text("first 64 KB of 20")
    assert len(output.inner_text()) < 70_000
    with visitor.page.expect_download() as saving:
        output.get_by_role("button", name="Save as JSON").click()
    assert saving.value.suggested_filename == "large.json"
    assert saving.value.path().stat().st_size == 20_000_007
    visitor.open("runs/large/tasks/large")
    expect(visitor.find("#output")).to_contain_text("first 64 KB of 10")


def test_a_graph_of_a_thousand_tasks_is_walked_by_keys(visitor: Visitor) -> None:
    """A fan-out is one node; arrows lead along edges and to the side, Enter to the task."""
    visitor.open("runs/graph/graph")
    nodes = visitor.find(".drawn a[data-task]")
    expect(nodes).to_have_count(TASKS)
    visitor.find('.drawn a[data-task="all"]').focus()
    focused = visitor.page.locator(":focus")
    visitor.page.keyboard.press("ArrowDown")
    expect(focused).to_have_attribute("data-after", "all")
    first = focused.get_attribute("data-task") or ""
    visitor.page.keyboard.press("ArrowDown")
    expect(focused).to_have_attribute("data-after", first)
    visitor.page.keyboard.press("ArrowUp")
    expect(focused).to_have_attribute("data-task", first)
    visitor.page.keyboard.press("ArrowUp")
    expect(focused).to_have_attribute("data-task", "all")
    visitor.page.keyboard.press("ArrowDown")
    middle = focused.get_attribute("data-task") or ""
    visitor.page.keyboard.press("ArrowRight")
    expect(focused).not_to_have_attribute("data-task", middle)
    visitor.page.keyboard.press("ArrowLeft")
    expect(focused).to_have_attribute("data-task", middle)


def test_a_timeline_of_a_run_in_progress_grows(browser: Browser, large: Served) -> None:
    """A task that still runs has its bar, and the time that it shows goes on."""
    with (
        visiting(browser, large) as visitor,
        halfway(large.folder, "talk.yaml", "grows") as finish,
    ):
        visitor.open("runs/grows/timeline")
        expect(visitor.find(".drawn .running")).not_to_have_count(0)
        drawn = visitor.find(".drawn svg")
        expect(drawn).not_to_have_text(drawn.text_content() or "")
        finish()
        expect(visitor.find(".drawn .running")).to_have_count(0)


def test_a_timeline_of_very_many_visits_is_folded(visitor: Visitor) -> None:
    """Ten thousand visits don't make ten thousand bars."""
    visitor.open("runs/visited/timeline")
    expect(visitor.find(".drawn svg")).to_be_visible()
    assert visitor.find(".drawn a").count() <= 300
