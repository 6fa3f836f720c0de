"""Workflows that call workflows: by path, by name, once, and once per item."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

import fanwise
from fanwise.errors import DefinitionError
from fanwise.stores import open_store
from fanwise.values import decode

ACTIONS = """
import asyncio
import fanwise

@fanwise.action("test.echo")
async def echo(value: object = None) -> object:
    return value

@fanwise.action("test.fail")
async def fail(message: str = "broken") -> None:
    raise fanwise.ActionError(message, type="Broken", data={"code": 7})


LIVE = MOST = 0

@fanwise.action("test.meet")
async def meet() -> int:
    global LIVE, MOST
    LIVE += 1
    MOST = max(MOST, LIVE)
    for _ in range(5):
        await asyncio.sleep(0)
    LIVE -= 1
    return MOST
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "actions.py").write_text(ACTIONS)
    return tmp_path


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(dedent(text))


def run(folder: Path, **parameters: object) -> fanwise.Run:
    return fanwise.run(folder / "main.yaml", parameters, store=str(folder / "fanwise.db"))


LOGIN = """
    parameters: {user: {type: string, required: true}, times: {type: integer, default: 2}}
    tasks:
      - {name: greet, action: test.echo, input: {value: "hi {{ parameters.user }}"}}
      - {name: again, action: test.echo,
         input: {value: "{{ task.greet.output * parameters.times }}"}}
    output: {said: "{{ task.again.output }}"}
    """


def test_a_childs_output_is_its_tasks_result(folder: Path) -> None:
    write(
        folder,
        login=LOGIN,
        main="""
            tasks: [{name: log_in, action: ./login.yaml, input: {user: Ada}}]
            output: "{{ task.log_in.output.said }}"
            """,
    )
    assert run(folder).output == "hi Adahi Ada"


def test_each_item_goes_through_all_of_its_steps_and_each_step_is_a_row(folder: Path) -> None:
    """Its path names the task and the item above it."""
    write(
        folder,
        login=LOGIN,
        main="""
            tasks:
              - {name: log_in, action: ./login.yaml, with-items: [a, b, c],
                 input: {user: "{{ item }}"}}
            output: "{{ task.log_in.output | map(attribute='said') | list }}"
            """,
    )
    assert run(folder).output == ["hi ahi a", "hi bhi b", "hi chi c"]
    with open_store(str(folder / "fanwise.db")) as store:
        assert [row.path for row in store.tasks(1)] == ["log_in"]
        for index in range(3):
            steps = store.tasks(1, within=f"log_in[{index}]")
            assert [(row.path, row.status.value) for row in steps] == [
                (f"log_in[{index}].greet", "succeeded"),
                (f"log_in[{index}].again", "succeeded"),
            ]


def test_a_child_sees_only_its_input(folder: Path) -> None:
    """Not its parent's parameters, variables or results."""
    write(
        folder,
        child="""
            parameters: {given: {}}
            tasks: [{name: look, action: test.echo, input: {value: "{{ parameters }} {{ vars }}"}}]
            output: "{{ task.look.output }}"
            """,
        main="""
            parameters: {hidden: {default: 1}}
            vars: {secretly: 2}
            tasks: [{name: call, action: ./child.yaml, input: {given: 3}}]
            output: "{{ task.call.output }}"
            """,
    )
    assert run(folder).output == "{'given': 3} {}"


def test_a_childs_failure_is_the_attempts_error_with_its_path(folder: Path) -> None:
    write(
        folder,
        child="tasks: [{name: bad, action: test.fail, input: {message: no luck}}]",
        main="""
            tasks:
              - {name: call, action: ./child.yaml, with-items: [1], on-error: continue}
              - {name: once, action: ./child.yaml, on-error: continue}
            output: "{{ task.once.error }}"
            """,
    )
    error = run(folder).output
    assert error["type"] == "RunFailed"
    assert error["message"] == 'once: task "bad" failed: Broken: no luck'
    assert error["data"]["path"] == "once"


def test_a_retry_starts_a_fresh_child(folder: Path) -> None:
    (folder / "actions.py").write_text(
        ACTIONS
        + """
calls = []

@fanwise.action("test.flaky")
async def flaky() -> int:
    calls.append(1)
    if len(calls) < 3:
        raise OSError("again")
    return len(calls)
"""
    )
    write(
        folder,
        child="""
            tasks: [{name: before, action: test.echo}, {name: flaky, action: test.flaky}]
            output: "{{ task.flaky.output }}"
            """,
        main="""
            tasks: [{name: call, action: ./child.yaml, retry: {count: 5, delay: 0}}]
            output: "{{ task.call.output }}"
            """,
    )
    result = run(folder)
    assert result.output == 3
    assert result.tasks["call"].attempts == 3


