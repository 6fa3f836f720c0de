"""Whatever a run is doing when its process dies, it goes on from there and ends the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from crash_cases import CHILDREN, GRAPHS, ITEMS, STEPS
from crashing import Case, Life, Stage, When

from fanwise.model import RequestKind, Status
from fanwise.stores import open_store

CASES = {
    **{f"items: {name}": case for name, case in ITEMS.items()},
    **{f"graph: {name}": case for name, case in GRAPHS.items()},
    **{f"child: {name}": case for name, case in CHILDREN.items()},
}
SOME = [
    "items: list",
    "items: retries",
    "graph: everything",
    "graph: cancelled",
    "child: one at a time",
    "child: fan-out inside",
    "child: on a loop",
]
ON_POSTGRES = ["items: retries", "graph: cancelled", "child: one at a time"]
MOST_PROCESSES = 200


def end_undisturbed(stage: Stage) -> tuple[dict[str, object], int]:
    """What comes of the run if nothing happens to it, and how many commits that takes."""
    life = stage.new_life()
    run = life.start()
    assert run is not None
    assert life.replayed_status() is run.status
    return life.end(), life.commits


def require_end(life: Life, expected: dict[str, object]) -> None:
    """The run is over as it should be, and nothing that was recorded was done again."""
    assert life.end() == expected
    assert life.world.done_again == []
    assert life.replayed_status() is life.record().status
    assert list(life.store.limits()) == []


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", CASES)
def test_a_run_that_dies_at_any_commit_goes_on_and_ends_the_same(
    tmp_path: Path, name: str, when: When
) -> None:
    """Also if the commit is written, and the process dies before it knows."""
    stage = Stage(CASES[name], tmp_path)
    expected, commits = end_undisturbed(stage)
    for at in range(1, commits + 1):
        life = stage.new_life()
        life.start(at=at, when=when)
        life.go_on()
        require_end(life, expected)


@pytest.mark.parametrize(
    ("name", "kind"),
    [*((name, "file") for name in SOME), *((name, "postgres") for name in ON_POSTGRES)],
)
def test_a_run_in_another_store_dies_and_goes_on_as_well(
    tmp_path: Path, request: pytest.FixtureRequest, name: str, kind: str
) -> None:
    """The next process opens the store again. Some commits are enough, as one store tries all."""
    stage = Stage(CASES[name], tmp_path)
    expected, commits = end_undisturbed(stage)
    new_url = request.getfixturevalue("postgres_url") if kind == "postgres" else None
    for at in range(1, commits, 3):
        url = new_url() if new_url else str(tmp_path / f"{at}.db")
        with open_store(url) as store:
            life = stage.new_life(store)
            life.start(at=at, when="after")
        with open_store(url) as store:
            life.store = store
            life.go_on()
            require_end(life, expected)


@pytest.mark.parametrize("name", SOME)
def test_a_run_whose_resuming_dies_at_any_commit_goes_on_all_the_same(
    tmp_path: Path, name: str
) -> None:
    """Wherever the first process had died."""
    stage = Stage(CASES[name], tmp_path)
    expected, commits = end_undisturbed(stage)
    for first in range(1, commits, 4):
        for second in range(1, commits, 3):
            life = stage.new_life()
            life.start(at=first, when="after")
            life.go_on(at=second)
            life.go_on()
            require_end(life, expected)


@pytest.mark.parametrize("name", CASES)
def test_a_run_whose_processes_all_die_soon_comes_to_its_end(tmp_path: Path, name: str) -> None:
    """As long as each of them records a little more than that the run goes on."""
    stage = Stage(CASES[name], tmp_path)
    expected, commits = end_undisturbed(stage)
    for each in (3, commits // 2):
        life = stage.new_life()
        life.start(at=each, when="after")
        for _ in range(MOST_PROCESSES):
            life.go_on(at=each, when="after")
        require_end(life, expected)


@pytest.mark.parametrize("name", SOME)
def test_a_run_that_is_paused_at_any_call_goes_on_and_ends_the_same(
    tmp_path: Path, name: str
) -> None:
    """What is in flight finishes, and no action is called once more."""
    case = CASES[name]
    stage = Stage(case, tmp_path)
    expected, _ = end_undisturbed(stage)
    calls = stage.life.world.calls
    for key in set(calls) - set(case.asks):
        pausing = Stage(
            Case(case.text, case.children, case.files, {**case.asks, key: RequestKind.PAUSE}),
            tmp_path,
        )
        life = pausing.new_life()
        life.start()
        life.go_on()
        require_end(life, expected)


def test_an_interrupted_run_that_is_cancelled_calls_no_action_but_its_clean_up(
    tmp_path: Path,
) -> None:
    """What was in flight when its process died is not begun once more, only to be cut off."""
    stage = Stage(GRAPHS["cancelled"], tmp_path)
    for at in range(2, 5):
        life = stage.new_life()
        life.start(at=at)
        before = life.world.calls.copy()
        run = life.resume(cancel=True)
        assert run is not None
        assert run.status is Status.CANCELLED
        assert set(life.world.calls - before) == {"clean/1"}
        assert life.replayed_status() is Status.CANCELLED


def test_a_run_that_timed_out_says_how_long_it_may_take_also_after_a_crash(tmp_path: Path) -> None:
    """Not how long was left of that when it went on."""
    stage = Stage(GRAPHS["out of time"], tmp_path)
    life = stage.new_life()
    life.start(at=3)
    life.pass_time(40)
    life.store.beat(life.store.lease(1).engine_no)
    run = life.resume()
    assert run is not None
    assert run.error is not None
    assert run.error.message == "the run took longer than its timeout of 60 s"


def test_a_steps_row_says_what_it_gave_also_if_it_publishes(tmp_path: Path) -> None:
    """And how many attempts it took."""
    stage = Stage(
        Case(
            "tasks: [{name: call, action: ./child.yaml, input: {n: 3}}]",
            {"child.yaml": STEPS.replace("{name: a,", "{name: a, publish: {x: 1},")},
        ),
        tmp_path,
    )
    life = stage.new_life()
    life.start()
    step = next(row for row in life.rows() if row.path == "call.a")
    assert (step.output, step.attempts) == (b"3", 1)
