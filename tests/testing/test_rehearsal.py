"""A rehearsal: a workflow runs on the real engine, with stand-ins where the test gives some."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

import fanwise
from fanwise.errors import DefinitionError, ParameterError, UsageError
from fanwise.stores import open_store
from fanwise.testing import MemoryStore, Outcome, fails, in_turn, per_item, rehearse

FLOW = """\
parameters: {region: {type: string, required: true}}
tasks:
  - name: list
    action: cloud.list
    input: {region: "{{ parameters.region }}"}
  - name: stop
    action: cloud.stop
    with-items: "{{ task.list.output }}"
    label: "{{ item }}"
    tolerate: 1
    retry: {count: 2, delay: 1s}
    input: {name: "{{ item }}"}
  - name: report
    action: core.echo
    when: "{{ task.stop.items.failed > 0 }}"
    input: {failed: "{{ task.stop.items.failed }}"}
output: {stopped: "{{ task.stop.output | select | list }}"}
"""

ACTIONS = """\
import threading
from pathlib import Path

import fanwise


@fanwise.action("cloud.list")
def list_servers(region: str, limits: fanwise.Limits, most: int = 3) -> list[str]:
    assert limits.result_bytes > most
    Path(f"listed-{region}").touch()
    return ["a", "b", "c"][:most]


