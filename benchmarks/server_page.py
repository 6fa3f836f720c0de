"""The page over a large store in a real browser: when it is painted, and told of a change."""

from __future__ import annotations

import shutil
import time
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import msgspec

import fanwise
from fanwise.bench.budget import Budget, at_most
from fanwise.units import show_seconds

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

PAGE: Final = "runs/large/tasks/work"
_ARGUMENTS: Final = (
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-quic", "--no-first-run", "--no-sandbox"),
)
_FLOW: Final = "name: waits\ntasks: [{name: a, action: core.noop}]\n"
TOLD: Final = 20
_PATIENCE_S: Final = 10.0

_MARKS: Final = """() => {
    const at = (name) => performance.getEntriesByName(name)[0]?.startTime;
    return [at("first-contentful-paint"), at("page"), at("grid")].map((ms) => ms / 1000);
}"""
_WATCH: Final = """() => {
    window.told = [];
    const look = () => {
        const count = parseInt(document.querySelector(".news")?.textContent ?? "0");
        if (count > window.told.length) window.told.push(Date.now() / 1000);
    };
    new MutationObserver(look).observe(document.querySelector("main"), {
        subtree: true, childList: true, characterData: true,
    });
}"""


class PageFigures(msgspec.Struct, frozen=True):
    """Seconds from the request until a browser painted first, had the page, and had its grid.

    They are medians; `again_...` has the page's files already, and `empty_s` is the first paint of
    a page without anything. `told_s` is the time from a record until it was on the page, within
    which 95 % were.
    """

    empty_s: float
    paint_s: float
    shown_s: float
    grid_s: float
    again_paint_s: float
    again_grid_s: float
    told_s: float


def look(url: str, token: str, file: Path, rounds: int, told: int) -> PageFigures | None:
    """Look at pages of a server over a store, which are told of so many runs.

    None without Playwright or Chromium.
    """
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None or find_spec("playwright") is None:
        return None
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        known = _signed_in(browser, url, token)
        first, again, empty = [], [], []
        for _ in range(3 * rounds):
            fresh = _signed_in(browser, url, token)
            first.append(_marks(fresh, f"{url}/{PAGE}"))
            fresh.close()
            again.append(_marks(known, f"{url}/{PAGE}"))
            empty.append(_marks(known, f"{url}/healthz")[0])
        told_s = _told(known, url, file, told)
        browser.close()
    paint, shown, grid = (median(each) for each in zip(*first, strict=True))
    again_paint, _, again_grid = (median(each) for each in zip(*again, strict=True))
    return PageFigures(median(empty), paint, shown, grid, again_paint, again_grid, told_s)


def _signed_in(browser: Browser, url: str, token: str) -> BrowserContext:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    key = context.request.post(f"{url}/api/v1/session", data={"token": token}).json()["key"]
    context.add_init_script(f"localStorage.setItem('fanwise-key:/', '{key}')")
    return context


def _marks(context: BrowserContext, url: str) -> list[float]:
    """The seconds until a page was painted first, shown, and its grid drawn, as far as it goes."""
    page = context.new_page()
    page.goto(url)
    if url.endswith(PAGE):
        page.locator("[data-drawn]").wait_for()
    page.wait_for_function("() => performance.getEntriesByName('first-contentful-paint').length")
    marks: list[float] = page.evaluate(_MARKS)
    page.close()
    return marks


def _told(context: BrowserContext, url: str, file: Path, count: int) -> float:
    """The seconds from the record of a run until the list of runs tells of it, 95 % within."""
    flow = file.with_name("waits.yaml")
    flow.write_text(_FLOW)
    page: Any = context.new_page()
    page.goto(f"{url}/runs")
    page.locator("#fresh[data-state=live]").wait_for()
    page.evaluate(_WATCH)
    recorded = []
    for number in range(count):
        time.sleep(0.13 * (number % 5))  # at any moment between two looks
        fanwise.submit(flow, store=str(file))
        recorded.append(time.time())
        page.wait_for_function(
            "count => window.told.length >= count",
            arg=number + 1,
            timeout=1_000 * _PATIENCE_S,
        )
    told: list[float] = page.evaluate("() => window.told")
    page.close()
    taken = sorted(after - before for before, after in zip(recorded, told, strict=True))
    return taken[len(taken) * 95 // 100]


def budgets(figures: PageFigures) -> list[Budget]:
    """The promised limits, beside the measured figures."""
    return [
        at_most("the page of the task, first paint", 0.3, "seconds", figures.paint_s),
        at_most("... once its files are known", 0.3, "seconds", figures.again_paint_s),
        at_most("... its grid drawn", 0.5, "seconds", figures.grid_s),
        at_most("from a record until it is on the page, 95 %", 0.5, "seconds", figures.told_s),
    ]


def rows(figures: PageFigures) -> list[tuple[str, str]]:
    """The figures in words."""
    return [
        ("the page of the task: first paint", show_seconds(figures.paint_s)),
        ("... shown", show_seconds(figures.shown_s)),
        ("... its grid drawn", show_seconds(figures.grid_s)),
        ("... first paint once its files are known", show_seconds(figures.again_paint_s)),
        ("... its grid drawn", show_seconds(figures.again_grid_s)),
        ("... first paint of an empty page", show_seconds(figures.empty_s)),
        ("from a record until it is on the page", show_seconds(figures.told_s)),
    ]
