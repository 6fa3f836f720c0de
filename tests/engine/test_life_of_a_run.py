"""Whatever happens to a run in whatever order, it keeps what it has, and can be brought to its end.

A machine draws a workflow and then what happens to its run: processes that die, pauses,
cancellations, retries of every kind, a world that is mended. What should come of it is known from a
run of the same workflow in a mended world to which nothing happens.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from crashing import Case, Life, Stage
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from fanwise.errors import NothingToRetryError, TaskNotFoundError, UsageError
from fanwise.model import RequestKind, Status
from fanwise.stores import Store

CHILDREN = {
    "steps.yaml": """
concurrency: {limit: 1, children: true}
parameters: {given: {}, breaks: {default: false}}
tasks:
  - {name: a, action: test.do, input: {value: "{{ parameters.given }}"}}
  - {name: b, action: test.do, input: {value: 1, takes: 1, breaks: "{{ parameters.breaks }}"}}
  - {name: c, action: test.do, input: {value: ["{{ task.a.output }}", "{{ task.b.output }}"]}}
output: "{{ task.c.output }}"
""",
    "fan.yaml": """
parameters: {given: {}, breaks: {default: false}}
tasks:
  - {name: all, action: test.do, with-items: [1, 2], publish: {n: "{{ result() | length }}"},
     input: {value: "{{ item }}"}}
  - {name: some, action: ./steps.yaml, with-items: [3, 4],
     input: {given: "{{ item }}", breaks: "{{ parameters.breaks and item == 4 }}"}}
  - {name: sum, action: test.do, input: {value: ["{{ vars.n }}", "{{ task.some.output }}"]}}
finally: [{name: clean, action: test.do}]
output: ["{{ parameters.given }}", "{{ task.sum.output }}"]
""",
    "loop.yaml": """
parameters: {given: {}, breaks: {default: false}}
vars: {way: []}
tasks:
  - name: poll
    action: test.do
    input: {value: "{{ (task.poll.output or 0) + 1 }}",
            breaks: "{{ parameters.breaks and task.poll.output == 1 }}"}
    publish: {way: "{{ vars.way + [result()] }}"}
    next: [{when: "{{ result() < 3 }}", do: poll}, {when: "{{ result() == 3 }}", do: end}]
  - {name: end, action: test.do, input: {value: ["{{ parameters.given }}", "{{ vars.way }}"]}}
