"""What actions print and log is recorded with their attempts, and nothing else is."""

# ruff: noqa: T201 - printing is what is tested

from __future__ import annotations

import asyncio
import gc
import io
import logging
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

import fanwise
from fanwise.engine import capture
from fanwise.engine.masking import Masker
from fanwise.model import ItemOutcome, LogEntry, Status
from fanwise.ports import Observer
from fanwise.stores import open_store
from fanwise.testing.stores import GatedStore, RefusingStore, StoreWrapper

EACH = """
tasks:
  - name: each
    action: test.say
    with-items: {range: 20}
    concurrency: 7
    label: "no {{ item }}"
    input: {n: "{{ item }}"}
"""
ONCE = "tasks: [{name: once, action: test.say}]"


def run(loom, text: str, *actions: Callable[..., Any], **options: Any) -> fanwise.Run:
    return loom.run(text, *actions, **options)


def logs(loom) -> list[LogEntry]:
    """Those of the newest run."""
    return list(loom.store.logs(loom.store.runs(limit=1)[0].run_no, limit=100_000))


def texts(loom) -> list[str]:
    return [log.text for log in logs(loom)]


@fanwise.action("test.say")
async def say_in_turns(n: int) -> None:
    """Prints a line in pieces, between which other items print theirs."""
    print("item", n, end="")
    for _ in range(3):
        await asyncio.sleep(0)
        print("", n, end="", file=sys.stderr)
    print()


def test_what_an_attempt_writes_is_its_log_in_order(loom) -> None:
    """Standard output, standard error and logging, each line as it is written."""

    @fanwise.action("test.say")
    async def say(context: fanwise.ActionContext) -> int:
        print("to standard output", 1, 2.5)
        sys.stderr.writelines(["to standard ", "error\n"])
        context.logger.warning("the disk is %d %% full", 95)
        try:
            {}["host"]
        except KeyError:
            logging.getLogger("my.lib").exception("no host")
        print("no end of line", end="")
        return 7

    done = run(loom, ONCE, say)
    assert done.status is Status.SUCCEEDED
    (log,) = logs(loom)
    assert (log.path, log.index, log.attempt, log.label) == ("once", None, 1, None)
    lines = log.text.split("\n")
    assert lines[:4] == [
        "to standard output 1 2.5",
        "to standard error",
        "WARNING fanwise.action.test.say: the disk is 95 % full",
        "ERROR my.lib: no host",
    ]
    assert lines[4] == "Traceback (most recent call last):"
    assert lines[-2:] == ["KeyError: 'host'", "no end of line"]


def test_items_that_run_side_by_side_keep_their_logs_apart(loom) -> None:
    """Each line is whole, although other items printed theirs in the midst of it."""
    run(loom, EACH, say_in_turns)
    found = logs(loom)
    assert [log.text for log in found] == [f"item {n} {n} {n} {n}\n" for n in range(20)]
    assert [(log.path, log.index) for log in found] == [(f"each[{n}]", n) for n in range(20)]
    assert [log.label for log in found] == [f"no {n}" for n in range(20)]


def test_what_a_thread_prints_is_its_items(loom) -> None:
    """So it is for `def`, and for what an action hands to `asyncio.to_thread`."""

    @fanwise.action("test.say")
    def say(n: int) -> None:
        print("thread", n)

    @fanwise.action("test.hand")
    async def hand(n: int) -> None:
        await asyncio.to_thread(print, "handed", n)

    loom.use_real_time()
    run(loom, EACH, say)
    assert texts(loom) == [f"thread {n}\n" for n in range(20)]
    run(loom, EACH.replace("test.say", "test.hand"), hand)
    assert texts(loom) == [f"handed {n}\n" for n in range(20)]


def test_an_attempt_that_was_silent_has_no_log(loom) -> None:
    """Also between others that print, in the same worker."""

    @fanwise.action("test.say")
    async def say(n: int) -> None:
        if n % 5 == 3:
            print(n)

    run(loom, EACH.replace("concurrency: 7", "concurrency: 1"), say)
    assert [(log.index, log.text) for log in logs(loom)] == [(n, f"{n}\n") for n in (3, 8, 13, 18)]