def test_a_childs_input_is_checked_as_its_parameters(folder: Path) -> None:
    """Before anything runs: missing and unknown names, and literals of the wrong type."""
    write(
        folder,
        login=LOGIN,
        main="tasks: [{name: a, action: ./login.yaml, input: {usr: Ada, times: many}}]",
    )
    with pytest.raises(DefinitionError) as caught:
        run(folder)
    assert [problem.code for problem in caught.value.problems] == [
        "missing-input",
        "unknown-input",
        "bad-input",
    ]


def test_the_problems_of_a_child_are_told_with_its_own_places(folder: Path) -> None:
    write(
        folder,
        child="tasks: [{name: a, action: test.nothing}]",
        main="tasks: [{name: b, action: ./child.yaml}, {name: c, action: ./gone.yaml}]",
    )
    with pytest.raises(DefinitionError) as caught:
        run(folder)
    found = [(Path(p.place.file).name, p.code) for p in caught.value.problems]
    assert found == [("child.yaml", "unknown-action"), ("main.yaml", "unknown-workflow")]


def test_a_packs_yaml_file_is_a_workflow_of_the_pack(folder: Path) -> None:
    pack = folder / "packs" / "tools"
    pack.mkdir(parents=True)
    (pack / "actions.py").write_text("")
    write(
        pack,
        double="""
        parameters: {n: {type: integer}}
        tasks: [{name: only, action: core.echo, input: {value: "{{ parameters.n * 2 }}"}}]
        output: "{{ task.only.output.value }}"
        """,
    )
    write(
        folder,
        main="""
            tasks: [{name: call, action: tools.double, input: {n: 21}}]
            output: "{{ task.call.output }}"
            """,
    )
    assert run(folder).output == 42


def test_a_packs_workflow_calls_its_own_actions_and_those_of_other_packs(folder: Path) -> None:
    """Whichever folder it is loaded from."""
    for name in ("one", "two"):
        pack = folder / "packs" / name
        pack.mkdir(parents=True)
        (pack / "actions.py").write_text(ACTIONS.replace("test.", f"{name}."))
    write(
        folder / "packs" / "one",
        both="""
            tasks:
              - {name: own, action: one.echo, input: {value: 1}}
              - {name: other, action: two.echo, input: {value: "{{ task.own.output + 1 }}"}}
            output: "{{ task.other.output }}"
            """,
    )
    write(folder, main="tasks: [{name: a, action: one.both}]\noutput: '{{ task.a.output }}'")
    assert run(folder).output == 2
    assert (
        fanwise.run(
            {"tasks": [{"name": "a", "action": "one.both"}], "output": "{{ task.a.output }}"},
            packs=[folder / "packs"],
            store=str(folder / "other.db"),
        ).output
        == 2
    )


def test_a_workflow_that_calls_itself_ends_at_the_depth_allowed(folder: Path) -> None:
    write(
        folder,
        main="""
            parameters: {n: {type: integer, default: 0}}
            tasks: [{name: again, action: ./main.yaml, input: {n: "{{ parameters.n + 1 }}"}}]
            """,
    )
    error = run(folder).error
    assert "more than 16 workflows stand within each other" in error.message


def test_a_workflow_that_fans_out_over_itself_ends_at_the_depth_allowed(folder: Path) -> None:
    """A tree of workflows ends with the first that stands too deep: of 6^15 few ever start."""
    write(
        folder,
        main="""
            tasks: [{name: again, action: ./main.yaml, with-items: {range: 6}, concurrency: 6}]
            """,
    )
    with open_store(str(folder / "fanwise.db")) as store:
        assert run(folder).status == "failed"
        errors = [decode(item.error) for item in store.items(1, 1)]
    assert [error["type"] for error in errors] == ["TooDeep"] * 6
    assert all("limits.depth" in error["message"] for error in errors)


@pytest.mark.parametrize(
    ("step", "output"),
    [
        ("", "task.most.output"),
        ("with-items: {range: 9}, concurrency: 9, ", "task.most.output | max"),
    ],
)
def test_attempts_inside_children_take_slots(
    folder: Path, monkeypatch, step: str, output: str
) -> None:
    """No more attempts run at once than `limits.running`, and nothing hangs."""
    monkeypatch.setenv("FANWISE_LIMIT_RUNNING", "3")
    write(
        folder,
        inner=f"""
            tasks: [{{name: most, {step}action: test.meet}}]
            output: "{{{{ {output} }}}}"
            """,
        outer="""
            tasks: [{name: most, with-items: {range: 5}, concurrency: 5, action: ./inner.yaml}]
            output: "{{ task.most.output | max }}"
            """,
        main="""
            tasks: [{name: most, with-items: {range: 5}, concurrency: 5, action: ./outer.yaml}]
            output: "{{ task.most.output | max }}"
            """,
    )
    assert run(folder).output == 3


