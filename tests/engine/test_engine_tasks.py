"""Tasks without items: input, output, retries, timeouts, conditions, variables, failures."""

from __future__ import annotations

import asyncio
import itertools
import json
import signal
import threading
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

import fanwise
from fanwise.errors import ParameterError, RunExistsError, UsageError
from fanwise.model import ItemCounts, Limits, Status
from fanwise.testing.clock import ManualClock
from fanwise.values import decode


@fanwise.action("test.echo")
async def echo(value: object = None) -> object:
    return value


@fanwise.action("test.fail")
async def fail(message: str = "broken") -> None:
    raise fanwise.ActionError(message, type="Broken", data={"code": 7})


def test_a_task_gets_its_input_and_its_result_is_its_output(loom) -> None:
    """The output of the run is computed from what the tasks gave."""
    run = loom.run(
        """
        parameters: {who: {type: string, default: you}}
        tasks:
          - {name: greet, action: test.echo, input: {value: "hello {{ parameters.who }}"}}
          - {name: again, action: test.echo, input: {value: ["{{ task.greet.output }}", 2]}}
        output: {said: "{{ task.again.output }}"}
        """,
        echo,
        parameters={"who": "world"},
    )
    assert run.status is Status.SUCCEEDED
    assert run.output == {"said": ["hello world", 2]}
    assert [task.status for task in run.tasks.values()] == ["succeeded", "succeeded"]


def test_later_tasks_see_what_was_recorded(loom) -> None:
    """Not the object that the action returned, which it may still change."""
    kept = {"list": (1, 2)}

    @fanwise.action("test.give")
    async def give() -> object:
        return kept

    @fanwise.action("test.look")
    async def look(value: object) -> str:
        kept["list"] = "changed"
        return f"{value!r} {value['list'] == [1, 2]}"

    run = loom.run(
        """
        tasks:
          - {name: give, action: test.give}
          - {name: look, action: test.look, input: {value: "{{ task.give.output }}"}}
        output: "{{ task.look.output }}"
        """,
        give,
        look,
    )
    assert run.output == "{'list': [1, 2]} True"


def test_nobody_can_change_what_is_shared(loom) -> None:
    """Invariant 3: writing to an input is an error that says how to copy."""

    @fanwise.action("test.write")
    async def write(value: object) -> None:
        value["new"] = 1

    run = loom.run(
        """
        tasks:
          - {name: give, action: test.echo, input: {value: {a: 1}}}
          - {name: write, action: test.write, input: {value: "{{ task.give.output }}"}}
        """,
        echo,
        write,
    )
    error = run.tasks["write"].error
    assert error.type == "FrozenError"
    assert "fanwise.thaw(value)" in error.message


def test_a_value_is_never_a_template(loom) -> None:
    """Invariant 9: data full of braces goes through every kind of place unchanged."""
    text = "{{ 7 * 7 }} {% for x in y %}"
    run = loom.run(
        """
        parameters: {p: {}}
        vars: {v: "{{ parameters.p }}"}
        tasks:
          - {name: one, action: test.echo, input: {value: "{{ vars.v }}"},
             publish: {w: "{{ result() }}"}}
          - {name: two, action: test.echo, with-items: ["{{ vars.w }}"],
             input: {value: "{{ item }}"}}
        output: ["{{ task.one.output }}", "{{ vars.w }}", "{{ task.two.output }}"]
        """,
        echo,
        parameters={"p": text},
    )
    assert run.output == [text, text, [text]]


def test_a_failure_carries_type_message_and_data(loom) -> None:
    """What the action raised is what `show` and templates see."""
    run = loom.run(
        """
        tasks:
          - {name: bad, action: test.fail, input: {message: "no luck"}, on-error: continue}
          - {name: see, action: test.echo, input: {value: "{{ task.bad.error }}"}}
        output: "{{ task.see.output }}"
        """,
        fail,
        echo,
    )
    assert run.status is Status.SUCCEEDED
    assert run.output == {"type": "Broken", "message": "no luck", "data": {"code": 7}}