output: "{{ task.end.output }}"
""",
}
ADDED = '  - {name: added, action: test.do, needs: [], input: {value: "added"}}\n'
FOLDER = Path(tempfile.mkdtemp(prefix="fanwise-life-"))


@st.composite
def workflows(draw: st.DrawFn) -> str:
    """One to four tasks that wait for each other; some break until the world is mended."""
    lines = ["tasks:"]
    names = [f"t{number}" for number in range(draw(st.integers(1, 4)))]
    for number, name in enumerate(names):
        before = names[:number]
        needs = draw(st.lists(st.sampled_from(before), unique=True)) if before else []
        action = draw(st.sampled_from(["test.do", "test.do", *(f"./{each}" for each in CHILDREN)]))
        has_items, breaks = draw(st.booleans()), draw(st.booleans())
        seen = [f'"{name}"', *[f'"{{{{ task.{each}.output }}}}"' for each in needs]]
        seen += ['"{{ item }}"'] if has_items else []
        keys = [f"name: {name}", f"action: {action}", f"needs: [{', '.join(needs)}]"]
        keys += draw(st.lists(st.sampled_from(_keys(has_items)), unique=True, max_size=2))
        if has_items:
            keys += ["with-items: [1, 2, 3]", f"concurrency: {draw(st.integers(1, 2))}"]
        broken = "{{ item == 2 }}" if has_items else "{{ true }}"
        given = "value" if action == "test.do" else "given"
        takes = [f"takes: {draw(st.integers(0, 2))}"] if action == "test.do" else []
        inputs = [f"{given}: [{', '.join(seen)}]", *takes]
        inputs += [f'breaks: "{broken}"'] if breaks else []
        lines.append(f"  - {{{', '.join(keys)}, input: {{{', '.join(inputs)}}}}}")
    if draw(st.booleans()):
        lines += ["finally:", "  - {name: clean, action: test.do}"]
    outputs = [f'{name}: "{{{{ task.{name}.output }}}}"' for name in names]
    return "\n".join([f"output: {{{', '.join(outputs)}}}", *lines, ""])


def _keys(has_items: bool) -> list[str]:
    keys = [
        "on-error: continue",
        "delay: 5s",
        "retry: {count: 1, delay: 1s}",
        'when: "{{ 1 < 2 }}"',
    ]
    return [*keys, "tolerate: 1", 'label: "no {{ item }}"'] if has_items else keys


_deaths = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"at": st.integers(1, 15), "when": st.sampled_from(["before", "after"])}),
)


class LifeOfARun(RuleBasedStateMachine):
    """One run, from its start to its end."""

    @initialize(text=workflows(), death=_deaths)
    def begin(self, text: str, death: dict[str, Any]) -> None:
        self.stage = Stage(Case(text, CHILDREN), FOLDER)
        mended = self.new_life()
        mended.world.is_mended = True
        mended.start()
        assert mended.record().status is Status.SUCCEEDED
        self.output = mended.record().output
        self.life: Life = self.new_life()
        self.kept: dict[str, Any] = {}
        self.life.start(**death)

    def new_life(self) -> Life:
        return self.stage.new_life()

    @property
    def is_over(self) -> bool:
        return self.life.record().status.is_final

    @precondition(lambda self: not self.is_over)
    @rule(death=_deaths)
    def resume(self, death: dict[str, Any]) -> None:
        self.life.resume(**death)

    @precondition(lambda self: not self.is_over)
    @rule(request=st.sampled_from(RequestKind), calls=st.integers(1, 8), death=_deaths)
    def resume_and_ask(self, request: RequestKind, calls: int, death: dict[str, Any]) -> None:
        self.life.asks_in = calls, request
        self.life.resume(**death)
        self.life.asks_in = None

    @precondition(lambda self: not self.is_over)
    @rule(death=_deaths)
    def cancel(self, death: dict[str, Any]) -> None:
        self.life.resume(cancel=True, **death)
        assert death or self.is_over

    @rule()
    def mend(self) -> None:
        self.life.world.is_mended = True

    @precondition(lambda self: self.is_over)
    @rule(death=_deaths)
    def retry(self, death: dict[str, Any]) -> None:
        self._retry(**death)

    @precondition(lambda self: self.is_over)
    @rule(at=st.integers(0, 3), death=_deaths)
    def retry_from(self, at: int, death: dict[str, Any]) -> None:
        names = sorted({row.path for row in self.life.rows() if "." not in row.path})
        self._retry(from_task=names[at % len(names)], **death)

    @precondition(lambda self: self.is_over)
    @rule(death=_deaths)
    def retry_repaired(self, death: dict[str, Any]) -> None:
        text = self.life.record().definition
        if ADDED not in text:
            text = text.replace("tasks:\n", f"tasks:\n{ADDED}")
        self._retry(repaired=self.stage.load(text), **death)

    def _retry(self, **how: Any) -> None:
        try:
            self.life.retry(**how)
        except (NothingToRetryError, TaskNotFoundError, UsageError) as refusal:
            of_task = "has not run a task", "is a task of finally"
            is_named = "from_task" in how and any(each in refusal.message for each in of_task)
            assert is_named or self.life.record().status is Status.SUCCEEDED

    @invariant()
    def what_is_recorded_stays_and_is_never_done_again(self) -> None:
        """However often it is resumed, paused, cancelled or made again."""
        assert self.life.world.done_again == []
        assert self.life.world.strangers == []
        found = self.life.successes()
        assert {key: found.get(key) for key in self.kept} == self.kept
        self.kept = found

    @invariant()
    def children_take_their_turns(self) -> None:
        """Of those that share a slot no two have been at work at the same time."""
        rows = [row for row in self.life.rows() if row.path.endswith((".a", ".b", ".c"))]
        steps = sorted(
            (row.started_at, row.ended_at, row.path.rpartition(".")[0])
            for row in rows
            if row.status is Status.SUCCEEDED
        )
        for (_, ended_at, child), (started_at, _, other) in pairwise(steps):
            assert child == other or ended_at <= started_at + 1e-6

    @invariant()
    def its_events_tell_where_it_stands(self) -> None:
        """Replayed, they come to the recorded status."""
        status = self.life.record().status
        if status.is_final or status is Status.PAUSED:
            assert self.life.replayed_status() is status

    def teardown(self) -> None:
        """In a mended world the run can be brought to the end that an undisturbed one has."""
        if not hasattr(self, "life"):
            return
        self.life.world.is_mended = True
        self.life.go_on()
        assert self.is_over
        self._retry()
        self.what_is_recorded_stays_and_is_never_done_again()
        self.its_events_tell_where_it_stands()
        assert self.life.record().status is Status.SUCCEEDED
        assert self.life.record().output == self.output
        self.children_take_their_turns()
        assert list(self.life.store.limits()) == []


TestLifeOfARun = LifeOfARun.TestCase
TestLifeOfARun.settings = settings(max_examples=50, stateful_step_count=8, deadline=None)


def test_a_run_on_postgres_keeps_what_it_has(postgres_store: Callable[..., Store]) -> None:
    """The same machine, with the store on a server."""

    class LifeOnPostgres(LifeOfARun):
        def __init__(self) -> None:
            super().__init__()
            self.stores: list[Store] = []

        def new_life(self) -> Life:
            self.stores.append(postgres_store(lambda: self.stage.life.store_now()))
            return self.stage.new_life(self.stores[-1])

        def teardown(self) -> None:
            try:
                super().teardown()
            finally:
                for each in self.stores:
                    each.close()

    on_postgres = settings(max_examples=4, stateful_step_count=6, deadline=None)
    run_state_machine_as_test(LifeOnPostgres, settings=on_postgres)