@fanwise.action("cloud.stop")
async def stop(name: str, context: fanwise.ActionContext, force: bool = False) -> str:
    return f"{context.idempotency_key} {threading.current_thread() is threading.main_thread()}"
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workflow with its actions beside it, in the folder where the test runs."""
    (tmp_path / "flow.yaml").write_text(FLOW)
    (tmp_path / "actions.py").write_text(ACTIONS)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "flow.yaml"


def one(action: str, **task: Any) -> dict[str, Any]:
    """A workflow of one task."""
    return {
        "tasks": [{"name": "only", "action": action, **task}],
        "output": "{{ task.only.output }}",
    }


def busy() -> Outcome:
    """A rehearsal in which one item fails twice, and another one for good."""
    stop = per_item({1: fails("Busy", times=2, then="late"), 2: fails("Gone")}, otherwise="done")
    return rehearse(
        FLOW, {"region": "eu"}, actions={"cloud.list": ["x", "y", "z"], "cloud.stop": stop}
    )


def test_an_outcome_tells_how_the_run_its_tasks_and_its_items_ended():
    """With output, error, attempts, counts and label, as plain values."""
    outcome = busy()
    assert outcome.status == "succeeded"
    assert outcome.output == {"stopped": ["done", "late"]}
    assert outcome.error is None
    stop = outcome.tasks["stop"]
    assert (stop.status, stop.output, stop.attempts) == ("succeeded", ["done", "late", None], 7)
    assert stop.items == fanwise.ItemCounts(total=3, succeeded=2, failed=1)
    assert outcome.tasks["report"].output == {"failed": 1}
    assert [item.status for item in outcome.items["stop"]] == ["succeeded", "succeeded", "failed"]
    last = outcome.items["stop"][2]
    assert last.error is not None
    assert (last.error.type, last.attempts, last.label, last.output) == ("Gone", 3, "z", None)


def test_an_outcome_tells_order_calls_and_when_each_attempt_was_made():
    """`after_s` is the time in the rehearsal, so it is exact."""
    outcome = busy()
    assert outcome.order == ["list", "stop", "report"]
    assert outcome.calls["cloud.list"] == [{"region": "eu"}]
    names = [given["name"] for given in outcome.calls["cloud.stop"]]
    assert sorted(names) == ["x", "y", "y", "y", "z", "z", "z"]
    tries = [each for each in outcome.attempts if (each.task, each.index) == ("stop", 1)]
    assert [(each.number, each.after_s) for each in tries] == [(1, 0.0), (2, 1.0), (3, 3.0)]
    assert outcome.duration_s == 3.0


def test_events_and_notices_are_those_of_the_run():
    """The events are what every run records."""
    outcome = busy()
    assert outcome.events[0].kind == "RunStarted"
    assert sum(event.kind == "TaskEnded" for event in outcome.events) == 3
    assert outcome.notices == []


def test_an_outcome_is_told_in_one_short_line():
    """It is what a failed assert shows."""
    assert repr(busy()) == (
        "<Outcome succeeded: list succeeded, stop succeeded (1 of 3 items failed), "
        "report succeeded>"
    )
    failed = rehearse(
        FLOW, {"region": "eu"}, actions={"cloud.list": fails("Down"), "cloud.stop": 0}
    )
    assert repr(failed) == (
        "<Outcome failed: list failed, stop blocked, report blocked; "
        'task "list" failed: Down: the stand-in fails, as the test wants.>'
    )
    long = rehearse(one("x.y"), actions={"x.y": fails(message="word " * 1_000)})
    assert len(repr(long)) < 240


def test_a_name_that_is_not_there_is_told_with_the_nearest_one():
    """For tasks, items and calls; an action that was never called has no calls."""
    outcome = rehearse(FLOW, {"region": "eu"}, actions={"cloud.list": [], "cloud.stop": 0})
    assert outcome.calls["cloud.stop"] == []
    assert outcome.items["stop"] == []
    for found, name in (
        (outcome.tasks, "stpo"),
        (outcome.items, "stpo"),
        (outcome.calls, "cloud.stpo"),
    ):
        with pytest.raises(KeyError, match=r'Did you mean "(cloud\.)?stop"'):
            found[name]
    with pytest.raises(KeyError, match="There is: list, stop, report"):
        outcome.tasks["qqqqq"]


def test_waiting_takes_no_time():
    """Neither delays, rates, back-off, polling and `core.sleep`, nor an attempt that overruns."""

    async def slow(**_: Any) -> None:
        await asyncio.sleep(3_600)

    flow = """
    timeout: 30d
    tasks:
      - {name: later, action: core.noop, delay: 1d}
      - {name: paced, action: x.y, with-items: {range: 11}, rate: 1/h, input: {n: "{{ item }}"}}
      - {name: nap, action: core.sleep, input: {seconds: 86400}}
      - {name: poll, action: x.poll, retry: {count: 9, delay: 1h, backoff: constant,
         until: "{{ result() == 'done' }}"}}
      - {name: slow, action: x.slow, timeout: 10s, on-error: continue}
    """
    begun = time.monotonic()
    outcome = rehearse(
        flow, actions={"x.y": None, "x.poll": in_turn("open", "open", "done"), "x.slow": slow}
    )
    assert time.monotonic() - begun < 3_600
    assert outcome.status == "succeeded"
    paced = [each.after_s for each in outcome.attempts if each.task == "paced"]
    assert paced == [86_400 + 3_600 * n for n in range(11)]
    assert outcome.tasks["poll"].attempts == 3
    error = outcome.tasks["slow"].error
    assert error is not None
    assert error.type == "Timeout"
    assert outcome.duration_s == 2 * 86_400 + 12 * 3_600 + 10


def test_a_timeout_of_the_run_strikes_at_its_time():
    """The run's own clock jumps, too, and not before something has to be waited for."""
    flow = {
        **one("x.y", retry={"count": 5, "delay": "40s", "backoff": "constant"}),
        "timeout": "1m",
    }
    outcome = rehearse(flow, actions={"x.y": fails("Busy")})
    assert (outcome.status, outcome.duration_s) == ("failed", 60.0)
    assert [each.after_s for each in outcome.attempts] == [0.0, 40.0]


def test_what_is_not_replaced_runs_for_real_and_is_noted(file: Path):
    """Actions on the loop and in threads; `ActionContext` is no input."""
    outcome = rehearse(file, {"region": "eu"})
    assert (file.parent / "listed-eu").exists()
    assert outcome.calls["cloud.list"] == [{"region": "eu"}]
    assert outcome.calls["cloud.stop"] == [{"name": name} for name in "abc"]
    assert outcome.output == {"stopped": [f"rehearsal/stop[{n}]/1 True" for n in range(3)]}


def test_time_passes_as_it_does_while_an_action_runs_for_real(tmp_path: Path):
    """So its timeout doesn't strike early, however long it is."""
    (tmp_path / "actions.py").write_text(
        "import threading\nimport fanwise\n\n@fanwise.action('x.wait')\ndef wait():\n"
        "    threading.Event().wait(0.05)\n    return 'waited'\n"
    )
    (tmp_path / "flow.yaml").write_text(
        "timeout: 1h\ntasks:\n"
        "  - {name: thread, action: x.wait, timeout: 20s}\n"
        "  - {name: shell, action: core.shell, timeout: 20s, input: {command: [echo, hi]}}\n"
    )
    outcome = rehearse(tmp_path / "flow.yaml")
    assert outcome.status == "succeeded"
    assert outcome.duration_s is not None
    assert 0.05 <= outcome.duration_s < 20