def test_an_unhandled_failure_fails_the_run_and_blocks_the_rest(loom) -> None:
    """The run's error names the task; the output's entries that can't be computed are null."""
    run = loom.run(
        """
        tasks:
          - {name: good, action: test.echo, input: {value: 1}}
          - {name: bad, action: test.fail}
          - {name: never, action: test.echo}
        output: {good: "{{ task.good.output }}", bad: "{{ task.bad.output.x }}"}
        """,
        fail,
        echo,
    )
    assert run.status is Status.FAILED
    assert run.error.message == 'task "bad" failed: Broken: broken'
    assert run.output == {"good": 1, "bad": None}
    assert run.tasks["never"].status is Status.BLOCKED


def test_the_traceback_of_an_error_is_the_authors(loom) -> None:
    """It begins in the action, without a frame of fanwise's own."""

    @fanwise.action("test.crash")
    async def crash() -> None:
        _ = {}["missing"]

    run = loom.run("tasks: [{name: crash, action: test.crash}]", crash)
    error = run.tasks["crash"].error
    assert (error.type, error.message) == ("KeyError", "'missing'")
    assert '{}["missing"]' in error.traceback
    assert "/fanwise/engine/" not in error.traceback
    assert "/fanwise/executors/" not in error.traceback


def test_a_task_is_retried_until_it_succeeds(loom) -> None:
    """The attempts are counted, and their waits double."""
    tries: list[float] = []

    @fanwise.action("test.flaky")
    async def flaky() -> int:
        tries.append(loom.clock.monotonic())
        if len(tries) < 4:
            raise OSError("not yet")
        return len(tries)

    run = loom.run(
        """
        tasks:
          - {name: flaky, action: test.flaky, retry: {count: 5, delay: 10s, jitter: false}}
        output: "{{ task.flaky.output }}"
        """,
        flaky,
    )
    assert run.output == 4
    assert run.tasks["flaky"].attempts == 4
    assert [b - a for a, b in itertools.pairwise(tries)] == [10, 20, 40]


@pytest.mark.parametrize(("asked", "waited"), [(60.0, 60.0), (0.5, 10.0), (1e9, 86_400.0)])
def test_a_retry_comes_no_earlier_than_the_error_asks_for(
    loom, asked: float, waited: float
) -> None:
    """The task's own delay holds as well, and a day is the longest wait."""
    times = []

    @fanwise.action("test.busy")
    async def busy() -> None:
        times.append(loom.clock.monotonic())
        if len(times) == 1:
            raise fanwise.ActionError("busy", retry_after_s=asked)

    retry = "{count: 1, delay: 10s, jitter: false}"
    loom.run(f"tasks: [{{name: a, action: test.busy, retry: {retry}}}]", busy)
    assert times[1] - times[0] == pytest.approx(waited)


def test_retry_when_chooses_which_failures_are_tried_again(loom) -> None:
    """A failure that it doesn't want ends the task at once."""
    run = loom.run(
        """
        tasks:
          - name: bad
            action: test.fail
            retry: {count: 5, when: "{{ error().type != 'Broken' }}"}
        """,
        fail,
    )
    assert run.tasks["bad"].attempts == 1


def test_an_error_that_forbids_it_is_not_retried(loom) -> None:
    """`retry=False` on an ActionError wins over the task's retry."""

    @fanwise.action("test.final")
    async def final() -> None:
        raise fanwise.ActionError("gone", retry=False)

    run = loom.run("tasks: [{name: a, action: test.final, retry: {count: 5}}]", final)
    assert run.tasks["a"].attempts == 1


def test_an_attempt_that_takes_too_long_is_cut_off(loom) -> None:
    """The action is cancelled, and the error's type is Timeout."""
    seen: list[str] = []

    @fanwise.action("test.hang")
    async def hang() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    run = loom.run("tasks: [{name: hang, action: test.hang, timeout: 5s}]", hang)
    assert seen == ["cancelled"]
    assert run.tasks["hang"].error.type == "Timeout"
    assert "5 s" in run.tasks["hang"].error.message


def test_an_action_that_swallows_its_cancellation_has_timed_out_all_the_same(loom) -> None:
    """Its late result doesn't count."""

    @fanwise.action("test.stubborn")
    async def stubborn() -> str:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            return "late"

    run = loom.run("tasks: [{name: a, action: test.stubborn, timeout: 5s}]", stubborn)
    assert run.tasks["a"].error.type == "Timeout"


