"""Promises of every store about answers, as tests to mix into a `StoreContract`.

class TestMyStore(AnswersContract, StoreContract):
    def open(self, folder: Path, now: Callable[[], float]) -> Store:
        return MyStore(folder / "store", now)
"""

from __future__ import annotations

import msgspec
import pytest

from fanwise.errors import RecordRefusedError, RunOverError
from fanwise.model import GivenAnswer, Status, Wait, WaitState
from fanwise.stores import Store
from fanwise.testing.clock import ManualClock
from fanwise.testing.ownership_contract import at_once
from fanwise.testing.records import a_run
from fanwise.testing.waits_contract import a_driven_run, a_question


def an_answer(choice: str = "approve") -> GivenAnswer:
    """An answer of somebody."""
    return GivenAnswer(choice=choice, by="ada", via="cli")


def checked(_: Wait, given: GivenAnswer) -> bytes | None:
    """Every answer fits but `no`."""
    return None if given.choice == "no" else msgspec.json.encode(given.choice)


class AnswersContract:
    """The promises of `Waits` about answers to questions that are asked, and to those to come."""

    def test_the_first_answer_settles_a_wait(self, store: Store, clock: ManualClock) -> None:
        """A second one gets the first, and changes nothing."""
        run_no = a_driven_run(store)
        store.open_waits(run_no, 1, [a_question()])
        clock.advance(5)
        wait = store.answer_wait(run_no, "ask", 1, b'{"n":1}', by="ada", via="cli")
        assert (wait.state, wait.answer, wait.by, wait.via) == (
            WaitState.ANSWERED,
            b'{"n":1}',
            "ada",
            "cli",
        )
        assert (wait.settled_at, wait.settled_no) == (clock.now(), 1)
        assert store.answer_wait(run_no, "ask", 1, b"2", by="bob", via="cli") == wait
        assert store.settled_waits(run_no) == [wait]
        assert list(store.waits_open()) == []

    def test_of_answers_at_once_one_settles_the_wait(self, store: Store) -> None:
        """All of them are told the same."""
        run_no = a_driven_run(store)
        for turn in range(1, 26):
            store.open_waits(run_no, 1, [a_question(turn=turn)])

            def answer(number: int, turn: int = turn) -> Wait:
                text = str(number).encode()
                return store.answer_wait(run_no, "ask", turn, text, by="ada", via="cli")

            found = at_once(4, answer)
            assert len({each.answer for each in found}) == 1

    def test_answers_at_once_settle_each_its_own_wait(
        self, store: Store, clock: ManualClock
    ) -> None:
        """None is lost or doubled, and one whose deadline has come is told so."""
        run_no = a_driven_run(store)
        store.open_waits(run_no, 1, [a_question(path) for path in "abcdefg"])
        store.open_waits(run_no, 1, [a_question("h", timeout_s=60)])
        clock.advance(60)

        def answer(number: int) -> Wait:
            text = str(number).encode()
            return store.answer_wait(run_no, "abcdefgh"[number], 1, text, by="ada", via="cli")

        *found, late = at_once(8, answer)
        assert [(each.path, each.answer) for each in found] == [
            (path, str(number).encode()) for number, path in enumerate("abcdefg")
        ]
        assert (late.state, late.answer) == (WaitState.EXPIRED, None)
        settled = store.settled_waits(run_no)
        assert sorted(each.path for each in settled) == list("abcdefgh")
        assert len({each.settled_no for each in settled}) == 8

    # answers that come before their questions

    @pytest.mark.parametrize("comes_first", ["answer", "question"])
    def test_an_answer_is_kept_for_its_question(self, store: Store, comes_first: str) -> None:
        """Unless the question is asked already, whichever of the two comes first."""
        run_no = a_driven_run(store)
        if comes_first == "question":
            (wait,) = store.open_waits(run_no, 1, [a_question()], checked)
            assert wait.state is WaitState.OPEN
            assert not store.keep_answer(run_no, "ask", an_answer())
            (wait,) = store.open_waits(run_no, 1, [a_question()], checked)
            assert wait.state is WaitState.OPEN
            return
        assert store.keep_answer(run_no, "ask", an_answer())
        (wait, other) = store.open_waits(run_no, 1, [a_question(), a_question("b")], checked)
        assert (wait.state, wait.answer, wait.by, wait.via, wait.settled_no) == (
            WaitState.ANSWERED,
            b'"approve"',
            "ada",
            "cli",
            1,
        )
        assert other.state is WaitState.OPEN
        assert store.open_waits(run_no, 1, [a_question()], checked) == [wait]
        assert store.settled_waits(run_no) == [wait]
        (again,) = store.open_waits(run_no, 1, [a_question(turn=2)], checked)
        assert again.state is WaitState.OPEN

    def test_kept_answers_are_taken_in_their_order(self, store: Store) -> None:
        """By the visits of a task, and one for a certain visit by that."""
        run_no = a_driven_run(store)
        for path, choice in (("ask#2", "d"), ("ask", "a"), ("ask", "no"), ("ask", "b")):
            assert store.keep_answer(run_no, path, an_answer(choice))
        found = [
            store.open_waits(run_no, 1, [a_question(path)], checked)[0].answer
            for path in ("ask", "ask#2", "ask#3", "ask#4")
        ]
        assert found == [b'"a"', b'"d"', b'"b"', None]

    def test_an_answer_is_not_kept_while_a_later_visit_asks(self, store: Store) -> None:
        """Which is answered by it instead."""
        run_no = a_driven_run(store)
        store.open_waits(run_no, 1, [a_question("each#2[1].ask")], checked)
        assert not store.keep_answer(run_no, "each[1].ask", an_answer())
        assert store.keep_answer(run_no, "each[2].ask", an_answer())

    def test_an_answer_and_its_question_never_miss_each_other(self, store: Store) -> None:
        """Of the two that come at once one meets the other."""
        run_no = a_driven_run(store)
        for turn in range(1, 6):
            path = f"ask[{turn}]"

            def meet(number: int, path: str = path) -> bool:
                if number == 0:
                    return store.keep_answer(run_no, path, an_answer())
                store.open_waits(run_no, 1, [a_question(path)], checked)
                return False

            is_kept = at_once(2, meet)[0]
            (wait,) = store.waits_at(run_no, path)
            assert wait.state is (WaitState.ANSWERED if is_kept else WaitState.OPEN)

    def test_no_answer_is_kept_for_a_run_that_is_over(self, store: Store) -> None:
        """Nor is a text that no store holds."""
        run_no = a_driven_run(store)
        with pytest.raises(RecordRefusedError):
            store.keep_answer(run_no, "a\0a", an_answer())
        store.commit([a_run(run_no=run_no, status=Status.CANCELLED)], {run_no: 1})
        with pytest.raises(RunOverError):
            store.keep_answer(run_no, "ask", an_answer())
