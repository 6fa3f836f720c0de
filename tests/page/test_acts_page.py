"""Buttons: each says first what it means if it can't be taken back, and then does just that."""

import json
from collections.abc import Iterator, Sequence

import pytest
from playwright.sync_api import expect

from fanwise.model import ItemOutcome, Status
from tests.page.project import engine_of, submit
from tests.page.visitor import Visitor
from tests.server.served import Served


@pytest.fixture
def engine(site: Served) -> Iterator[None]:
    """A process that takes runs while the test lasts."""
    with engine_of(site.folder):
        yield


@pytest.mark.usefixtures("engine")
def test_a_retry_says_what_it_runs_and_runs_just_that(visitor: Visitor, site: Served) -> None:
    """By keys alone: from the failed items to the question, and on to the end of the retry."""
    before = {item.index: item.started_at for item in items(site)}
    visitor.open("runs/checked")
    visitor.find("button", "Retry what failed").focus()
    visitor.page.keyboard.press("Enter")
    dialog = visitor.page.locator("#confirm")
    expect(dialog).to_contain_text("runs 11 items of each again")
    visitor.page.keyboard.press("Tab")
    visitor.page.keyboard.press("Enter")
    expect(visitor.find("#tasks tr", "sum")).to_contain_text("visit 2")
    again = [item for item in items(site) if item.started_at > before[item.index]]
    assert len(again) == 11
    assert all(item.status is Status.FAILED for item in again)


@pytest.mark.usefixtures("engine")
def test_the_items_of_one_kind_are_retried_by_themselves(visitor: Visitor, site: Served) -> None:
    """The question says how many items run, and those of the other kinds stay as they are."""
    before = {item.index: item.started_at for item in items(site, "checked-2")}
    visitor.open("runs/checked-2")
    row = visitor.find("table.kinds tr", "Unavailable")
    row.get_by_role("button", name="Retry the items").click()
    expect(visitor.page.locator("#confirm")).to_contain_text("runs 2 items of each again")
    visitor.page.get_by_role("button", name="Retry", exact=True).click()
    expect(visitor.find("#tasks tr", "sum")).to_contain_text("visit 2")
    again = [item for item in items(site, "checked-2") if item.started_at > before[item.index]]
    assert [item.index for item in again] == [19, 39]


@pytest.mark.usefixtures("engine")
def test_a_retry_begins_at_a_task_that_had_succeeded(visitor: Visitor) -> None:
    """It is told before that this task runs again."""
    visitor.open("runs/checked-3/tasks/sum")
    visitor.find("button", "Retry from here").click()
    dialog = visitor.page.locator("#confirm")
    expect(dialog).to_contain_text("runs sum again")
    visitor.page.get_by_role("button", name="Retry", exact=True).click()
    expect(visitor.find("#facts div", "Visit").locator("dd")).to_have_text("2")


def test_all_that_is_recorded_of_a_run_is_saved(visitor: Visitor) -> None:
    """As a file of its own, as the command line exports it."""
    visitor.open("runs/broke")
    with visitor.page.expect_download() as found:
        visitor.find("button", "Export").click()
    assert found.value.suggested_filename == "broke.jsonl"
    lines = found.value.path().read_text().splitlines()
    assert json.loads(lines[0])["kind"] == "run"


def test_many_runs_are_changed_at_once_after_they_are_counted(
    visitor: Visitor, site: Served
) -> None:
    """Lines are chosen by keys, counted, changed together, and what is refused is told."""
    for number in range(3):
        tags = ["bulk", "last"] if number == 2 else ["bulk"]
        submit(site.folder, "ask.yaml", {"version": "5"}, run_id=f"bulk-{number}", tags=tags)
    visitor.open("runs?q=tag:bulk")
    keyboard = visitor.page.keyboard
    for key in ("j", "x", "j", "x"):
        keyboard.press(key)
    bar = visitor.find(".bulk")
    expect(bar.locator("output")).to_have_text("2 chosen")
    bar.get_by_role("button", name="Cancel").click()
    expect(visitor.page.locator("#confirm")).to_contain_text("Cancel 2 runs?")
    expect(visitor.page.locator("#confirm")).to_contain_text("bulk-2")
    visitor.page.get_by_role("button", name="Cancel them").click()
    expect(visitor.page.locator("#said")).to_contain_text("Cancel: 2 of 2 done.")
    assert [site.status(f"bulk-{number}") for number in range(3)] == [
        *("pending", "cancelled", "cancelled")
    ]
    visitor.find("input[name=pick]").first.check()
    bar.get_by_role("button", name="All that the filters leave").click()
    bar.get_by_role("button", name="Cancel").click()
    expect(visitor.page.locator("#confirm")).to_contain_text("Cancel 3 runs?")
    visitor.page.get_by_role("button", name="Cancel them").click()
    expect(visitor.page.locator("#said")).to_contain_text("Cancel: 1 of 3 done.")
    expect(visitor.page.locator("#said .bad")).to_contain_text("2 refused")
    assert site.status("bulk-0") == "cancelled"


def items(site: Served, run_id: str = "checked") -> Sequence[ItemOutcome]:
    """The items of the run."""
    record = site.store.run(run_id)
    assert record is not None
    return site.store.items(record.run_no, 1)


def test_a_run_that_waits_is_cancelled_once_it_was_asked_for(
    visitor: Visitor, site: Served
) -> None:
    """The question can be left; answered with yes, the run is cancelled, and can be deleted."""
    submit(site.folder, "ask.yaml", {"version": "3"}, run_id="to-cancel")
    visitor.open("runs/to-cancel")
    cancel = visitor.find(".title button", "Cancel")
    cancel.click()
    visitor.page.get_by_role("button", name="Leave it").click()
    expect(visitor.find(".title .st")).to_have_text("pending")
    cancel.click()
    visitor.page.get_by_role("button", name="Cancel the run").click()
    expect(visitor.find(".title .st")).to_have_text("cancelled")
    visitor.find(".title button", "Delete").click()
    visitor.page.get_by_role("button", name="Delete the run").click()
    expect(visitor.find("h1", "Runs")).to_be_visible()
    assert site.store.run("to-cancel") is None


def test_a_trigger_is_paused_resumed_and_fired_by_hand(visitor: Visitor, site: Served) -> None:
    """A trigger's card has its state, and a fire by hand leads to its run."""
    visitor.open("triggers")
    card = visitor.find("section", "hourly")
    card.get_by_role("button", name="Pause").click()
    expect(card.locator(".st").first).to_have_text("paused")
    card.get_by_role("button", name="Resume").click()
    expect(card.get_by_role("button", name="Pause")).to_be_visible()
    card.get_by_role("button", name="Run now").click()
    expect(card.locator("a.mono")).to_be_visible()
    assert site.store.run(card.locator("a.mono").inner_text()) is not None


def test_a_problem_is_told_in_its_own_words(visitor: Visitor, site: Served) -> None:
    """An act that isn't possible any more is refused with cause and remedy."""
    submit(site.folder, "ask.yaml", {"version": "4"}, run_id="gone-on")
    visitor.open("runs/gone-on")
    visitor.hide()
    record = site.store.run("gone-on")
    assert record is not None
    site.store.end_waiting(record, "somebody else")
    visitor.find(".title button", "Cancel").click()
    visitor.page.get_by_role("button", name="Cancel the run").click()
    expect(visitor.page.locator("#said .bad")).to_contain_text("is over")
    visitor.wrong = [each for each in visitor.wrong if "409" not in each]