def test_a_thread_that_overruns_keeps_its_slot_until_it_returns(loom) -> None:
    """The attempt fails at once, the run says so, and no other attempt starts before."""
    loom.use_real_time()
    release = threading.Event()
    running: list[int] = []
    most = 0

    @fanwise.action("test.block")
    def block() -> str:
        nonlocal most
        running.append(1)
        most = max(most, len(running))
        release.wait()
        running.pop()
        return "done"

    notice = loom.watcher.notice

    def note(text: str) -> None:
        notice(text)
        release.set()

    loom.watcher.notice = note
    run = loom.run(
        """
        tasks:
          - {name: block, action: test.block, timeout: 50ms, retry: {count: 1, delay: 0s}}
        """,
        block,
    )
    assert "has overrun its timeout" in loom.watcher.notices[0]
    assert most == 1
    assert run.tasks["block"].attempts == 2


def test_a_call_that_never_returns_holds_up_neither_its_task_nor_the_run(loom) -> None:
    """Its item fails at its timeout, the others get the slot, and the run counts what is left."""
    loom.use_real_time()
    hangs, ended = threading.Event(), threading.Event()

    @fanwise.action("test.hang")
    def hang(n: int) -> int:
        if n < 2:
            hangs.wait()
            ended.set()
        return n

    run = loom.run(
        """
        tasks:
          - {name: hang, action: test.hang, with-items: {range: 4}, concurrency: 1, timeout: 50ms,
             input: {n: "{{ item }}"}, tolerate: 2}
        """,
        hang,
    )
    assert run.tasks["hang"].items == ItemCounts(4, 2, 2)
    assert [item.status.value for item in loom.items()] == ["failed"] * 2 + ["succeeded"] * 2
    said, counted = loom.watcher.notices
    assert said.startswith("hang[0] has overrun its timeout and can't be stopped")
    assert counted.startswith("2 calls of hang can't be stopped and still run")
    hangs.set()
    assert ended.wait(60)


def test_calls_left_behind_are_bounded_by_the_attempts_that_may_run(loom) -> None:
    """Where more of them are left the task starts nothing more, and fails with the limit."""
    loom.use_real_time()
    loom.limits = Limits(running=2)
    hangs = threading.Event()

    @fanwise.action("test.hang")
    def hang() -> None:
        hangs.wait()

    run = loom.run(
        """
        tasks:
          - {name: hang, action: test.hang, with-items: {range: 9}, concurrency: 1, timeout: 20ms}
        """,
        hang,
    )
    hangs.set()
    assert run.tasks["hang"].error.type == "LimitExceeded"
    assert "overrun their timeouts" in run.tasks["hang"].error.message
    assert len(loom.items()) == 3


def test_an_action_that_blocks_the_loop_beyond_its_timeout_has_timed_out(loom) -> None:
    """Also if it returns a result; the error says that it held up the loop."""
    loom.clock = ManualClock()

    @fanwise.action("test.block")
    async def block(n: int) -> int:
        if n == 1:
            loom.clock._elapsed_s += 7  # as if it had computed, so no timer strikes meanwhile
        return n

    run = loom.run(
        """
        tasks:
          - {name: block, action: test.block, with-items: {range: 3}, timeout: 5s,
             input: {n: "{{ item }}"}}
        """,
        block,
    )
    assert run.tasks["block"].items == ItemCounts(3, 2, 1)
    assert run.tasks["block"].error.data["type"] == "Timeout"
    assert "so nothing could stop it. An action" in run.tasks["block"].error.message


@pytest.mark.parametrize("kind", [KeyboardInterrupt, GeneratorExit, SystemExit, BaseException])
@pytest.mark.parametrize("is_async", [True, False])
def test_whatever_an_action_raises_fails_its_attempt(loom, kind, is_async) -> None:
    """The item fails with the name of the class, and the others go on.

    A thread hands a `GeneratorExit` over as the cause of a `RuntimeError`.
    """
    loom.use_real_time()

    @fanwise.action("test.raise")
    async def on_loop(n: int) -> int:
        if n == 1:
            raise kind
        return n

    @fanwise.action("test.raise")
    def in_thread(n: int) -> int:
        if n == 1:
            raise kind
        return n

    run = loom.run(
        """
        tasks:
          - {name: all, action: test.raise, with-items: {range: 3}, concurrency: 1, tolerate: 1,
             input: {n: "{{ item }}"}}
        """,
        on_loop if is_async else in_thread,
    )
    assert run.tasks["all"].items == ItemCounts(3, 2, 1)
    (failed,) = loom.items(status=Status.FAILED)
    is_wrapped = kind is GeneratorExit and not is_async
    assert decode(failed.error)["type"] == ("RuntimeError" if is_wrapped else kind.__name__)