def test_attempts_that_failed_keep_their_logs(loom) -> None:
    """Those that are tried again, and the last one."""

    @fanwise.action("test.say")
    async def say(context: fanwise.ActionContext) -> None:
        print("try", context.attempt)
        raise fanwise.ActionError("no")

    text = """
        tasks:
          - {name: each, action: test.say, with-items: [a, b], retry: {count: 2, delay: 1s}}
        """
    assert run(loom, text, say).status is Status.FAILED
    assert [(log.index, log.attempt, log.text) for log in logs(loom)] == [
        (n, attempt, f"try {attempt}\n") for n in (0, 1) for attempt in (1, 2, 3)
    ]
    starts = [log.at for log in logs(loom)][:3]
    assert starts == sorted(starts)


def test_an_attempt_that_is_too_slow_keeps_its_log(loom) -> None:
    """What it had written by then."""

    @fanwise.action("test.say")
    async def say() -> None:
        print("waiting")
        await asyncio.Event().wait()

    run(loom, "tasks: [{name: once, action: test.say, timeout: 5s}]", say)
    assert texts(loom) == ["waiting\n"]


def test_what_a_thread_prints_after_its_timeout_is_dropped(loom, capsys) -> None:
    """It may hold a secret, so it isn't shown either; the next item has its own lines only."""
    released = threading.Event()

    @fanwise.action("test.say")
    def say(n: int) -> None:
        print("begins", n)
        if n == 0:
            released.wait(60)
            print("too late")

    def release(text: str) -> None:
        released.set()
        print(text)

    loom.use_real_time()
    loom.watcher.notice = release
    text = """
        tasks:
          - {name: each, action: test.say, with-items: {range: 2}, concurrency: 1, timeout: 50ms,
             input: {n: "{{ item }}"}}
        """
    run(loom, text, say)
    assert texts(loom) == ["begins 0\n", "begins 1\n"]
    printed = capsys.readouterr().out
    assert "too late" not in printed
    assert "has overrun its timeout" in printed


def test_what_is_printed_outside_of_attempts_goes_where_it_always_went(loom, capsys) -> None:
    """What an observer prints, the caller, and a thread that an action starts by itself."""

    @fanwise.action("test.say")
    async def say() -> None:
        thread = threading.Thread(target=print, args=("my own thread",))
        thread.start()
        thread.join()
        print("heard")

    def tell(text: str) -> None:
        print("told", text)

    loom.watcher.notice = tell
    text = """
        tasks:
          - {name: each, action: test.say, with-items: [1], label: "{{ item.name }}"}
        """
    print("before")
    loom.run(text, say)
    print("after", file=sys.stderr)
    printed = capsys.readouterr()
    assert texts(loom) == ["heard\n"]
    assert printed.out.startswith("before\nmy own thread\ntold an item's label can't be rendered")
    assert printed.err == "after\n"


def test_what_an_actions_own_threads_print_is_masked(loom, capsys) -> None:
    """Whether as text or as bytes, and after the run as well."""
    loom.environment = {"FANWISE_SECRET_WORD": "hunter2xyz"}
    is_over, threads = threading.Event(), list[threading.Thread]()

    def late(word: str) -> None:
        assert is_over.wait(60)
        print("late", word)

    @fanwise.action("test.say")
    def say(word: str) -> None:
        sys.stdout.buffer.write(b"bytes " + word.encode() + b"\n")
        threads.append(threading.Thread(target=late, args=(word,)))
        threads[0].start()
        with ThreadPoolExecutor() as pool:
            pool.submit(print, "pool", word).result()
            pool.submit(lambda: sys.stdout.buffer.write(b"raw " + word.encode())).result()

    text = 'tasks: [{name: once, action: test.say, input: {word: "{{ secrets.WORD }}"}}]'
    run(loom, text, say)
    is_over.set()
    threads[0].join()
    assert texts(loom) == ["bytes ***\n"]
    assert capsys.readouterr().out == "pool ***\nraw ***late ***\n"


def test_what_outlives_its_attempt_is_heard_by_nobody(loom, capsys) -> None:
    """A task that an action leaves behind may print a secret: its text is dropped."""
    released = asyncio.Event()
    left: list[asyncio.Task[None]] = []

    async def linger() -> None:
        await released.wait()
        print("still here")

    @fanwise.action("test.say")
    async def say() -> None:
        left.append(asyncio.create_task(linger()))

    async def both() -> None:
        await loom.arun(ONCE, say)
        released.set()
        await left[0]

    asyncio.run(both())
    assert texts(loom) == []
    assert capsys.readouterr().out == ""


