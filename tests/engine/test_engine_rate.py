"""`rate`: the starts of a task's attempts are evenly spaced, whatever else goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fanwise
from fanwise.engine.limits import RateLimiter
from fanwise.errors import ActionError
from fanwise.model import Status
from fanwise.testing.clock import ManualClock

PACED = """
tasks:
  - {{name: each, action: test.work, with-items: {items}, rate: {rate}, concurrency: {concurrency},
      retry: {{count: 5, delay: 1s, jitter: false}}, tolerate: 100%,
      input: {{value: "{{{{ item }}}}"}}}}
"""


def worker(
    loom: Any, starts: list[float], durations: Sequence[float] = (), fails: Sequence[int] = ()
) -> Callable[..., Any]:
    """An action that notes when it starts, takes so long, and fails so often, item by item."""
    left = dict(enumerate(fails))

    @fanwise.action("test.work")
    async def work(value: int) -> int:
        starts.append(loom.clock.monotonic())
        if value < len(durations):
            done = asyncio.get_running_loop().create_future()
            loom.clock.call_later(durations[value], lambda: done.set_result(None))
            await done
        if left.get(value, 0) > 0:
            left[value] -= 1
            raise ActionError("again")
        return value

    return work


def assert_spaced(starts: Sequence[float], interval_s: float, catch_up_s: float) -> None:
    """Of n + 1 starts in a row the last comes n intervals after the first, less the catch-up."""
    for first, at in enumerate(starts):
        for n, later in enumerate(starts[first:]):
            assert later - at >= n * interval_s - catch_up_s - 1e-9


def test_attempts_start_one_interval_apart(loom) -> None:
    """A rate of 4/s is a start each quarter of a second, however many slots are free."""
    starts: list[float] = []
    run = loom.run(
        PACED.format(items="{range: 9}", rate="4/s", concurrency=50), worker(loom, starts)
    )
    assert run.status is Status.SUCCEEDED
    assert starts == pytest.approx([n / 4 for n in range(9)])


def test_a_retry_takes_its_turn_as_any_other_attempt(loom) -> None:
    """Retries are spaced with the first attempts, and go before items that haven't been tried."""
    starts: list[float] = []
    run = loom.run(
        PACED.format(items="{range: 5}", rate="2/s", concurrency=5),
        worker(loom, starts, fails=[2, 1, 0, 1]),
    )
    assert run.tasks["each"].attempts == 9
    assert starts == pytest.approx([n / 2 for n in range(9)])


def test_an_item_that_waits_for_its_turn_holds_no_slot_of_the_process(loom) -> None:
    """A task that is paced leaves the slots that it doesn't use to the tasks beside it."""
    loom.limits = fanwise.Limits(running=1)
    ended: list[str] = []

    @fanwise.action("test.note")
    async def note(value: str) -> None:
        ended.append(value)

    run = loom.run(
        """
        tasks:
          - {name: slow, needs: [], action: test.note, with-items: [s0, s1], rate: 1/h,
             input: {value: "{{ item }}"}}
          - {name: fast, needs: [], action: test.note, with-items: [f0, f1, f2],
             input: {value: "{{ item }}"}}
        """,
        note,
    )
    assert run.status is Status.SUCCEEDED
    assert ended[-1] == "s1"
    assert sorted(ended) == ["f0", "f1", "f2", "s0", "s1"]


def test_a_template_may_give_the_rate(loom) -> None:
    starts: list[float] = []
    text = "parameters: {rate: {type: string}}\n" + PACED.format(
        items="[0, 1, 2]", rate='"{{ parameters.rate }}"', concurrency=3
    )
    loom.run(text, worker(loom, starts), parameters={"rate": "30/m"})
    assert starts == pytest.approx([0, 2, 4])


def test_a_pause_ends_the_wait_for_a_turn(loom) -> None:
    """What has no turn yet isn't started, and nobody waits for its time."""
    starts: list[float] = []

    @fanwise.action("test.work")
    async def work(value: int) -> int:
        starts.append(loom.clock.monotonic())
        loom.engine.pause()
        return value

    loom.clock = ManualClock()
    run = loom.run(PACED.format(items="{range: 3}", rate="1/h", concurrency=3), work)
    assert run.status is Status.PAUSED
    assert starts == [0]