def test_a_real_ctrl_c_still_interrupts(loom) -> None:
    """Where it raises, as in a program that handles no signals: not at a `raise` of the action."""

    @fanwise.action("test.spin")
    async def spin() -> None:
        signal.raise_signal(signal.SIGINT)

    loop = asyncio.new_event_loop()
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(loom.arun("tasks: [{name: a, action: test.spin}]", spin))
    for task in asyncio.all_tasks(loop):
        task.cancel()
    with suppress(KeyboardInterrupt, asyncio.CancelledError):
        loop.run_until_complete(asyncio.gather(*asyncio.all_tasks(loop), return_exceptions=True))
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


def test_a_thread_that_raises_stop_iteration_fails_and_does_not_hang(loom) -> None:
    """A future can't carry StopIteration."""
    loom.use_real_time()

    @fanwise.action("test.stop")
    def stop() -> None:
        next(iter(()))

    run = loom.run("tasks: [{name: stop, action: test.stop}]", stop)
    assert run.tasks["stop"].error.type == "RuntimeError"


def test_an_action_that_exits_fails_only_itself(loom) -> None:
    """`sys.exit()` in an action doesn't end the process."""

    @fanwise.action("test.exit")
    async def leave() -> None:
        raise SystemExit(3)

    run = loom.run("tasks: [{name: leave, action: test.exit}]", leave)
    assert run.tasks["leave"].error.type == "SystemExit"


def test_a_cancellation_of_the_actions_own_is_a_failure(loom) -> None:
    """An inner task that was cancelled ends the attempt, not the engine."""

    @fanwise.action("test.inner")
    async def inner() -> None:
        raise asyncio.CancelledError

    run = loom.run("tasks: [{name: a, action: test.inner}]", inner)
    assert run.tasks["a"].error.type == "CancelledError"


def test_when_skips_a_task_and_passes_control_on(loom) -> None:
    """A skipped task reads as skipped, and what follows runs."""
    run = loom.run(
        """
        tasks:
          - {name: a, action: test.echo, when: "{{ 1 > 2 }}"}
          - {name: b, action: test.echo, input: {value: "{{ task.a.status }}"}}
        output: "{{ task.b.output }}"
        """,
        echo,
    )
    assert run.output == "skipped"
    assert run.tasks["a"].status is Status.SKIPPED


def test_a_condition_that_cannot_be_evaluated_fails_its_task(loom) -> None:
    """With the place of the template in the message."""
    run = loom.run(
        """
        tasks:
          - {name: a, action: test.echo, input: {value: {}}}
          - {name: b, action: test.echo, when: "{{ task.a.output.missing }}"}
        """,
        echo,
    )
    error = run.tasks["b"].error
    assert error.type == "TemplateError"
    assert "flow.yaml:4:48" in error.message


def test_published_variables_reach_later_tasks_and_the_output(loom) -> None:
    """Entries of one publish don't see each other, later tasks see them all."""
    run = loom.run(
        """
        vars: {n: 1, twice: "{{ vars.n * 2 }}"}
        tasks:
          - {name: a, action: test.echo, input: {value: 5},
             publish: {n: "{{ result() }}", old: "{{ vars.n }}"}}
          - {name: b, action: test.echo, input: {value: "{{ vars.n + vars.old + vars.twice }}"}}
        output: "{{ task.b.output }}"
        """,
        echo,
    )
    assert run.output == 8


def test_a_delayed_task_waits_and_its_due_time_is_recorded(loom) -> None:
    """The wait is from when the task could start."""
    started: list[float] = []

    @fanwise.action("test.note")
    async def note() -> None:
        started.append(loom.clock.now())

    before = loom.clock.now()
    loom.run("tasks: [{name: note, action: test.note, delay: 2m}]", note)
    assert started == [before + 120]
    assert loom.rows()[0].due_at == before + 120


