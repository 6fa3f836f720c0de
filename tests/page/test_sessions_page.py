"""Signing in, and a page that stays right whatever becomes of the server."""

import re
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import Browser, expect

import fanwise
from fanwise.server.identity import SIGN_IN_TICKET_S, Identity
from fanwise.wiring import new_token, system_clock
from tests.page.project import run, store_of, write
from tests.page.proxies import Proxy, proxied
from tests.page.visitor import Visitor, hide, visiting
from tests.server.served import Served, serving


def test_a_link_signs_in_and_leaves_no_ticket_in_the_address(
    browser: Browser, site: Served
) -> None:
    """The link of a terminal leads to the page; a reload needs it no more."""
    token_id = site.tokens["admin"].split("_")[1]
    identity = Identity(site.store, system_clock(), new_token)
    ticket = identity.new_ticket(token_id, "", SIGN_IN_TICKET_S)
    with visiting(browser, site, None) as visitor:
        visitor.open(f"#ticket={ticket}")
        assert visitor.page.url == f"{site.origin}/"
        visitor.page.reload()
        expect(visitor.page.locator("#page")).to_be_visible()
        visitor.page.get_by_role("button", name="Sign out").click()
        expect(visitor.page.locator("#signin")).to_be_visible()


def test_another_browser_is_signed_out_from_the_settings(browser: Browser, site: Served) -> None:
    """They list the browsers that are signed in, and say which one is the reader's own."""
    with visiting(browser, site) as visitor, visiting(browser, site, "read") as other:
        other.open("")
        visitor.open("settings")
        own = visitor.find("#sessions tr", "this browser")
        expect(own).to_have_count(1)
        expect(own.get_by_role("button")).to_have_count(0)
        row = visitor.find("#sessions tbody tr", "read").first
        row.get_by_role("button").click()
        visitor.page.get_by_role("button", name="End the session").click()
        expect(visitor.page.locator("#said")).to_contain_text("Ended.")
        other.page.reload()
        expect(other.page.locator("#signin")).to_be_visible()
        other.wrong = [each for each in other.wrong if "401" not in each]


def test_a_token_signs_in_and_a_wrong_one_is_told(browser: Browser, site: Served) -> None:
    """Without a session there is a field for a token, and then the page that was asked for."""
    with visiting(browser, site, None) as visitor:
        page = visitor.page
        page.goto(f"{site.origin}/runs/broke")
        expect(page.locator("#token")).to_be_focused()
        assert visitor.violations() == []
        page.keyboard.type("wrong")
        page.keyboard.press("Enter")
        expect(page.locator("#signin-problem")).to_contain_text("isn't valid")
        page.keyboard.type(site.tokens["read"])
        page.keyboard.press("Enter")
        expect(visitor.find("h1", "broken")).to_be_visible()
        assert visitor.find("button", "Retry").count() == 0, "a reader sees no button that acts"
        visitor.wrong = [each for each in visitor.wrong if "401" not in each]


def test_the_page_says_that_it_is_cut_off_and_is_right_again_by_itself(
    browser: Browser, tmp_path: Path
) -> None:
    """While the server is away the page says so; then it shows what has happened meanwhile."""
    write(tmp_path, "broken.yaml")
    with ExitStack() as stack:
        with serving(tmp_path) as first:
            visitor = stack.enter_context(visiting(browser, first))
            visitor.open("workflows/broken")
            fresh = visitor.page.locator("#fresh")
            expect(fresh).to_have_text("live")
        expect(fresh).to_have_text("reconnecting")
        run(tmp_path, "broken.yaml", run_id="while-away")
        stack.enter_context(serving(tmp_path, port=first.port))
        expect(visitor.find("tbody tr", "while-away")).to_be_visible()
        expect(fresh).to_have_text("live")
        visitor.wrong = [each for each in visitor.wrong if "ERR_" not in each]


HURRY = """
window.waits = [];
const wait = window.setTimeout;
window.setTimeout = (act, span, ...given) => {
  const isPatience = span === 8000 || span === 40000; // with an answer that is on its way
  if (!isPatience) waits.push(span);
  return wait(act, isPatience ? span : Math.min(span, 20), ...given);
};
"""


def test_a_page_never_waits_long_for_a_server_that_is_away(
    browser: Browser, tmp_path: Path
) -> None:
    """However long that is, it asks again within some ten seconds."""
    write(tmp_path, "broken.yaml")
    with ExitStack() as stack:
        with serving(tmp_path) as first:
            visitor = stack.enter_context(visiting(browser, first))
            visitor.page.add_init_script(HURRY)
            visitor.open("runs")
            fresh = visitor.page.locator("#fresh")
            expect(fresh).to_have_text("live")
        for _ in range(10):
            with visitor.page.expect_event("requestfailed"):
                pass
        assert 8_000 <= max(visitor.page.evaluate("waits")) <= 12_000
        stack.enter_context(serving(tmp_path, port=first.port))
        expect(fresh).to_have_text("live")
        visitor.wrong = [each for each in visitor.wrong if "ERR_" not in each]