def test_items_that_cannot_be_read_take_no_turn(loom) -> None:
    """They fail at once: they are no attempts."""
    (loom.folder / "items.jsonl").write_text("0\n{\n{\n1\n")
    starts: list[float] = []
    run = loom.run(
        PACED.format(items="{jsonl: items.jsonl}", rate="1/s", concurrency=1), worker(loom, starts)
    )
    assert run.tasks["each"].items.failed == 2
    assert starts == pytest.approx([0, 1])


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    durations=st.lists(st.floats(0, 3), min_size=1, max_size=12),
    fails=st.lists(st.integers(0, 2), max_size=6),
    concurrency=st.integers(1, 4),
    rate=st.sampled_from([(1, "1/s"), (3, "3/s"), (0.5, "30/m"), (400, "400/s")]),
)
def test_starts_are_spaced_whatever_attempts_take_and_how_often_they_fail(
    loom, durations, fails, concurrency, rate
) -> None:
    """Slots, retries and durations never bring starts closer together than the rate allows."""
    starts: list[float] = []
    per_s, text = rate
    run = loom.run(
        PACED.format(items=f"{{range: {len(durations)}}}", rate=text, concurrency=concurrency),
        worker(loom, starts, durations, fails),
    )
    assert run.tasks["each"].items.succeeded == len(durations)
    assert len(starts) == len(durations) + sum(fails[: len(durations)])
    assert_spaced(starts, 1 / per_s, max(1 / per_s, 0.010))


@settings(deadline=None)
@given(
    per_s=st.floats(0.01, 100_000),
    waits_s=st.lists(
        st.one_of(st.floats(0, 1e-4), st.floats(0, 0.05), st.floats(0, 200)), max_size=60
    ),
)
def test_a_pace_lets_nothing_burst_whenever_it_is_asked(per_s, waits_s) -> None:
    """Nothing is saved up while nobody starts: after any pause the starts are spaced again."""
    clock = ManualClock()
    pace = RateLimiter(clock, per_s)
    starts: list[float] = []
    for wait_s in waits_s:
        clock.advance(wait_s)
        if pace.may_start():
            starts.append(clock.monotonic())
    assert_spaced(starts, 1 / per_s, max(1 / per_s, 0.010))


def test_a_late_start_is_caught_up_so_that_coarse_timers_keep_the_rate() -> None:
    """A loop that comes round every 5 ms still starts 1,000 attempts a second."""
    clock = ManualClock()
    pace = RateLimiter(clock, 1_000)
    started = 0
    for _ in range(200):
        while pace.may_start():
            started += 1
        clock.advance(0.005)
    assert started == pytest.approx(1_000, abs=10)


def test_after_a_long_wait_nothing_is_caught_up() -> None:
    """A source that gives nothing for a minute isn't followed by sixty starts at once."""
    clock = ManualClock()
    pace = RateLimiter(clock, 1)
    assert pace.may_start()
    clock.advance(60)
    assert pace.may_start()
    assert not pace.may_start()


def test_one_that_leaves_the_line_holds_up_nobody() -> None:
    """The turn of a worker that was cancelled goes to the next in line."""

    async def main() -> None:
        clock = ManualClock()
        pace = RateLimiter(clock, 1)
        assert pace.may_start()
        left, stays = asyncio.create_task(pace.turn()), asyncio.create_task(pace.turn())
        await asyncio.sleep(0)
        left.cancel()
        await asyncio.wait([left])
        clock.advance(1)
        await stays

    asyncio.run(main())


def test_a_start_lets_one_look_again_and_not_all() -> None:
    """Of a hundred that wait in line, one is let in for each start: the others aren't woken."""
    looks = 0

    async def wait_for_turns(pace: RateLimiter) -> None:
        nonlocal looks
        while not pace.may_start():
            await pace.turn()
            looks += 1

    async def main() -> None:
        clock = ManualClock()
        pace = RateLimiter(clock, 1)
        waiting = [asyncio.create_task(wait_for_turns(pace)) for _ in range(101)]
        for _ in range(101):
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            clock.advance(1)
        await asyncio.gather(*waiting)

    asyncio.run(main())
    assert looks == 100
