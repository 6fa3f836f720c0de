"""Order and data: one small workflow for each rule, run to its end."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

import fanwise
from fanwise.model import ErrorInfo, Limits, Status

MARKS = {
    "+": Status.SUCCEEDED,
    "-": Status.FAILED,
    "s": Status.SKIPPED,
    "b": Status.BLOCKED,
    "c": Status.CANCELLED,
}


@fanwise.action("do.echo")
async def echo(value: object = None) -> object:
    """Give back the value."""
    return value


@fanwise.action("do.fail")
async def fail() -> None:
    """Fail."""
    raise fanwise.ActionError("broken", type="Broken")


@dataclass
class Rule:
    """A workflow, and how its tasks and the run end.

    The last letter of each of `tasks` stands for its status, as in `MARKS`. `error` is the type of
    the run's error.
    """

    text: str
    tasks: str
    ends: str = "+"
    output: Any = None
    error: str = ""


RULES = {
    "without needs and next each task needs the one before it": Rule(
        """
        tasks:
          - {name: a, action: do.echo}
          - {name: b, action: do.fail}
          - {name: c, action: do.echo}
        """,
        "a+ b- cb",
        "-",
        error="TaskFailed",
    ),
    "needs waits for all that it names": Rule(
        """
        tasks:
          - {name: a, action: do.echo, input: {value: 1}}
          - {name: b, action: do.echo, needs: [], input: {value: 2}}
          - name: c
            action: do.echo
            needs: [a, b]
            input: {value: "{{ task.a.output + task.b.output }}"}
        output: "{{ task.c.output }}"
        """,
        "a+ b+ c+",
        output=3,
    ),
    "an unhandled failure blocks what depends on it and nothing else": Rule(
        """
        tasks:
          - {name: a, action: do.fail}
          - {name: b, action: do.echo, needs: [a]}
          - {name: c, action: do.echo, needs: [b]}
          - {name: d, action: do.echo, needs: []}
          - {name: e, action: do.echo, needs: [d]}
        """,
        "a- bb cb d+ e+",
        "-",
        error="TaskFailed",
    ),
    "every transition that holds is taken": Rule(
        """
        tasks:
          - name: a
            action: do.echo
            input: {value: 3}
            next:
              - {when: "{{ result() > 1 }}", do: b}
              - {when: "{{ result() > 2 }}", do: [c, d]}
              - {when: "{{ result() > 3 }}", do: e}
              - {do: f}
          - {name: b, action: do.echo}
          - {name: c, action: do.echo}
          - {name: d, action: do.echo}
          - {name: e, action: do.echo}
          - {name: f, action: do.echo}
        """,
        "a+ b+ c+ d+ es f+",
    ),
    "a failure from which a transition was taken is handled": Rule(
        """
        tasks:
          - {name: a, action: do.fail, next: [{when: "{{ failed() }}", do: repair}, {do: b}]}
          - name: repair
            action: do.echo
            input: {value: "{{ task.a.error.type }}"}
          - {name: b, action: do.echo}
          - {name: c, action: do.echo, needs: [a]}
        output: "{{ task.repair.output }}"
        """,
        "a- repair+ bs cs",
        output="Broken",
    ),
    "a transition without when isn't taken from a failure": Rule(
        """
        tasks:
          - {name: a, action: do.fail, next: b}
          - {name: b, action: do.echo}
        """,
        "a- bb",
        "-",
        error="TaskFailed",
    ),
    "a task that nothing reached takes none of its transitions": Rule(
        """
        tasks:
          - {name: a, action: do.echo, next: [{when: false, do: b}]}
          - {name: b, action: do.echo, next: [{when: true, do: c}, {do: d}]}
          - {name: c, action: do.echo}
          - {name: d, action: do.echo}
        """,
        "a+ bs cs ds",
    ),
    "a skipped task passes control on": Rule(
        """
        vars: {v: 0}
        tasks:
          - name: a
            action: do.fail
            when: "{{ vars.v > 0 }}"
            publish: {v: 1}
            next: [{do: b}, {when: "{{ skipped() }}", do: c}, {when: "{{ succeeded() }}", do: d}]
          - {name: b, action: do.echo}
          - {name: c, action: do.echo}
          - {name: d, action: do.echo}
        output: "{{ vars.v }}"
        """,
        "as b+ c+ ds",
        output=0,
    ),
    "without join a task starts once, when no way to it can still be taken": Rule(
        """
        tasks:
          - {name: a, action: do.echo, next: last}
          - {name: b, action: do.echo, needs: [], next: [{when: false, do: last}]}
          - {name: c, action: do.echo, needs: [], next: slow}
          - {name: slow, action: do.echo, next: last, delay: 5s}
          - name: last
            action: do.echo
            input: {value: ["{{ task.a.status }}", "{{ task.b.status }}", "{{ task.slow.status }}"]}
        output: "{{ task.last.output }}"
        """,
        "a+ b+ c+ slow+ last+",
        output=["succeeded", "skipped", "succeeded"],
    ),
    "a task starts although one of the ways to it is blocked": Rule(
        """
        tasks:
          - {name: a, action: do.fail, next: last}
          - {name: b, action: do.echo, needs: [], next: last}
          - {name: last, action: do.echo}
        """,
        "a- b+ last+",
        "-",
        error="TaskFailed",
    ),
    "join all wants every way taken": Rule(
        """
        tasks:
          - {name: a, action: do.echo, next: [{when: false, do: last}]}
          - {name: b, action: do.echo, needs: [], next: last}
          - {name: last, action: do.echo, join: all}
        """,
        "a+ b+ lasts",
    ),
    "join all is blocked if an unhandled failure is why it can't start": Rule(
        """
        tasks:
          - {name: a, action: do.fail, next: last}
          - {name: b, action: do.echo, needs: [], next: last}
          - {name: last, action: do.echo, join: all}
        """,
        "a- b+ lastb",
        "-",
        error="TaskFailed",
    ),
    "join N is skipped if fewer ways are taken": Rule(
        """
        tasks:
          - {name: a, action: do.echo, next: [{when: false, do: last}]}
          - {name: b, action: do.echo, needs: [], next: last}
          - {name: c, action: do.echo, needs: [], next: [{when: false, do: last}]}
          - {name: last, action: do.echo, join: 2}
        """,
        "a+ b+ c+ lasts",
    ),
    "fail ends the run as failed, and what has not started is cancelled": Rule(
        """
        tasks:
          - {name: a, action: do.echo, next: [{when: "{{ succeeded() }}", do: [b, fail]}]}
          - {name: b, action: do.echo}
          - {name: c, action: do.echo, needs: [b]}
        """,
        "a+ bc cc",
        "-",
        error="Failed",
    ),
    "an error in a template of next fails its task, unhandled": Rule(
        """
        tasks:
          - name: a
            action: do.echo
            input: {value: 1}
            on-error: continue
            next: [{when: true, do: b}, {when: "{{ result().x }}", do: c}, {do: d}]
          - {name: b, action: do.echo}
          - {name: c, action: do.echo}
          - {name: d, action: do.echo}
        """,
        "a- bb cb db",
        "-",
        error="TaskFailed",
    ),
    "an error in what next publishes fails its task too": Rule(
        """
        tasks:
          - {name: a, action: do.echo, next: [{do: b, publish: {v: "{{ result().x }}"}}]}
          - {name: b, action: do.echo}
        """,
        "a- bb",
        "-",
        error="TaskFailed",
    ),
    "on-error: continue takes the way of success": Rule(
        """
        tasks:
          - name: a
            action: do.fail
            on-error: continue
            next: [{do: b}, {when: "{{ succeeded() }}", do: c}]
          - {name: b, action: do.echo}
          - {name: c, action: do.echo}
          - {name: d, action: do.echo, needs: [a]}
        """,
        "a- b+ cs d+",
    ),
    "what a task publishes is seen on all paths, and by its own next": Rule(
        """
        tasks:
          - name: a
            action: do.echo
            input: {value: 1}
            publish: {v: "{{ result() }}"}
            next: [{when: "{{ vars.v == 1 }}", do: b}, {do: c, publish: {w: "{{ vars.v + 1 }}"}}]
          - {name: b, action: do.echo, input: {value: "{{ vars.v }}"}}
          - {name: c, action: do.echo, input: {value: ["{{ vars.v }}", "{{ vars.w }}"]}}
        output: ["{{ task.b.output }}", "{{ task.c.output }}"]
        """,
        "a+ b+ c+",
        output=[1, [1, 2]],
    ),
    "what next publishes is seen by that transition's targets only": Rule(
        """
        vars: {v: 0}
        tasks:
          - {name: a, action: do.echo, next: [{do: b, publish: {v: 1}}, {do: c}]}
          - {name: b, action: do.echo, input: {value: "{{ vars.v }}"}}
          - {name: c, action: do.echo, input: {value: "{{ vars.v }}"}}
        output: ["{{ task.b.output }}", "{{ task.c.output }}"]
        """,
        "a+ b+ c+",
        output=[1, 0],
    ),
    "entries of one publish don't see each other": Rule(
        """
        vars: {v: 0, w: 0}
        tasks:
          - {name: a, action: do.echo, publish: {v: 1, w: "{{ vars.v }}"}}
        output: ["{{ vars.v }}", "{{ vars.w }}"]
        """,
        "a+",
        output=[1, 0],
    ),
    "where paths merge the task listed last wins": Rule(
        """
        tasks:
          - {name: first, action: do.echo, needs: [], publish: {v: first}, delay: 5s}
          - {name: second, action: do.echo, needs: [], publish: {v: second}}
          - {name: last, action: do.echo, needs: [second, first], input: {value: "{{ vars.v }}"}}
        output: ["{{ task.last.output }}", "{{ vars.v }}"]
        """,
        "first+ second+ last+",
        output=["second", "second"],
    ),
    "a value set earlier on the path of another gives way to it": Rule(
        """
        tasks:
          - {name: later, action: do.echo, needs: [earlier], publish: {v: later}}
          - {name: beside, action: do.echo, needs: [earlier]}
          - {name: earlier, action: do.echo, needs: [], publish: {v: earlier}}
          - {name: last, action: do.echo, needs: [beside, later], input: {value: "{{ vars.v }}"}}
        output: ["{{ task.last.output }}", "{{ vars.v }}"]
        """,
        "later+ beside+ earlier+ last+",
        output=["later", "later"],
    ),
    "a task sees only what was set on its paths": Rule(
        """
        vars: {v: 0}
        tasks:
          - {name: a, action: do.echo, publish: {v: 1}}
          - {name: b, action: do.echo, needs: [], delay: 5s, input: {value: "{{ vars.v }}"}}
          - {name: c, action: do.echo, needs: [a]}
        output: ["{{ task.b.output }}", "{{ vars.v }}"]
        """,
        "a+ b+ c+",
        output=[0, 1],
    ),
    "a task before it that ran, but not on its path, reads as skipped": Rule(
        """
        tasks:
          - {name: a, action: do.echo, input: {value: 1}, next: [{when: false, do: last}]}
          - {name: b, action: do.echo, needs: [], next: last}
          - name: last
            action: do.echo
            input: {value: ["{{ task.a.status }}", "{{ task.a.output }}", "{{ task.b.status }}"]}
        output: ["{{ task.last.output }}", "{{ task.a.status }}"]
        """,
        "a+ b+ last+",
        output=[["skipped", None, "succeeded"], "succeeded"],
    ),
    "on a cycle a task starts at each arrival, and the last visit counts": Rule(
        """
        vars: {n: 0}
        tasks:
          - name: count
            action: do.echo
            input: {value: "{{ vars.n + 1 }}"}
            publish: {n: "{{ result() }}"}
            next: [{when: "{{ result() < 3 }}", do: again}, {when: "{{ result() == 3 }}", do: last}]
          - {name: again, action: do.echo, input: {value: "{{ task.count.output }}"}, next: count}
          - name: last
            action: do.echo
            input: {value: ["{{ task.count.output }}", "{{ task.again.output }}", "{{ vars.n }}"]}
        output: "{{ task.last.output }}"
        """,
        "count+ again+ last+",
        output=[3, 2, 3],
    ),
    "what follows a cycle starts once, when the cycle is at rest": Rule(
        """
        vars: {n: 0, seen: 0}
        tasks:
          - name: count
            action: do.echo
            input: {value: "{{ vars.n + 1 }}"}
            publish: {n: "{{ result() }}"}
            next:
              - {do: last, publish: {seen: "{{ result() }}"}}
              - {when: "{{ result() < 3 }}", do: count}
          - {name: last, action: do.echo, input: {value: ["{{ vars.n }}", "{{ vars.seen }}"]}}
        output: "{{ task.last.output }}"
        """,
        "count+ last+",
        output=[3, 3],
    ),
    "a cycle that nothing reaches is skipped, and so is what follows": Rule(
        """
        tasks:
          - {name: a, action: do.echo, next: [{when: false, do: b}]}
          - {name: b, action: do.echo, next: c}
          - {name: c, action: do.echo, next: [{when: "{{ failed() }}", do: b}, {do: d}]}
          - {name: d, action: do.echo}
        """,
        "a+ bs cs ds",
    ),
    "an unhandled failure on a cycle blocks what follows it": Rule(
        """
        tasks:
          - {name: a, action: do.echo, next: b}
          - {name: b, action: do.fail, next: [a, c]}
          - {name: c, action: do.echo}
        """,
        "a+ b- cb",
        "-",
        error="TaskFailed",
    ),
    "a visit beyond max-visits fails and takes no transition": Rule(
        """
        vars: {n: 0}
        tasks:
          - name: a
            action: do.echo
            max-visits: 3
            publish: {n: "{{ vars.n + 1 }}"}
            next: [{when: true, do: a}, {when: "{{ failed() }}", do: b}]
          - {name: b, action: do.echo}
        output: "{{ vars.n }}"
        """,
        "a- bb",
        "-",
        output=3,
        error="TaskFailed",
    ),
    "finally runs in order after a success and sees all": Rule(
        """
        tasks:
          - {name: a, action: do.echo, needs: [], input: {value: 1}}
          - {name: b, action: do.echo, needs: [], publish: {v: 2}}
        finally:
          - name: y
            action: do.echo
            input: {value: ["{{ task.a.output }}", "{{ task.b.status }}", "{{ vars.v }}"]}
          - {name: z, action: do.echo, input: {value: "{{ task.y.output + [9] }}"}}
        output: "{{ task.z.output }}"
        """,
        "a+ b+ y+ z+",
        output=[1, "succeeded", 2, 9],
    ),
    "finally runs after a failure, whatever becomes of its own tasks": Rule(
        """
        tasks:
          - {name: a, action: do.fail}
          - {name: b, action: do.echo}
        finally:
          - {name: y, action: do.fail}
          - name: z
            action: do.echo
            input: {value: ["{{ task.b.status }}", "{{ task.y.status }}"]}
        output: "{{ task.z.output }}"
        """,
        "a- bb y- z+",
        "-",
        output=["blocked", "failed"],
        error="TaskFailed",
    ),
    "a failure in finally fails the run": Rule(
        """
        tasks: [{name: a, action: do.echo}]
        finally: [{name: z, action: do.fail}]
        """,
        "a+ z-",
        "-",
        error="TaskFailed",
    ),
    "a handled failure in finally doesn't": Rule(
        """
        tasks: [{name: a, action: do.echo}]
        finally: [{name: z, action: do.fail, on-error: continue}]
        """,
        "a+ z-",
    ),
    "finally runs after fail, and judges its conditions": Rule(
        """
        tasks: [{name: a, action: do.echo, next: fail}]
        finally:
          - {name: y, action: do.echo, when: "{{ task.a.status == 'succeeded' }}"}
          - {name: z, action: do.echo, when: "{{ task.a.status == 'failed' }}"}
        """,
        "a+ y+ zs",
        "-",
        error="Failed",
    ),
    "what is published on the way to fail can be in the output": Rule(
        """
        tasks: [{name: a, action: do.echo, next: [{do: fail, publish: {why: full}}]}]
        output: {why: "{{ vars.why }}"}
        """,
        "a+",
        "-",
        output={"why": "full"},
        error="Failed",
    ),
}


@pytest.mark.parametrize("rule", RULES)
def test_rule(loom, rule: str) -> None:
    """Each workflow ends as its rule says."""
    expected = RULES[rule]
    run = loom.run(expected.text, echo, fail)
    found = {name: task.status for name, task in run.tasks.items()}
    assert found == {mark[:-1]: MARKS[mark[-1]] for mark in expected.tasks.split()}
    assert run.status is MARKS[expected.ends]
    assert run.output == expected.output
    assert (run.error.type if run.error else "") == expected.error


@pytest.mark.parametrize("first", ["a", "b", "c"])
def test_join_n_starts_with_the_first_ways_that_are_taken(loom, first: str) -> None:
    """The others come too late: its task doesn't see them, though they run to their end."""
    run = loom.run(
        f"""
        tasks:
          - {{name: a, action: do.echo, next: last, delay: {0 if first == "a" else 5}}}
          - {{name: b, action: do.echo, needs: [], next: last, delay: {0 if first == "b" else 5}}}
          - {{name: c, action: do.echo, needs: [], next: last, delay: {0 if first == "c" else 5}}}
          - name: last
            action: do.echo
            join: 1
            input:
              value:
                a: "{{{{ task.a.status }}}}"
                b: "{{{{ task.b.status }}}}"
                c: "{{{{ task.c.status }}}}"
        output: "{{{{ task.last.output }}}}"
        """,
        echo,
    )
    assert run.output == {**dict.fromkeys("abc", "skipped"), first: "succeeded"}
    assert {task.status for task in run.tasks.values()} == {Status.SUCCEEDED}
    assert [row.path for row in loom.rows()].count("last") == 1


