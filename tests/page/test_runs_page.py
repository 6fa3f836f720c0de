"""The list of runs, and the page of one."""

import pytest
from playwright.sync_api import Route, expect

from fanwise.server.page.views import runs
from tests.page.project import HOSTILE, run
from tests.page.visitor import Visitor
from tests.server.served import Served


def test_filters_are_the_address_so_a_reload_and_the_way_back_show_the_same(
    visitor: Visitor,
) -> None:
    """What is filtered stands in the address, and a reload or the way back shows the same rows."""
    visitor.open("runs")
    visitor.page.keyboard.press("/")
    visitor.page.keyboard.type("workflow:check tag:nightly")
    visitor.page.keyboard.press("Enter")
    rows = visitor.find("tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("checked")
    visitor.page.reload()
    expect(rows).to_have_count(1)
    visitor.page.keyboard.press("j")
    visitor.page.keyboard.press("Enter")
    expect(visitor.find("h1", "check")).to_be_visible()
    visitor.page.go_back()
    expect(visitor.find("[name=q]")).to_have_value("workflow:check tag:nightly")
    expect(rows).to_have_count(1)


def test_the_chips_count_what_the_rest_of_the_line_leaves(visitor: Visitor, site: Served) -> None:
    """Each status has the number of its runs, whatever status is chosen."""
    for name in ("broken.yaml", "broken.yaml", "check.yaml"):
        run(site.folder, name, tags=["counted"])
    for line, all_runs, failed, succeeded in (
        ("tag:counted", "3", "2", "1"),
        ("tag:counted status:succeeded", "3", "2", "1"),
        ("tag:counted workflow:broken", "2", "2", None),
        ("tag:counted broken", "2", "2", None),
        ("tag:nobodys", None, None, None),
    ):
        visitor.open(f"runs?q={line}")
        for word, number in (("all", all_runs), ("failed", failed), ("succeeded", succeeded)):
            shown = visitor.find(".chip", word).locator(".num")
            expect(shown).to_have_text([number] if number else [])


def test_chips_count_no_more_than_a_thousand_runs(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there are more, each number says so."""
    monkeypatch.setattr(runs, "MOST_COUNTED", 2)
    visitor.open("runs")
    expect(visitor.find(".chip", "all").locator(".num")).to_have_text("2+")


def test_keys_lead_to_every_page(visitor: Visitor) -> None:
    """Two letters each; others lead to the filters, the list of keys and the field for places."""
    visitor.open("")
    keyboard = visitor.page.keyboard
    for key, path in (
        *(("r", "runs"), ("w", "workflows"), ("t", "triggers"), ("a", "waiting")),
        *(("s", "settings"), ("h", "")),
    ):
        keyboard.press("g")
        keyboard.press(key)
        visitor.page.wait_for_url(f"{visitor.url}/{path}")
        visitor.page.locator(f".top [aria-current][data-room={path or 'home'}]").wait_for()
    keyboard.press("?")
    expect(visitor.page.locator("#keys")).to_contain_text("to the filters")
    keyboard.press("Escape")
    keyboard.press("Control+k")
    keyboard.type("failed")
    keyboard.press("Enter")
    visitor.page.wait_for_url(f"{visitor.url}/runs?q=status%3Afailed")
    visitor.find("#runs").wait_for()
    keyboard.press("/")
    expect(visitor.find("input[name=q]")).to_be_focused()
    keyboard.type("status:succeeded")
    keyboard.press("Enter")
    visitor.page.wait_for_url(f"{visitor.url}/runs?q=status%3Asucceeded")
    expect(visitor.find("#runs .st").first).to_have_text("succeeded")
    visitor.find("h1").focus()
    for key in ("j", "j", "k", "Enter"):
        keyboard.press(key)
    visitor.find(".tabs").wait_for()


def test_the_field_for_places_leads_to_the_same_one_however_slow_the_server_is(
    visitor: Visitor,
) -> None:
    """Enter waits for the names of the workflows that have not come yet."""
    held: list[Route] = []
    visitor.page.route("**/api/v1/workflows", lambda route: held.append(route))
    visitor.open("")
    keyboard = visitor.page.keyboard
    with visitor.page.expect_request("**/api/v1/workflows"):
        keyboard.press("Control+k")
    keyboard.type("regions")
    keyboard.press("Enter")
    held[0].continue_()
    visitor.page.wait_for_url(f"{visitor.url}/workflows/regions")


def test_the_way_back_leads_to_where_one_was(visitor: Visitor) -> None:
    """Going back shows the page as far down as it was, and the new page began at its top."""
    visitor.page.set_viewport_size({"width": 800, "height": 400})
    visitor.open("runs/checked/tasks/each")
    link = visitor.find("#items tbody a").nth(30)
    link.scroll_into_view_if_needed()
    before = visitor.page.evaluate("scrollY")
    link.click()
    expect(visitor.find("h1", "each[30]")).to_be_visible()
    assert visitor.page.evaluate("scrollY") == 0
    visitor.page.go_back()
    expect(visitor.find("h1", "each")).to_have_text("each")
    visitor.page.wait_for_function("y => scrollY === y", arg=before)


def test_an_item_shows_its_input_when_it_is_asked_for(visitor: Visitor) -> None:
    """The page has an address with it, and offers it as a file."""
    visitor.open("runs/checked/items/each[30]")
    expect(visitor.find("#input")).to_have_count(0)
    visitor.find("a", "Show the input").click()
    expect(visitor.find("#input pre")).to_contain_text('"number": 30')
    expect(visitor.find("#input button")).to_have_text("Save as JSON")
    assert visitor.page.url.endswith("?input=true")


def test_a_run_that_is_made_elsewhere_is_told_and_moves_no_row(
    visitor: Visitor, site: Served
) -> None:
    """A new run doesn't move the row under the pointer: a line says that it is there."""
    visitor.open("runs?q=workflow:check")
    row = visitor.find("tbody tr", "checked-2")
    before = row.bounding_box()
    count = visitor.find("tbody tr").count()
    run(site.folder, "check.yaml", {"count": 3}, run_id="made-elsewhere")
    news = visitor.find(".news a")
    expect(news).to_contain_text("1 new run")
    after = row.bounding_box()
    assert before is not None
    assert after is not None
    assert before["x"] == after["x"]
    assert visitor.find("tbody tr").count() == count
    news.click()
    expect(visitor.find("tbody tr", "made-elsewhere")).to_be_visible()


def test_a_failed_run_shows_its_error_first_with_the_authors_line(visitor: Visitor) -> None:
    """The page of a failed run begins with why, and with the line of the author's code."""
    visitor.open("runs/broke")
    first = visitor.find("section").first
    expect(first).to_contain_text("Why it failed")
    expect(first).to_contain_text("raise ValueError")
    expect(first).to_contain_text("# the author's line")


def test_texts_of_others_are_texts(visitor: Visitor) -> None:
    """Markup in an error or a log is shown as it is, and does nothing."""
    for path in ("runs", "runs/broke", "runs/broke/logs"):
        visitor.open(path)
        expect(visitor.page.locator("body")).to_contain_text(HOSTILE)
        assert visitor.find("img").count() == 0


def test_kinds_lead_to_their_items_and_these_to_each_other(visitor: Visitor) -> None:
    """From a kind of errors to its items, to one of them, and on to the next failed one."""
    visitor.open("runs/checked")
    visitor.find("td a, th a", "Refused").click()
    rows = visitor.find("#items tbody tr")
    expect(rows).to_have_count(9)
    assert all("Refused" in text for text in rows.all_inner_texts())
    rows.first.locator("a").click()
    expect(visitor.find("h1", "each[3]")).to_be_visible()
    visitor.page.keyboard.press("J")
    expect(visitor.find("h1", "each[10]")).to_be_visible()


def test_logs_are_found_by_a_text_and_a_task(visitor: Visitor) -> None:
    """The logs of a run can be searched."""
    visitor.open("runs/checked/logs")
    visitor.find("[name=contains]").fill("checked 41")
    visitor.page.keyboard.press("Enter")
    expect(visitor.find(".logs li")).to_have_count(1)
    expect(visitor.find(".logs li")).to_contain_text("each[41]")


def test_two_runs_are_compared_and_a_new_kind_of_errors_is_told(visitor: Visitor) -> None:
    """From a run to the one that it is compared with, and to what differs between them."""
    visitor.open("runs/checked-3")
    visitor.find("a", "Compare").click()
    visitor.find("tbody tr", "checked-2").locator("a").click()
    expect(visitor.find("h1", "Compare")).to_be_visible()
    visitor.find("a", "the other way round").click()
    kinds = visitor.find("#kinds tbody tr")
    expect(kinds).to_have_count(2)
    expect(visitor.find("#kinds tbody tr", "gone")).to_contain_text("Unavailable")
    expect(visitor.find("#kinds tbody tr", "in both")).to_contain_text("Refused")
    expect(visitor.find("#texts tr", "count")).to_contain_text("45")
    visitor.find("a", "the other way round").click()
    expect(visitor.find("#kinds tbody tr", "new")).to_contain_text("Unavailable")


def test_the_times_of_items_are_shown_once_they_are_read(visitor: Visitor) -> None:
    """The page of a task fetches how long its items took, which has an address of its own."""
    visitor.open("runs/checked/tasks/each")
    times = visitor.find("#times")
    expect(times).to_contain_text("95 % within")
    expect(times.locator("svg.histogram g")).to_have_count(40)
    expect(times.locator("tbody tr")).to_have_count(5)
    visitor.open("runs/checked/tasks/each/times")
    expect(visitor.find("#times")).to_contain_text("Median")