def test_a_run_that_is_deleted_says_so_where_it_is_looked_at(
    visitor: Visitor, site: Served
) -> None:
    """A page of a run that is deleted keeps what it shows, and says that it isn't recorded."""
    run(site.folder, "broken.yaml", run_id="pruned")
    visitor.open("runs/pruned")
    expect(visitor.page.locator("#fresh")).to_have_text("live")
    with fanwise.open_store(store_of(site.folder)) as store:
        store.delete("pruned")
    expect(visitor.page.locator("#fresh")).to_have_text("no longer recorded")
    expect(visitor.find("h1", "broken")).to_be_visible()


def test_times_are_right_on_a_machine_whose_clock_and_zone_differ(
    browser: Browser, site: Served
) -> None:
    """Ages count from the server's clock, and times of day are those of the reader's zone."""
    with visiting(browser, site, timezone_id="Pacific/Auckland") as visitor:
        visitor.page.clock.set_fixed_time("2030-01-01T00:00:00Z")
        visitor.open("runs/broke")
        shown = visitor.find(".facts time").first
        at = float(shown.get_attribute("data-at") or 0)
        text = shown.inner_text()
        local = visitor.page.evaluate(
            "at => new Date(at * 1000).toLocaleTimeString('en-GB', {hour12: false})", at
        )
        assert text.endswith((local, local[:5]))
        visitor.open("runs")
        ages = visitor.find("td time").all_inner_texts()
        assert all(re.fullmatch(r"just now|\d+ (s|min) ago", age) for age in ages), ages


def test_tabs_that_are_not_looked_at_hang_up_so_any_number_loads(
    browser: Browser, site: Served
) -> None:
    """A browser has six connections to a server: eight tabs load, and the first is live again."""
    with visiting(browser, site) as visitor:
        tabs = [visitor.page]
        for _ in range(8):
            tab = tabs[-1]
            tab.goto(f"{site.origin}/runs")
            expect(tab.locator("#fresh")).to_have_text("live")
            hide(tab)
            tabs.append(visitor.page.context.new_page())
        hide(tabs[0], hidden=False)
        expect(tabs[0].locator("#fresh")).to_have_text("live")


def test_the_page_works_below_a_path_behind_a_proxy_that_spoils_streams(
    browser: Browser, tmp_path: Path
) -> None:
    """Links keep the path, and what is new is shown although streams come in whole pieces."""
    write(tmp_path, "broken.yaml")
    run(tmp_path, "broken.yaml", run_id="first")
    proxy = Proxy(1.0)
    with serving(tmp_path, public_url=proxy.url) as served:
        proxy.target = served.origin
        with proxied(proxy), visiting(browser, served, url=proxy.url) as visitor:
            visitor.open("runs")
            visitor.find("tbody a", "broken").click()
            expect(visitor.find("h1", "broken")).to_be_visible()
            assert visitor.page.url == f"{proxy.url}/runs/first"
            visitor.find(".crumbs a", "broken").click()
            expect(visitor.find("tbody tr")).to_have_count(1)
            run(tmp_path, "broken.yaml", run_id="second")
            expect(visitor.find("tbody tr", "second")).to_be_visible()


def test_keys_alone_lead_from_the_sign_in_to_a_retry(browser: Browser, site: Served) -> None:
    """A reader without a pointer signs in, finds a failed run, and has it run again."""
    run(site.folder, "broken.yaml", run_id="by-keys", tags=["by-keys"])
    with visiting(browser, site, None) as visitor:
        page, keyboard = visitor.page, visitor.page.keyboard
        page.goto(site.origin)
        expect(page.locator("#token")).to_be_focused()
        keyboard.type(site.tokens["run"])
        keyboard.press("Enter")
        expect(visitor.find("#store")).to_be_visible()
        keyboard.press("g")
        keyboard.press("r")
        expect(visitor.find("h1", "Runs")).to_be_focused()
        keyboard.press("/")
        keyboard.type("status:failed tag:by-keys")
        keyboard.press("Enter")
        expect(visitor.find("tbody tr")).to_have_count(1)
        keyboard.press("j")
        keyboard.press("Enter")
        expect(visitor.find("h1", "broken")).to_be_focused()
        keyboard.press("Tab")
        expect(visitor.find("button", "Retry").first).to_be_focused()
        keyboard.press("Enter")
        expect(page.locator("#confirm")).to_contain_text("runs read again")
        keyboard.press("Tab")
        expect(page.locator("#confirm-yes")).to_be_focused()
        keyboard.press("Enter")
        expect(page.locator("#said")).to_contain_text("It will run again")
        expect(visitor.find(".facts div", "Queue")).to_contain_text("since")