def test_every_visit_has_its_row(loom) -> None:
    """With its own number, status and output, in the order of their starts."""
    loom.run(
        """
        vars: {n: 0}
        tasks:
          - name: a
            action: do.echo
            when: "{{ vars.n < 2 }}"
            input: {value: "{{ vars.n + 1 }}"}
            publish: {n: "{{ result() }}"}
            next: [{when: "{{ not skipped() }}", do: b}]
          - {name: b, action: do.echo, next: a}
        """,
        echo,
    )
    assert [(row.path, row.visit, row.status, row.output) for row in loom.rows()] == [
        ("a", 1, "succeeded", b"1"),
        ("b", 1, "succeeded", b"null"),
        ("a", 2, "succeeded", b"2"),
        ("b", 2, "succeeded", b"null"),
        ("a", 3, "skipped", None),
    ]


def test_tasks_that_do_not_wait_for_each_other_run_side_by_side(loom) -> None:
    """Each of them ends only once the other has started."""
    started: dict[str, asyncio.Event] = {}

    @fanwise.action("do.meet")
    async def meet(me: str, other: str) -> str:
        for name in (me, other):
            started.setdefault(name, asyncio.Event())
        started[me].set()
        await asyncio.wait_for(started[other].wait(), timeout=60)
        return other

    run = loom.run(
        """
        tasks:
          - {name: a, action: do.meet, input: {me: a, other: b}}
          - {name: b, action: do.meet, needs: [], input: {me: b, other: a}}
        """,
        meet,
    )
    assert run.status is Status.SUCCEEDED