def test_without_a_run_in_progress_the_streams_and_logging_are_left_alone(
    loom, monkeypatch
) -> None:
    """They are as they were before the first of several runs, once the last of them has ended."""
    gc.collect()
    monkeypatch.setattr(capture, "_living", set())  # threads that other tests left may hold logs
    capture._uncover_if_idle()
    before = sys.stdout, sys.stderr, logging.getLogger().level, logging.getLogger().handlers[:]
    release = asyncio.Event()

    @fanwise.action("test.say")
    async def say(text: str) -> None:
        await release.wait()
        print(text)

    async def overlapping() -> None:
        text = "tasks: [{name: once, action: test.say, input: {text: hello}}]"
        plan, engine = loom.plan(text, say), loom.make_engine()
        handles = [await engine.start(plan) for _ in range(3)]
        release.set()
        await asyncio.gather(*[handle.wait() for handle in reversed(handles)])

    asyncio.run(overlapping())
    for run in loom.store.runs():
        assert [log.text for log in loom.store.logs(run.run_no)] == ["hello\n"]
    after = sys.stdout, sys.stderr, logging.getLogger().level, logging.getLogger().handlers[:]
    assert after == before


def test_a_stream_that_came_during_a_run_stays(loom, monkeypatch) -> None:
    """Only the streams that a run has put there are put back."""
    mine = io.StringIO()

    @fanwise.action("test.say")
    async def say() -> None:
        monkeypatch.setattr(sys, "stdout", mine)
        print("said")

    loom.run(ONCE, say)
    assert sys.stdout is mine
    assert mine.getvalue() == "said\n"


def test_records_from_info_on_are_heard_if_nobody_has_configured_logging(
    loom, capsys, monkeypatch
) -> None:
    """Outside of attempts warnings are printed, as Python does by itself, and the rest is not."""

    @fanwise.action("test.say")
    async def say(context: fanwise.ActionContext) -> None:
        context.logger.debug("too much")
        context.logger.info("just right")

    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # which are pytest's

    class Caller(Observer):
        def task_ended(self, *_: object) -> None:
            logging.getLogger("caller").info("not printed")
            logging.getLogger("caller").warning("printed")

    loom.watcher = Caller()
    loom.run(ONCE, say)
    logging.getLogger("caller").info("not printed")
    assert texts(loom) == ["INFO fanwise.action.test.say: just right\n"]
    assert capsys.readouterr().err == "printed\n"


def test_whoever_configures_logging_decides_which_records_there_are(loom, caplog) -> None:
    """The handlers of others get them, too."""

    @fanwise.action("test.say")
    async def say(context: fanwise.ActionContext) -> None:
        context.logger.info("too little")
        context.logger.error("enough")

    caplog.set_level(logging.ERROR)
    run(loom, ONCE, say)
    assert texts(loom) == ["ERROR fanwise.action.test.say: enough\n"]
    assert caplog.messages == ["enough"]


