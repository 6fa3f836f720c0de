"""Each visit ends, whatever its workers do, and in whatever order the engine hears of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanwise.model import Status
from fanwise.plan import Plan
from fanwise.testing import executor_pack
from fanwise.wiring import Settings, load_plan
from tests.executors.simulated import SLOW_S, Chances, World

PACK = Path(executor_pack.__file__).parent / "actions.py"


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Plan]:
    """The plan of fan-outs side by side, each over so many items."""
    folder = tmp_path_factory.mktemp("simulated")
    (folder / "packs" / "contract").mkdir(parents=True)
    shutil.copy(PACK, folder / "packs" / "contract")

    def plan(ways: Sequence[str], items: int, concurrency: int) -> Plan:
        file = folder / "flow.yaml"
        keys = f"with-items: {{range: {items}}}, concurrency: {concurrency}, tolerate: 100%"
        tasks = "".join(
            f"\n  - {{name: fan{number}, action: contract.give_{way}, needs: [], {keys}}}"
            for number, way in enumerate(ways)
        )
        file.write_text(f"tasks:{tasks}")
        return load_plan(file, Settings(store="", environment={}))

    return plan


@pytest.mark.parametrize("way", ["async", "def"])
def test_a_refusal_is_heard_whoever_has_the_worker_then(
    plan: Callable[..., Plan], way: str
) -> None:
    """A `def` gives its worker back while its items are read, and takes it again."""
    world = World(Chances(refuses=1.0))
    error = world.run(plan([way], 9, 2)).tasks["fan0"].error
    assert error is not None
    assert error.type == "WorkerRefused"
    assert world.items() == []


@pytest.mark.parametrize("ways", [["async"], ["def"], ["def", "def", "async"]])
def test_a_worker_that_the_system_does_not_start_fails_those_who_need_it(
    plan: Callable[..., Plan], ways: list[str]
) -> None:
    """In one line, and nobody waits for it."""
    run = World(Chances(unstarted=1.0)).run(plan(ways, 9, 2))
    for task in run.tasks.values():
        assert task.error is not None
        assert task.error.type == "WorkerRefused"
        assert task.error.message == (
            "a worker process can't be started: Resource temporarily unavailable. "
            "Set FANWISE_PROCESSES to less, or raise the limits of this process: ulimit."
        )


@pytest.mark.parametrize("way", ["async", "def"])
@pytest.mark.parametrize("slow", [0, 57])
def test_attempts_that_wait_behind_a_slow_one_go_elsewhere(
    plan: Callable[..., Plan], way: str, slow: int
) -> None:
    """A chunk is sized by what was quick, and only its first attempt is slow."""
    world = World(Chances(item_s=0.002, slow=frozenset({slow})))
    began_s = world.loop.time()
    assert world.run(plan([way], 400, 2)).status is Status.SUCCEEDED
    assert len(world.items()) == 400
    assert world.last_began_s - began_s < SLOW_S / 10


spans = st.sampled_from([0.0, 0.001, 0.02, 0.2])


@settings(max_examples=100)
@given(
    st.builds(
        Chances,
        seed=st.integers(0, 2**32),
        workers=st.integers(1, 4),
        latency_s=spans,
        import_s=spans,
        item_s=spans,
        refuses=st.sampled_from([0.0, 0.0, 0.0, 0.3]),
        unstarted=st.sampled_from([0.0, 0.0, 0.3, 0.8]),
        deaths=st.integers(0, 3),
        killers=st.sampled_from([frozenset(), frozenset({3}), frozenset({0, 1, 7})]),
        knows=st.booleans(),
        worn_after=st.sampled_from([5, 1_000_000]),
        stops_after_s=st.sampled_from([None, None, 0.05, 0.5]),
    ),
    st.lists(st.sampled_from(["async", "def"]), min_size=1, max_size=3),
    st.integers(1, 40),
    st.integers(1, 7),
)
def test_a_visit_ends_with_one_outcome_for_each_item(
    plan: Callable[..., Plan], chances: Chances, ways: list[str], items: int, concurrency: int
) -> None:
    """And never has more attempts run than its concurrency says."""
    world = World(chances)
    run = world.run(plan(ways, items, concurrency))
    assert not any(world.running.values())
    assert world.most_running <= concurrency
    if run.status is Status.PAUSED:
        assert chances.stops_after_s is not None
        return
    for number, task in enumerate(run.tasks.values()):
        recorded = world.items(number + 1)
        outcomes = {item.index: item.status for item in recorded}
        assert len(outcomes) == len(recorded)
        if task.error is not None:
            assert task.error.type in {"WorkerRefused", "WorkerDied"}
        elif task.status is Status.SUCCEEDED:
            failed = {index for index, status in outcomes.items() if status is Status.FAILED}
            assert {*outcomes} == {*range(items)}
            assert failed >= {*chances.killers} & {*range(items)}
