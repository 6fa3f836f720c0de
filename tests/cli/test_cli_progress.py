"""What is shown of a run while it runs."""

from io import StringIO

import pytest
from rich.console import Console

from fanwise.cli.live.bars import BarDisplay
from fanwise.cli.live.progress import LineDisplay, TaskMeter
from fanwise.model import ErrorInfo, Status


class Counters:
    """Counters of a task, as the engine keeps them."""

    def __init__(self, name: str, total: int | None, *, has_items: bool = True) -> None:
        self.name = name
        self.visit = 1
        self.has_items = has_items
        self.total = total
        self.succeeded = self.failed = self.running = self.waiting = self.restored = 0
        self.bad_records: int | None = None
        self.is_stopping = self.is_failing = False


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def hand() -> Hand:
    return Hand()


def test_a_line_tells_counts_rate_and_time_left(hand: Hand, capsys: pytest.CaptureFixture[str]):
    """Done of all, failed, running, waiting to retry, per second, and how long still."""
    watch, counters = LineDisplay(hand), Counters("check", 1_000)
    watch.task_started(counters)
    counters.succeeded, counters.failed, counters.running, counters.waiting = 388, 12, 50, 3
    hand.at += 2
    watch.refresh()
    assert capsys.readouterr() == (
        "",
        "check  400/1,000 done, 12 failed, 50 running, 3 to retry, 200/s, 3 s left\n",
    )


def test_a_streams_total_is_so_far_until_it_is_known(
    hand: Hand, capsys: pytest.CaptureFixture[str]
):
    """And there is no time left to tell."""
    watch, counters = LineDisplay(hand), Counters("check", None)
    watch.task_started(counters)
    counters.succeeded, counters.running = 40, 10
    hand.at += 4
    watch.refresh()
    assert capsys.readouterr().err == "check  40/50 so far done, 10 running, 10/s\n"


def test_records_that_are_left_out_are_told(hand: Hand, capsys: pytest.CaptureFixture[str]):
    """None that could be are none to tell."""
    watch, counters = LineDisplay(hand), Counters("check", None)
    watch.task_started(counters)
    for counters.bad_records in (0, 1_200):
        hand.at += 4
        watch.refresh()
    first, second = capsys.readouterr().err.splitlines()
    assert "bad" not in first
    assert "1,200 bad records" in second


def test_the_rate_is_that_of_the_last_seconds(hand: Hand):
    """A slow start is forgotten, and what is kept for it doesn't grow."""
    counters = Counters("check", 10_000)
    meter = TaskMeter(counters, hand())
    for step in range(400):
        hand.at += 0.5
        counters.succeeded += 0 if step < 300 else 50
        meter.sample(hand())
    assert meter.rate() == pytest.approx(100)
    assert len(meter._samples) < 30


def test_what_was_recorded_before_a_run_went_on_says_nothing_of_its_rate(
    hand: Hand, capsys: pytest.CaptureFixture[str]
):
    """It counts as done from the first moment on."""
    watch, counters = LineDisplay(hand), Counters("check", 1_000)
    watch.task_started(counters)
    counters.restored, counters.succeeded = 500, 520
    hand.at += 2
    watch.refresh()
    assert capsys.readouterr().err == "check  520/1,000 done, 10/s, 48 s left\n"


def test_a_task_without_items_tells_how_long_it_runs(
    hand: Hand, capsys: pytest.CaptureFixture[str]
):
    """It has no counts worth telling."""
    watch, counters = LineDisplay(hand), Counters("deploy", 1, has_items=False)
    watch.task_started(counters)
    counters.running = 1
    hand.at += 70
    watch.refresh()
    assert capsys.readouterr().err == "deploy  running, 1 min 10 s\n"


def test_ended_tasks_are_told_once_and_then_forgotten(
    hand: Hand, capsys: pytest.CaptureFixture[str]
):
    """Also those that never started; errors lose their control characters."""
    watch, counters = LineDisplay(hand), Counters("check", 3)
    watch.task_started(counters)
    counters.succeeded, counters.failed = 2, 1
    hand.at += 1.5
    watch.task_ended("check", Status.FAILED, ErrorInfo("ItemsFailed", "one \x1b[31mfailed\nhere"))
    watch.task_ended("later", Status.BLOCKED, None)
    watch.refresh()
    assert capsys.readouterr().err == (
        "check  failed  3/3 done, 1 failed  in 1.50 s  ItemsFailed: one failed here\n"
        "later  blocked\n"
    )