def test_only_replaced_refuses_what_would_run_for_real(file: Path):
    """Before anything has run. What touches nothing outside of the run needs no stand-in."""
    with pytest.raises(UsageError, match=r"no stand-in: cloud\.list, cloud\.stop\."):
        rehearse(file, {"region": "eu"}, only_replaced=True)
    assert not (file.parent / "listed-eu").exists()
    outcome = rehearse(
        file,
        {"region": "eu"},
        actions={"cloud.list": ["x"], "cloud.stop": fails("Gone")},
        only_replaced=True,
    )
    assert outcome.calls["core.echo"] == [{"failed": 1}]


def test_a_stand_in_that_nothing_calls_is_an_error_with_the_nearest_name():
    """Most likely the name is a slip, and the test would prove nothing."""
    actions = {"cloud.list": [], "cloud.stop": 0}
    with pytest.raises(UsageError, match=r'"cloud\.stpo".* Did you mean "cloud\.stop"\?'):
        rehearse(FLOW, {"region": "eu"}, actions={**actions, "cloud.stpo": 1})
    with pytest.raises(UsageError, match=r"It calls: cloud\.list, cloud\.stop, core\.echo\."):
        rehearse(FLOW, {"region": "eu"}, actions={**actions, "qqq": 1})


@pytest.mark.parametrize(
    ("slip", "code"),
    [
        (('{name: "{{ item }}"}', '{nmae: "{{ item }}"}'), "unknown-input"),
        (('region: "{{', 'most: "{{'), "missing-input"),
    ],
)
def test_inputs_are_checked_as_those_of_the_action_that_is_replaced(
    file: Path, slip: tuple[str, str], code: str
):
    """Names before the run, as by `fanwise validate`."""
    file.write_text(FLOW.replace(*slip))
    with pytest.raises(DefinitionError, match=code):
        rehearse(file, {"region": "eu"}, actions={"cloud.list": [], "cloud.stop": 0})


def test_a_stand_in_gets_the_checked_input(file: Path):
    """A value that doesn't fit fails the attempt, as it would in earnest."""
    file.write_text(FLOW.replace("input: {name", 'input: {force: "{{ item[1:] }}", name'))
    outcome = rehearse(
        file, {"region": "eu"}, actions={"cloud.list": ["xyes", "yperhaps"], "cloud.stop": "ok"}
    )
    assert outcome.calls["cloud.stop"] == [{"name": "xyes", "force": True}]
    error = outcome.items["stop"][1].error
    assert error is not None
    assert error.type == "InputError"


def test_a_result_of_a_stand_in_is_recorded_as_any_other():
    """What isn't JSON is an error, and what is given is copied."""
    outcome = rehearse(one("x.y"), actions={"x.y": {"seen": {1, 2}}})
    error = outcome.tasks["only"].error
    assert error is not None
    assert error.type == "ResultError"
    given = {"n": (1, 2)}
    outcome = rehearse(one("x.y"), actions={"x.y": given})
    assert outcome.output == {"n": [1, 2]}
    outcome.output["n"].append(3)
    assert given == {"n": (1, 2)}


def test_a_child_workflow_is_rehearsed_with_its_parent_or_replaced_as_a_whole(tmp_path: Path):
    """Steps are told by their paths; a stand-in takes what the child declares as parameters."""
    (tmp_path / "actions.py").write_text(
        "import fanwise\n\n@fanwise.action('x.login')\n"
        "def login(host: str) -> str:\n    return host\n"
    )
    (tmp_path / "child.yaml").write_text(
        "parameters: {host: {type: string, required: true}}\ntasks:\n"
        "  - {name: login, action: x.login, input: {host: '{{ parameters.host }}'}}\n"
        "output: '{{ task.login.output }}'\n"
    )
    parent = tmp_path / "parent.yaml"
    text = (
        "tasks: [{name: check, action: ./child.yaml, with-items: [a, b], tolerate: 1,\n"
        "  input: {host: '{{ item }}'}}]\noutput: '{{ task.check.output }}'\n"
    )
    parent.write_text(text)
    outcome = rehearse(parent, actions={"x.login": per_item(["in", fails("Denied")])})
    assert outcome.output == ["in", None]
    assert [(each.task, each.index) for each in outcome.attempts] == [
        ("check[0].login", None),
        ("check[1].login", None),
    ]
    outcome = rehearse(parent, actions={"./child.yaml": "fine"})
    assert outcome.output == ["fine", "fine"]
    assert outcome.calls["./child.yaml"] == [{"host": "a"}, {"host": "b"}]
    parent.write_text(text.replace("host:", "hots:"))
    with pytest.raises(DefinitionError, match="unknown-input"):
        rehearse(parent, actions={"./child.yaml": "fine"})