def test_a_child_that_is_cut_off_gives_its_slots_back(folder: Path, monkeypatch) -> None:
    """Items that come after it find them free."""
    monkeypatch.setenv("FANWISE_LIMIT_RUNNING", "2")
    write(
        folder,
        child="""
            tasks:
              - {name: wait, action: core.sleep, with-items: [600, 600, 600], concurrency: 3,
                 input: {seconds: "{{ item }}"}}
            """,
        main="""
            tasks:
              - {name: call, action: ./child.yaml, with-items: [1, 2, 3], concurrency: 3,
                 timeout: 50ms, tolerate: 100%}
              - {name: after, action: test.echo, input: {value: fine}}
            output: "{{ task.after.output }}"
            """,
    )
    assert run(folder).output == "fine"


def test_a_workflow_may_call_itself_as_long_as_it_ends(folder: Path) -> None:
    write(
        folder,
        main="""
            parameters: {n: {type: integer, default: 5}}
            tasks:
              - {name: less, action: ./main.yaml, when: "{{ parameters.n > 0 }}",
                 input: {n: "{{ parameters.n - 1 }}"}}
            output: "{{ (task.less.output or 0) + parameters.n }}"
            """,
    )
    assert run(folder).output == 15


def test_a_child_may_branch_fan_out_and_wait(folder: Path) -> None:
    """All of the language works in a child, not only plain steps."""
    write(
        folder,
        child="""
            parameters: {n: {type: integer}}
            tasks:
              - name: each
                action: test.echo
                with-items: {range: "{{ parameters.n }}"}
                input: {value: "{{ item }}"}
                next:
                  - {when: "{{ result() | sum > 2 }}", do: big}
                  - {when: "{{ result() | sum <= 2 }}", do: small}
              - {name: big, action: test.echo, input: {value: big}, timeout: 1m}
              - {name: small, action: test.echo, input: {value: small}, retry: {count: 1}}
            output: "{{ task.big.output or task.small.output }}"
            """,
        main="""
            tasks:
              - {name: call, action: ./child.yaml, with-items: [1, 2, 3, 4],
                 input: {n: "{{ item }}"}}
            output: "{{ task.call.output }}"
            """,
    )
    assert run(folder).output == ["small", "small", "big", "big"]


def test_a_child_may_loop(folder: Path) -> None:
    """Each visit of its step is a row of its own."""
    write(
        folder,
        child="""
            vars: {n: 0}
            tasks:
              - name: step
                action: test.echo
                input: {value: "{{ vars.n + 1 }}"}
                publish: {n: "{{ result() }}"}
                next: [{when: "{{ result() < 4 }}", do: step}]
            output: "{{ vars.n }}"
            """,
        main="""
            tasks: [{name: call, action: ./child.yaml, with-items: [1, 2]}]
            output: "{{ task.call.output }}"
            """,
    )
    assert run(folder).output == [4, 4]
    with open_store(str(folder / "fanwise.db")) as store:
        steps = store.tasks(1, within="call[1]")
        assert [(step.visit, step.started_at is None) for step in steps] == [
            (visit, False) for visit in range(1, 5)
        ]


def test_the_timeout_of_an_item_cuts_its_child_off(folder: Path) -> None:
    write(
        folder,
        child="tasks: [{name: wait, action: core.sleep, input: {seconds: 600}}]",
        main="""
            tasks: [{name: call, action: ./child.yaml, with-items: [1], timeout: 50ms}]
            """,
    )
    with open_store(str(folder / "fanwise.db")) as store:
        result = run(folder)
        assert "Timeout" in result.error.message
        assert store.items(1, 1)[0].status == "failed"


def test_a_childs_relative_paths_start_at_its_own_folder(folder: Path) -> None:
    inner = folder / "inner"
    inner.mkdir()
    (inner / "data.txt").write_text("inner")
    write(
        inner,
        child="""
            tasks: [{name: read, action: core.read_file, input: {path: data.txt}}]
            output: "{{ task.read.output }}"
            """,
    )
    write(
        folder,
        main="""
            tasks: [{name: call, action: ./inner/child.yaml}]
            output: "{{ task.call.output }}"
            """,
    )
    assert run(folder).output == "inner"