def test_settings_can_be_templates(loom) -> None:
    """A value that the key doesn't take is an error that names the key."""
    text = """
        parameters: {n: {}}
        tasks:
          - {name: bad, action: test.fail, retry: {count: "{{ parameters.n }}", delay: 0}}
        """
    assert loom.run(text, fail, parameters={"n": 3}).tasks["bad"].attempts == 4
    error = loom.run(text, fail, parameters={"n": "three"}).tasks["bad"].error
    assert "retry.count takes a whole number from 0" in error.message
    assert "three" not in error.message


def test_a_run_that_takes_longer_than_its_timeout_fails(loom) -> None:
    """What runs is cut off and the rest is cancelled."""

    @fanwise.action("test.hang")
    async def hang() -> None:
        await asyncio.get_running_loop().create_future()

    run = loom.run(
        "timeout: 1h\ntasks: [{name: a, action: test.hang}, {name: b, action: test.hang}]", hang
    )
    assert (run.status, run.error.type) == (Status.FAILED, "Timeout")
    assert [task.status for task in run.tasks.values()] == ["cancelled", "cancelled"]


def test_a_pause_lets_the_running_task_finish_and_starts_no_other(loom) -> None:
    """What had started is recorded as it ended."""

    @fanwise.action("test.pause")
    async def pause(context: fanwise.ActionContext) -> bool:
        loom.engine.pause()
        await asyncio.sleep(0)
        return context.stopping

    run = loom.run("tasks: [{name: a, action: test.pause}, {name: b, action: test.pause}]", pause)
    assert run.status is Status.PAUSED
    assert [task.status for task in run.tasks.values()] == ["succeeded", "pending"]
    assert loom.store.runs()[0].status is Status.PAUSED
    assert json.loads(loom.rows()[0].output) is True


def test_an_action_learns_about_its_attempt(loom) -> None:
    """The idempotency key is the same for every attempt of the same work."""
    contexts: list[fanwise.ActionContext] = []

    @fanwise.action("test.look")
    async def look(context: fanwise.ActionContext) -> None:
        contexts.append(context)
        if len(contexts) == 1:
            raise OSError("again")

    run = loom.run(
        "tasks: [{name: look, action: test.look, timeout: 60s, retry: {count: 1, delay: 0}}]", look
    )
    first, second = contexts
    assert (first.attempt, second.attempt) == (1, 2)
    assert first.idempotency_key == second.idempotency_key
    assert (first.run_id, first.task, first.index) == (run.id, "look", None)
    assert first.deadline == pytest.approx(loom.clock.now() + 60)


@pytest.mark.parametrize("bad", [float("nan"), {1, 2}, "\ud800", "a\0b", {1: 2}, object()])
def test_a_result_that_is_not_json_fails_its_task_with_the_path(loom, bad) -> None:
    """The error says where in the result, and of which type the value is."""

    @fanwise.action("test.bad")
    async def give() -> object:
        return {"rows": [0, bad]}

    error = loom.run("tasks: [{name: a, action: test.bad}]", give).tasks["a"].error
    assert error.type == "ResultError"
    assert "result.rows[1]" in error.message


def test_a_result_over_the_limit_names_task_size_and_setting(loom) -> None:
    """Invariant 12."""
    loom.limits = fanwise.Limits(result_bytes=100)
    run = loom.run(
        "tasks: [{name: big, action: test.echo, input: {value: \"{{ 'x' * 200 }}\"}}]", echo
    )
    message = run.tasks["big"].error.message
    assert "big" in message
    assert "202 bytes" in message
    assert "limits.result_bytes" in message


@pytest.mark.parametrize("value", ["7", '"{{ item }}"'])
def test_an_input_does_not_take_the_place_of_the_limits(loom, value) -> None:
    """An action that takes any names has its limits from the run all the same."""

    @fanwise.action("test.any")
    async def give(limits: fanwise.Limits, **values: object) -> list[object]:
        return [limits.result_bytes, sorted(values)]

    loom.limits = fanwise.Limits(result_bytes=1_234)
    run = loom.run(
        "tasks: [{name: a, action: test.any, with-items: [1], input: {limits: VALUE, x: 1}}]\n"
        'output: "{{ task.a.output[0] }}"'.replace("VALUE", value),
        give,
    )
    assert run.output == [1_234, ["x"]]