def test_bars_fit_a_terminal_and_are_few(hand: Hand):
    """Of many running tasks eight have a bar, and none of their counts is cut off."""
    watch = BarDisplay(hand)
    for number in range(3_000):
        counters = Counters(f"task_{number}", 1_000)
        watch.task_started(counters)
        counters.succeeded, counters.failed, counters.running = 388, 12, 50
    drawn = StringIO()
    Console(file=drawn, width=80).print(watch._bars(hand(), 80))
    lines = drawn.getvalue().splitlines()
    assert len(lines) == 9
    assert all(
        "━" in line and "400/1,000 done, 12 failed, 50 running" in line for line in lines[:8]
    )
    assert lines[8] == "and 2,992 more tasks running"


@pytest.mark.parametrize("width", [40, 60])
def test_bars_of_a_narrow_terminal_keep_what_tells_tasks_apart(hand: Hand, width: int):
    """Both ends of a long name and the first counts stay; the rest goes, and no line is longer."""
    watch = BarDisplay(hand)
    for number in range(2):
        counters = Counters(f"check_all_the_machines_of_region_{number}", 1_000)
        watch.task_started(counters)
        counters.succeeded, counters.failed, counters.running = 388, 12, 50
    hand.at += 2
    drawn = StringIO()
    Console(file=drawn, width=width).print(watch._bars(hand(), width))
    for number, line in enumerate(drawn.getvalue().splitlines()):
        assert line.startswith("check_al")
        assert f"region_{number} " in line
        assert "400/1,000 done" in line
        assert len(line) <= width


def test_the_cursor_stands_below_the_bars(
    hand: Hand, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """In a line of its own, so that what a terminal shows of Ctrl-C breaks no bar."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    watch = BarDisplay(hand)
    with watch.opened():
        watch.task_started(Counters("check", 1_000))
        watch.refresh()
        assert "check" in (shown := capsys.readouterr().err)
        assert shown.endswith("\n")
        watch.close()
        closing = capsys.readouterr().err
        assert closing.count("\x1b[2K") >= 2  # the bar, and the line below it
        watch.say("Stopped.")
    assert "check" not in capsys.readouterr().err


def test_a_task_that_is_being_stopped_tells_neither_rate_nor_time_left(
    hand: Hand, capsys: pytest.CaptureFixture[str]
):
    """Since nothing new starts."""
    watch, counters = LineDisplay(hand), Counters("check", 1_000)
    watch.task_started(counters)
    counters.succeeded, counters.running, counters.is_stopping = 400, 50, True
    hand.at += 2
    watch.refresh()
    assert capsys.readouterr().err == "check  400/1,000 done, 50 running\n"


@pytest.mark.parametrize("is_failing", [False, True])
def test_counts_turn_red_with_more_failures_than_are_tolerated(hand: Hand, is_failing: bool):
    """Not before."""
    watch, counters = BarDisplay(hand), Counters("check", 10)
    watch.task_started(counters)
    counters.failed, counters.is_failing = 3, is_failing
    drawn = StringIO()
    Console(file=drawn, width=80, color_system="standard", force_terminal=True).print(
        watch._bars(hand(), 80)
    )
    assert ("\x1b[31m3/10 done, 3 failed" in drawn.getvalue()) is is_failing


def test_a_resume_says_nothing_before_it_may_be_refused(
    hand: Hand, capsys: pytest.CaptureFixture[str]
):
    """Its lines come with the first task that starts, in their order."""
    watch = LineDisplay(hand)
    watch.run_resumed("r1", "flow", ["check"])
    watch.notice("the code has changed")
    watch.refresh()
    assert capsys.readouterr().err == ""
    watch.task_started(Counters("check", 1))
    watch.notice("another")
    assert capsys.readouterr().err == (
        "Run r1 of flow is resumed.\nNotice: the code has changed\nNotice: another\n"
    )


def test_lines_are_few_however_many_tasks_run(hand: Hand, capsys: pytest.CaptureFixture[str]):
    """A log doesn't get a thousand lines every few seconds."""
    watch = LineDisplay(hand)
    for number in range(1_000):
        watch.task_started(Counters(f"task_{number}", 1))
    watch.refresh()
    assert capsys.readouterr().err.splitlines()[7:] == [
        "task_7  0/1 done",
        "and 992 more tasks running",
    ]