def test_secrets_are_given_and_missing_ones_are_told(monkeypatch: pytest.MonkeyPatch):
    """The environment is not asked. A stand-in gets the secret, and what is recorded is masked."""
    monkeypatch.setenv("FANWISE_SECRET_TOKEN", "from the environment")
    flow = one("x.y", input={"token": "{{ secrets.TOKEN }}"})
    with pytest.raises(UsageError, match=r'TOKEN\. Give secrets={"TOKEN": "\.\.\."}'):
        rehearse(flow, actions={"x.y": 1})
    outcome = rehearse(
        flow, actions={"x.y": lambda token: f"got {token}"}, secrets={"TOKEN": "s3cret"}
    )
    assert outcome.calls["x.y"] == [{"token": "s3cret"}]
    assert "s3cret" not in outcome.output


def test_parameters_are_checked_as_those_of_any_run():
    """A rehearsal that can't be made raises what `fanwise.run` would."""
    with pytest.raises(ParameterError, match="region"):
        rehearse(FLOW, actions={"cloud.list": [], "cloud.stop": 0})


@pytest.mark.parametrize("kind", ["memory", "url", "open"])
def test_a_rehearsal_is_recorded_where_the_test_says(kind: str, tmp_path: Path):
    """In memory, in a file, or in a store that stays open for the test to look into."""
    url = str(tmp_path / "fanwise.db")
    flow, actions = one("x.y", **{"with-items": [1, 2]}), {"x.y": "ok"}
    if kind == "memory":
        outcome = rehearse(flow, actions=actions)
        assert not list(tmp_path.iterdir())
    elif kind == "url":
        outcome = rehearse(flow, actions=actions, store=url)
        with open_store(url, read_only=True) as store:
            assert store.run_ids() == ["rehearsal"]
    else:
        store = MemoryStore()
        outcome = rehearse(flow, actions=actions, store=store, run_id="first")
        rehearse(flow, actions=actions, store=store, run_id="second")
        assert store.run_ids() == ["second", "first"]
    assert outcome.output == ["ok", "ok"]


def test_packs_and_maps_and_files_are_found_as_in_any_run(tmp_path: Path):
    """A map or a text has no folder, so its actions come from packs, or are stand-ins."""
    pack = tmp_path / "packs" / "my"
    pack.mkdir(parents=True)
    (pack / "actions.py").write_text(
        "import fanwise\n\n@fanwise.action('my.five')\ndef five() -> int:\n    return 5\n"
    )
    assert rehearse(one("my.five"), packs=[tmp_path / "packs"]).output == 5


def test_the_clock_starts_at_the_same_time_in_every_rehearsal():
    """So what a template makes of it can be compared."""
    flow = {"tasks": [{"name": "a", "action": "core.noop"}], "output": "{{ run.started_at }}"}
    assert rehearse(flow).output == "2001-09-09T01:46:40.000+00:00"


def test_a_stand_in_that_never_returns_ends_the_rehearsal_with_an_error():
    """A test that hangs says nothing; with a timeout of its task it would go on."""

    async def hang() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(UsageError, match=r"never happens.* give its task a timeout"):
        rehearse(one("x.y"), actions={"x.y": hang})
    outcome = rehearse(one("x.y", timeout="1h"), actions={"x.y": hang})
    error = outcome.tasks["only"].error
    assert error is not None
    assert error.type == "Timeout"


def test_inside_an_event_loop_a_rehearsal_is_made_in_a_thread():
    """The error says how."""

    async def test() -> Outcome:
        with pytest.raises(UsageError, match=r"await asyncio\.to_thread\(rehearse, \.\.\.\)"):
            rehearse(one("core.noop"))
        return await asyncio.to_thread(rehearse, one("core.noop"))

    assert asyncio.run(test()).status == "succeeded"