def test_secrets_are_masked_and_never_stored(loom) -> None:
    """Neither in parameters nor in results, errors or tracebacks; actions get the real value."""
    loom.environment = {"FANWISE_SECRET_TOKEN": "s3cr3t-t0k3n"}
    seen: list[tuple[str, str]] = []

    @fanwise.action("test.leak")
    async def leak(password: str, token: str) -> object:
        seen.append((password, token))
        return {"echo": f"{password} and {token}", password: 1}

    @fanwise.action("test.crash")
    async def crash(token: str) -> None:
        raise RuntimeError(f"bad token {token}")

    run = loom.run(
        """
        parameters: {password: {type: string, secret: true}}
        tasks:
          - {name: leak, action: test.leak,
             input: {password: "{{ parameters.password }}", token: "{{ secrets.TOKEN }}"}}
          - {name: crash, action: test.crash, input: {token: "{{ secrets.TOKEN }}"}}
        output: "{{ task.leak.output }}"
        """,
        leak,
        crash,
        parameters={"password": "hunter2-hunter2"},
    )
    assert seen == [("hunter2-hunter2", "s3cr3t-t0k3n")]
    assert run.output == {"echo": "*** and ***", "***": 1}
    assert run.tasks["crash"].error.message == "bad token ***"
    loom.store.close()
    for file in loom.folder.iterdir():
        assert b"hunter2" not in file.read_bytes()
        assert b"s3cr3t" not in file.read_bytes()


def test_a_secret_that_is_not_set_stops_the_run_before_it_starts(loom) -> None:
    """With the name of the variable to set."""
    text = 'tasks: [{name: a, action: test.echo, input: {value: "{{ secrets.KEY }}"}}]'
    with pytest.raises(ParameterError, match="FANWISE_SECRET_KEY"):
        loom.run(text, echo)
    assert loom.store.runs() == []


def test_parameters_that_do_not_fit_are_all_told_at_once(loom) -> None:
    """Missing, unknown and of the wrong type; values aren't quoted."""
    text = """
        parameters: {name: {required: true}, size: {type: integer}}
        tasks: [{name: a, action: test.echo}]
        """
    with pytest.raises(ParameterError) as caught:
        loom.run(text, echo, parameters={"size": "large", "nmae": 1})
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert 'no parameter "nmae". Did you mean "name"?' in lines[0]
    assert "large" not in str(caught.value)


@pytest.mark.parametrize("run_id", ["", ".hidden", "a/b", "x" * 101, "ü"])
def test_a_malformed_run_id_is_refused(loom, run_id) -> None:
    """Before anything is recorded."""
    with pytest.raises(UsageError, match="can't be the id of a run"):
        asyncio.run(loom.arun("tasks: [{name: a, action: test.echo}]", echo, run_id=run_id))
    assert loom.store.runs() == []


def test_a_run_id_that_is_taken_is_refused(loom) -> None:
    """The run that has it stays as it is."""
    text = "tasks: [{name: a, action: test.echo}]"
    asyncio.run(loom.arun(text, echo, run_id="mine"))
    with pytest.raises(RunExistsError, match='"mine" exists already'):
        asyncio.run(loom.arun(text, echo, run_id="mine"))
    assert len(loom.store.runs()) == 1


def test_what_is_told_was_recorded_first(loom) -> None:
    """Invariant 5: at the moment a task's end is told, a second reader finds it in the store."""
    found: list[str] = []
    original = loom.watcher.task_ended

    def look(name, status, error) -> None:
        found.append(loom.rows()[0].status.value)
        original(name, status, error)

    loom.watcher.task_ended = look
    loom.run("tasks: [{name: a, action: test.echo}]", echo)
    assert found == ["succeeded"]
    assert loom.watcher.told[0][0] == "run_started"
    assert loom.watcher.told[-1] == ("run_ended", "succeeded")