def test_an_attempts_log_is_no_terminal(loom, monkeypatch) -> None:
    """So libraries draw no bars and no colours into it."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    @fanwise.action("test.say")
    async def say() -> bool:
        return sys.stdout.isatty()

    monkeypatch.setattr(sys, "stdout", Terminal())
    seen = []
    loom.watcher.task_ended = lambda *_: seen.append(sys.stdout.isatty())
    done = loom.run(f'{ONCE}\noutput: "{{{{ task.once.output }}}}"', say)
    assert (done.output, seen) == (False, [True])


def test_a_log_has_a_bound_and_says_what_was_left_out(loom) -> None:
    """`limits.log_bytes` counts UTF-8, over all that an attempt writes."""

    @fanwise.action("test.say")
    async def say(n: int) -> None:
        for _ in range(n):
            sys.stdout.write("ü" * 4)

    loom.limits = fanwise.Limits(log_bytes=15)
    run(loom, EACH.replace("{range: 20}", "[1, 2, 3]"), say)
    assert texts(loom) == [
        "üüüü",
        "üüüüüüü\n(1 bytes more were left out: limits.log_bytes)\n",
        "üüüüüüü\n(9 bytes more were left out: limits.log_bytes)\n",
    ]


def test_what_cannot_be_stored_is_replaced(loom) -> None:
    """A NUL and half a surrogate pair harm nothing."""

    @fanwise.action("test.say")
    async def say() -> None:
        print("a\0b \ud800 c")

    assert run(loom, ONCE, say).status is Status.SUCCEEDED
    assert texts(loom) == ["a\ufffdb ? c\n"]


def test_secrets_are_masked_in_logs(loom) -> None:
    """Also where the bound cuts one in two."""

    @fanwise.action("test.say")
    async def say(token: str) -> None:
        logging.getLogger("http").warning("Bearer %s", token)
        print("again", token)

    loom.environment = {"FANWISE_SECRET_TOKEN": "s3cret-t0ken"}
    text = 'tasks: [{name: once, action: test.say, input: {token: "{{ secrets.TOKEN }}"}}]'
    run(loom, text, say)
    assert texts(loom) == ["WARNING http: Bearer ***\nagain ***\n"]
    whole = len("WARNING http: Bearer s3cret-t0ken\nagain s3cret-t0ken\n")
    for log_bytes in range(1, whole):
        loom.limits = fanwise.Limits(log_bytes=log_bytes)
        run(loom, text, say)
        (written,) = texts(loom)
        assert "left out" in written
        assert "s3" not in written


secrets = st.lists(st.text("ab \n", min_size=1, max_size=6), min_size=1, max_size=3)


@settings(deadline=None, max_examples=300)
@given(secrets, st.text("ab \n", max_size=30), st.integers(0, 30))
def test_the_beginning_of_a_text_is_masked_as_the_whole_is(known, text, length) -> None:
    """Wherever a text is cut, and however its secrets overlap."""
    masker = Masker(known)
    assert masker.text(text).startswith(masker.beginning(text[:length]))


class Commits(StoreWrapper):
    """Remembers what each commit held."""

    def __init__(self, store) -> None:
        super().__init__(store)
        self.groups: list[list[object]] = []

    def commit(self, records, tokens=(), *, at_once_bytes=None) -> bool:
        is_written = super().commit(records, tokens, at_once_bytes=at_once_bytes)
        if is_written:
            self.groups.append(list(records))
        return is_written


def test_a_log_is_recorded_no_later_than_its_items_outcome(loom) -> None:
    """Whoever is told of an outcome can read its log."""
    loom.store = Commits(loom.store)
    run(loom, EACH, say_in_turns)
    seen: set[int | None] = set()
    for group in loom.store.groups:
        seen |= {record.index for record in group if isinstance(record, LogEntry)}
        assert {record.index for record in group if isinstance(record, ItemOutcome)} <= seen
    assert len(seen) == 20


def test_a_log_that_the_store_refuses_harms_only_itself(loom) -> None:
    """The item succeeds, and a line says why its log isn't there."""

    def refuses(record: object) -> bool:
        return isinstance(record, LogEntry) and "item 3 " in record.text

    loom.store = RefusingStore(loom.store, refuses)
    done = run(loom, EACH, say_in_turns)
    assert done.tasks["each"].items == fanwise.ItemCounts(20, 20, 0)
    assert texts(loom)[2:5] == [
        "item 2 2 2 2\n",
        "(the store refuses this log: the store refuses a record.)\n",
        "item 4 4 4 4\n",
    ]


def test_logs_that_wait_for_a_slow_store_hold_the_fan_out_back(loom) -> None:
    """Their size counts towards `limits.queue_bytes`, so they don't pile up in memory."""
    loom.limits = fanwise.Limits(queue_bytes=100_000)  # ten logs
    gate = GatedStore(loom.store)
    loom.store = gate
    calls = 0
    ahead: list[int] = []

    @fanwise.action("test.say")
    async def say() -> None:
        nonlocal calls
        calls += 1
        print("x" * 10_000)

    def let_through() -> None:
        while not finished.is_set():
            gate.wait_for_commit()
            progress = loom.watcher.progress.get("each")
            if progress is not None:
                ahead.append(calls - progress.succeeded)
            gate.let_pass()

    finished = threading.Event()
    threading.Thread(target=let_through, daemon=True).start()
    text = "tasks: [{name: each, action: test.say, with-items: {range: 200}, concurrency: 5}]"
    done = run(loom, text, say)
    finished.set()
    gate.open()
    assert done.tasks["each"].items.succeeded == len(logs(loom)) == 200
    # A group being written, a full queue, and what ran when it filled up.
    assert max(ahead) <= 2 * 10 + 2 * 5