GATE = """
tasks:
  - name: a
    action: do.echo
    input: {value: {bad: [3, 5], why: "too\\n\\n much"}}
    publish: {n: 8}
    next:
      - {when: "{{ result().bad | length > 5 }}", do: fail, message: not this one}
      - {when: "{{ result().bad }}", do: fail, publish: {n: 9}, message: MESSAGE}
"""


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("plain", "plain"),
        ("'{{ result().bad | length }} of {{ vars.n }} are bad'", "2 of 8 are bad"),
        ("'{{ result().why }}'", "too much"),
        ("'{{ result().bad }}'", "[3,5]"),
        ("\"{{ '' }}\"", 'task "a" led to fail'),
    ],
)
def test_the_message_beside_fail_is_that_of_the_run(loom, written: str, said: str) -> None:
    """It is one line, and reads what `publish` may read; only the way that is taken counts."""
    run = loom.run(GATE.replace("MESSAGE", written), echo)
    assert run.error == ErrorInfo("Failed", said, {"task": "a"})


def test_a_message_of_fail_is_as_long_as_errors_may_be(loom) -> None:
    """Of a longer one the middle is left out."""
    loom.limits = Limits(error_bytes=300)
    run = loom.run(GATE.replace("MESSAGE", "\"{{ 'x' * 5000 }}\""), echo)
    assert len(run.error.message) <= 300
    assert "bytes and more left out" in run.error.message


def test_a_message_of_fail_that_cannot_be_computed_fails_its_task(loom) -> None:
    """As a condition beside it would."""
    run = loom.run(GATE.replace("MESSAGE", "'{{ result().gone.by }}'"), echo)
    assert run.tasks["a"].error.type == "TemplateError"
    assert run.status is Status.FAILED