def test_every_event_is_recorded_in_order(loom) -> None:
    """All that resuming will need: replaying these decides the same again."""
    loom.run(
        """
        vars: {n: 1}
        tasks: [{name: a, action: test.echo, when: "{{ vars.n == 1 }}", publish: {m: 2}}]
        output: {n: "{{ vars.m }}"}
        """,
        echo,
    )
    events = list(loom.store.events(1))
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert [event.kind for event in events] == [
        "RunStarted",
        "Evaluated",
        "Evaluated",
        "TaskEnded",
        "Evaluated",
        "Evaluated",
    ]
    assert msgspec.json.decode(events[1].data)["value"] == {"n": 1}


def test_path_inputs_start_at_the_workflows_folder(loom, tmp_path) -> None:
    """A parameter annotated as a Path gets an absolute one."""

    @fanwise.action("test.read")
    def read(path: Path) -> str:
        return path.read_text()

    (tmp_path / "data.txt").write_text("found")
    loom.use_real_time()
    run = loom.run(
        """
        tasks: [{name: read, action: test.read, input: {path: data.txt}}]
        output: "{{ task.read.output }}"
        """,
        read,
    )
    assert run.output == "found"


def test_a_context_over_the_limit_names_task_size_and_setting(loom) -> None:
    """The task whose result is one too many fails."""
    loom.limits = fanwise.Limits(context_bytes=250)
    run = loom.run(
        """
        tasks:
          - {name: one, action: test.echo, input: {value: "{{ 'x' * 200 }}"}}
          - {name: two, action: test.echo, input: {value: "{{ 'x' * 200 }}"}}
        """,
        echo,
    )
    assert run.tasks["one"].status is Status.SUCCEEDED
    error = run.tasks["two"].error
    assert error.type == "LimitExceeded"
    assert "two" in error.message
    assert "limits.context_bytes" in error.message


def test_a_runs_parameters_count_towards_its_context(loom) -> None:
    """A result that fits by itself is one too many beside them."""
    loom.limits = fanwise.Limits(context_bytes=250)
    run = loom.run(
        """
        parameters: {p: {}}
        tasks: [{name: one, action: test.echo, input: {value: "{{ 'x' * 100 }}"}}]
        """,
        echo,
        parameters={"p": "y" * 200},
    )
    assert run.tasks["one"].error.type == "LimitExceeded"


def test_an_action_for_a_process_runs_in_a_thread_and_says_so(loom) -> None:
    @fanwise.action("test.compute", cpu=True)
    def compute() -> str:
        return threading.current_thread().name

    loom.use_real_time()
    run = loom.run(
        "tasks: [{name: a, action: test.compute}]\noutput: '{{ task.a.output }}'", compute
    )
    assert run.output.startswith("fanwise-action")
    assert "cpu=True" in loom.watcher.notices[0]


@pytest.mark.parametrize(
    "keys",
    [
        "when: '{{ task.ask.output }}'",
        "next: {when: '{{ task.ask.output }}', do: fail}",
        "retry: {count: 3, until: '{{ task.ask.output }}'}",
    ],
)
def test_a_condition_that_gives_a_text_fails_its_task(loom, keys: str) -> None:
    """The text `false` of a command or a file would hold; the message tells to compare it."""
    run = loom.run(
        f"""
        tasks:
          - {{name: ask, action: test.echo, input: {{value: "false"}}, next: deploy}}
          - name: deploy
            action: test.echo
            {keys}
        """,
        echo,
    )
    error = run.tasks["deploy"].error
    assert error is not None
    assert error.type == "TemplateError"
    assert "gave a text, which is neither true nor false. Compare it" in error.message


@pytest.mark.parametrize(
    ("given", "status"),
    [("null", "skipped"), ("0", "skipped"), ("[]", "skipped"), ("[0]", "succeeded")],
)
def test_a_condition_that_gives_no_text_holds_unless_it_is_empty(loom, given, status) -> None:
    """Numbers other than 0, and lists and maps with something in them, hold."""
    run = loom.run(
        f"""
        tasks:
          - {{name: ask, action: test.echo, input: {{value: {given}}}}}
          - {{name: a, action: test.echo, when: "{{{{ task.ask.output }}}}"}}
        """,
        echo,
    )
    assert run.tasks["a"].status == status
