"""Who enters, who waits and who makes way when a key has no slot left."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fanwise.admission import Admission, admit, divided
from fanwise.model import WHEN_FULL

counts = st.integers(0, 8)
keys = {"most": st.integers(1, 6), "held": counts, "waits": counts}


def decided(when_full: str, most: int, held: int, waits: int) -> Admission[int]:
    holders, waiting = list(range(held)), list(range(100, 100 + waits))
    return admit(when_full, most, holders, waiting)


@given(when_full=st.sampled_from(WHEN_FULL), **keys)
def test_a_run_for_which_there_is_a_slot_troubles_nobody(when_full, most, held, waits):
    """Whatever the rule, it enters then."""
    admission = decided(when_full, most, held, waits)
    assert admission.is_full == (held + waits >= most)
    if not admission.is_full:
        assert admission == Admission()


@given(**keys)
def test_a_rule_to_wait_has_everybody_wait(most, held, waits):
    """Nobody is cancelled, replaced or skipped."""
    admission = decided("queue", most, held, waits)
    assert admission == Admission(is_full=admission.is_full)


@given(**keys)
def test_a_rule_to_skip_never_has_a_run_wait(most, held, waits):
    """It enters or isn't made, and others stay."""
    admission = decided("skip", most, held, waits)
    assert admission == Admission(is_full=admission.is_full, is_skipped=admission.is_full)


@given(**keys)
def test_a_rule_to_cancel_leaves_as_many_as_there_are_slots(most, held, waits):
    """The oldest go, and the new one is among those that stay."""
    admission = decided("cancel", most, held, waits)
    gone = [*admission.cancelled, *admission.replaced]
    assert gone == [*range(held), *range(100, 100 + waits)][: len(gone)]
    assert held + waits + 1 - len(gone) == min(most, held + waits + 1)


@given(**keys)
def test_a_rule_for_the_latest_leaves_one_that_waits_in_vain(most, held, waits):
    """No holder goes; the newest wait, and of those for whom there is no slot one."""
    admission = decided("latest", most, held, waits)
    assert not admission.cancelled
    assert list(admission.replaced) == list(range(100, 100 + waits))[: len(admission.replaced)]
    waiting = waits + 1 - len(admission.replaced)
    assert waiting == min(waits + 1, max(1, most - held))


@given(total=st.integers(0, 20), wants=st.dictionaries(st.integers(1, 6), st.integers(0, 12)))
def test_slots_are_divided_by_demand(total, wants):
    """None gets more than it wants, all that is wanted is given, and nobody is short alone."""
    shares = divided(total, wants)
    assert all(0 <= shares[engine] <= wanted for engine, wanted in wants.items())
    assert sum(shares.values()) == min(total, sum(wants.values()))
    short = [shares[engine] for engine, wanted in wants.items() if shares[engine] < wanted]
    assert all(max(shares.values()) <= least + 1 for least in short)
