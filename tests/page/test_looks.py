"""Every page, for every reader: accessible, narrow or wide, light or dark, and silent."""

import pytest
from playwright.sync_api import Browser, expect

from tests.page.project import LONG_ID
from tests.page.visitor import visiting
from tests.server.served import Served

PAGES = [
    "",
    "runs",
    "runs?q=status:failed%20workflow:broken",
    "runs/checked",
    "runs/broke",
    "runs/queued",
    "runs/checked/graph",
    "runs/checked/timeline",
    "runs/checked/logs",
    "runs/checked/tasks/each",
    "runs/checked/items/each%5B3%5D",
    "runs/checked/items/each%5B4%5D",
    "runs/checked/items/each%5B4%5D?input=true",
    "runs/checked/definition",
    "runs/regions",
    "runs/regions?within=site%5B1%5D",
    "runs/regions/items/site%5B1%5D.host%5B1%5D?input=true",
    f"runs/{LONG_ID}",
    "workflows",
    "workflows/check",
    "workflows/regions",
    "workflows/check/start?from=checked",
    "triggers",
    "waiting",
    "compare?a=checked",
    "compare?a=checked&b=checked-2",
    "settings",
]


UNKNOWN = ["nothing", "runs/nothing"]

NARROW = ["", "runs", "runs/checked", "runs/checked/tasks/each", "workflows/check/start", "waiting"]


ZOOMED = {"device_scale_factor": 2}
"""A browser zoomed to 200 % has half the width, and twice the pixels."""


@pytest.mark.parametrize(
    ("width", "options", "paths"),
    [
        (1200, {"color_scheme": "light"}, PAGES),
        (320, {"color_scheme": "dark"}, PAGES),
        (600, ZOOMED, NARROW),
        (1200, {"forced_colors": "active"}, NARROW),
        (1200, {"color_scheme": "dark", "reduced_motion": "reduce"}, NARROW),
    ],
    ids=["wide-light", "narrow-dark", "zoomed", "forced-colours", "dark-still"],
)
def test_every_page_is_accessible_and_fits(
    browser: Browser, site: Served, width: int, options: dict[str, object], paths: list[str]
) -> None:
    """No page breaks a rule of WCAG 2.2 AA, needs sideways scrolling, or reports a fault."""
    size = {"width": width, "height": 800}
    broken = {}
    with visiting(browser, site, viewport=size, **options) as visitor:
        for path in paths:
            visitor.open(path)
            found = visitor.violations()
            if visitor.is_wide():
                found.append("wide")
            if found:
                broken[path] = found
    assert broken == {}


def test_a_path_that_is_not_there_is_a_page(browser: Browser, site: Served) -> None:
    """It says so, and leads on; also where no page of the server is named so."""
    with visiting(browser, site) as visitor:
        for path in UNKNOWN:
            visitor.page.goto(f"{visitor.url}/{path}")
            expect(visitor.find("h1")).to_have_text("Not here")
            assert visitor.violations() == []
            visitor.find("a", "Home").click()
            visitor.page.wait_for_url(f"{visitor.url}/")
        visitor.wrong = [each for each in visitor.wrong if "404" not in each]


def test_nothing_moves_for_those_who_want_no_motion(browser: Browser, site: Served) -> None:
    """With reduced motion no element has a transition or an animation, nor scrolls smoothly."""
    with visiting(browser, site, reduced_motion="reduce") as visitor:
        for path in NARROW:
            visitor.open(path)
            assert visitor.page.evaluate(MOVING) == []


MOVING = """() => [...document.querySelectorAll("*")].filter((each) => {
    const style = getComputedStyle(each);
    return style.transitionDuration !== "0s" || style.animationName !== "none"
        || style.scrollBehavior !== "auto";
}).map((each) => each.outerHTML.slice(0, 80))"""