@fanwise.action("test.say")
async def say_text(text: str) -> None:
    print(text)


@fanwise.action("test.block", cpu=True)
def block_text(text: str) -> None:
    print(text)


CHILD = """
parameters: {who: {type: string, required: true}}
tasks:
  - {name: greet, action: test.say, input: {text: "hello {{ parameters.who }}"}}
  - {name: leave, action: test.block, input: {text: "bye {{ parameters.who }}"}}
"""
PARENT = """
tasks:
  - {name: call, action: ./child.yaml, with-items: [ada, grace], input: {who: "{{ item }}"}}
"""


class Teller(Observer):
    """Prints what it is told."""

    def notice(self, text: str) -> None:
        print("told", text)


def test_the_steps_of_a_child_workflow_have_logs_of_their_own(tmp_path: Path, capsys) -> None:
    """Their paths name the task and the item above them; what is told of them is nobody's log."""
    files = {"child.yaml": CHILD, "main.yaml": PARENT}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    store, actions = str(tmp_path / "fanwise.db"), [say_text, block_text]
    fanwise.run(tmp_path / "main.yaml", store=store, actions=actions, observer=Teller())
    assert "told call[0].leave runs in a thread" in capsys.readouterr().out
    with open_store(str(tmp_path / "fanwise.db")) as store:
        assert {log.path: log.text for log in store.logs(1)} == {
            "call[0].greet": "hello ada\n",
            "call[0].leave": "bye ada\n",
            "call[1].greet": "hello grace\n",
            "call[1].leave": "bye grace\n",
        }


def test_text_is_recorded_while_its_attempt_runs_whatever_its_way(loom) -> None:
    """The action ends once an observer has heard its line; a line that isn't complete waits."""
    loom.use_real_time()
    heard = threading.Event()
    seen: list[str] = []

    def logged(log: LogEntry) -> None:
        assert loom.store.new_logs(log.run_no)  # it was recorded first
        seen.append(log.text)
        heard.set()

    @fanwise.action("test.say")
    def say() -> None:
        print("a line")
        print("its beginning", end="")
        assert heard.wait(60)
        print(", its end")

    loom.watcher.logged = logged
    assert run(loom, ONCE, say).status is Status.SUCCEEDED
    assert seen == texts(loom) == ["a line\n", "its beginning, its end\n"]
    first, second = logs(loom)
    assert first.at <= second.at
    assert first.log_no < second.log_no


def test_a_secret_that_is_printed_word_by_word_is_masked_while_its_attempt_runs(loom) -> None:
    """Lines that may be the beginning of one wait for those that follow."""
    loom.use_real_time()
    heard = threading.Event()
    loom.environment = {"FANWISE_SECRET_WORDS": "correct horse battery"}

    @fanwise.action("test.say")
    def say(words: str) -> None:
        print("first\ncorrect\nhorse")
        assert heard.wait(60)
        print("battery\nlast")

    def logged(log: LogEntry) -> None:
        heard.set()

    loom.watcher.logged = logged
    text = 'tasks: [{name: once, action: test.say, input: {words: "{{ secrets.WORDS }}"}}]'
    assert run(loom, text, say).status is Status.SUCCEEDED
    assert texts(loom) == ["first\n", "***\nlast\n"]


lines = st.lists(st.text("ab ", max_size=5).map(lambda text: f"{text}\n"), max_size=8)


@settings(deadline=None, max_examples=300)
@given(secrets, lines, st.integers(0, 8))
@example(["a a"], ["a\n", "aaaa\n", *["aaaaa\n"] * 5], 7)  # a line begins within an occurrence
def test_lines_that_are_masked_apart_read_as_the_whole_does(known, written, count) -> None:
    """Wherever an attempt's text is recorded in between, and however its secrets lie."""
    masker = Masker(known)
    text = "".join(written)
    cut = masker.settled("".join(written[:count]))
    assert masker.text(text[:cut]) + masker.text(text[cut:]) == masker.text(text)
