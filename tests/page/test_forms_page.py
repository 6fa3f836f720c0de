"""Forms: a run is started, a question is answered, and what is wrong is told at its field."""

from playwright.sync_api import Browser, expect

import fanwise
from tests.page.project import run, store_of
from tests.page.visitor import Visitor, visiting
from tests.server.served import Served


def test_a_form_and_its_json_are_one_value(visitor: Visitor, site: Served) -> None:
    """Values of all types go from the fields to JSON and back, and the run gets them."""
    visitor.open("workflows/check/start")
    page = visitor.page
    page.get_by_label("count").fill("3")
    page.get_by_label("region").select_option("south")
    page.get_by_label("deep").check()
    page.get_by_role("button", name="JSON").click()
    text = page.get_by_label("Parameters as JSON")
    value = text.input_value().replace('"count": 3', '"count": 4').replace('"b"', '"b", "c"')
    text.fill(value)
    page.get_by_role("button", name="Form").click()
    expect(page.get_by_label("count")).to_have_value("4")
    expect(page.get_by_label("deep")).to_be_checked()
    page.get_by_label("options").fill('{"speed": "high"}')
    page.get_by_role("button", name="Start").click()
    page.wait_for_url("**/runs/*")
    run_id = page.url.rpartition("/")[2]
    with fanwise.open_store(store_of(site.folder)) as store:
        found = store.get(run_id).parameters
    assert found == {
        "count": 4,
        "region": "south",
        "deep": True,
        "hosts": ["a", "b", "c"],
        "options": {"speed": "high"},
        "password": None,
    }


def test_what_the_server_refuses_is_told_at_its_field(visitor: Visitor) -> None:
    """A value out of its bounds, one that is missing and text that is no JSON keep the form."""
    visitor.open("workflows/check/start")
    page = visitor.page
    page.get_by_label("count").fill("0")
    page.get_by_role("button", name="Start").click()
    field = visitor.find('[data-field="count"] .problem')
    expect(field).to_contain_text("takes a whole number")
    expect(page.get_by_label("count")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("count")).to_be_focused()
    page.get_by_label("hosts").fill("[1,")
    page.get_by_role("button", name="Start").click()
    expect(visitor.find('[data-field="hosts"] .problem')).to_have_text("This is no JSON.")
    visitor.open("workflows/ask/start")
    page.get_by_role("button", name="Start").click()
    expect(visitor.find('[data-field="version"] .problem')).to_contain_text("is required")
    visitor.wrong = [each for each in visitor.wrong if "422" not in each]


def test_again_with_changes_has_the_parameters_of_the_run(visitor: Visitor) -> None:
    """The form that a run leads to is filled with what the run had."""
    visitor.open("runs/checked-2")
    visitor.find("a", "Again with changes").click()
    expect(visitor.page.get_by_label("count")).to_have_value("45")
    expect(visitor.page.get_by_label("region")).to_have_value("south")


def test_a_check_says_what_would_run_and_makes_nothing(visitor: Visitor) -> None:
    """Checking shows all parameters that a run would have, and records no run."""
    visitor.open("workflows/check/start")
    visitor.page.get_by_label("count").fill("7")
    visitor.page.get_by_role("button", name="Check first").click()
    expect(visitor.find("[data-check] pre")).to_contain_text('"count": 7')
    assert visitor.page.url.endswith("/workflows/check/start")


def test_a_question_is_answered_by_keys_and_an_answer_that_comes_second_is_told(
    browser: Browser, site: Served, visitor: Visitor
) -> None:
    """A form has the question's fields; the first answer counts, and the second one is told so."""
    asked(site, "asked")
    with visiting(browser, site) as other:
        for each in (visitor, other):
            each.open("waiting")
            expect(each.find("section", "asked")).to_be_visible()
        other.hide()  # so that it hears of no answer
        form = visitor.find("section", "asked")
        form.get_by_label("note").focus()
        visitor.page.keyboard.type("looks good")
        visitor.page.keyboard.press("Tab")
        visitor.page.keyboard.press("Tab")
        visitor.page.keyboard.press("Enter")
        expect(form).to_have_count(0)
        wait = site.store.settled_waits(run_no(site, "asked"))[0]
        assert b"looks good" in (wait.answer or b"")
        other.find("section", "asked").get_by_role("button", name="Approve").click()
        expect(other.find("form > .problem")).to_contain_text("has been answered")
        other.wrong = [each for each in other.wrong if "409" not in each]


def asked(site: Served, run_id: str) -> None:
    """Run the workflow that asks until it waits."""
    run(site.folder, "ask.yaml", {"version": "2.0"}, run_id=run_id)


def run_no(site: Served, run_id: str) -> int:
    record = site.store.run(run_id)
    assert record is not None
    return record.run_no
