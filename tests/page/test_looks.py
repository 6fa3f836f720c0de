"""Every page, for every reader: accessible, narrow or wide, light or dark, and silent."""

import pytest
from playwright.sync_api import Browser

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
    "workflows",
    "workflows/check",
    "workflows/check/start?from=checked",
    "triggers",
    "waiting",
    "compare?a=checked",
    "compare?a=checked&b=checked-2",
    "settings",
]


NARROW = ["", "runs", "runs/checked", "runs/checked/tasks/each", "workflows/check/start", "waiting"]


ZOOMED = {"device_scale_factor": 2}
"""A browser zoomed to 200 % has half the width, and twice the pixels."""


@pytest.mark.parametrize(
    ("width", "options", "paths"),
    [
        (1200, {"color_scheme": "light"}, PAGES),
        (320, {"color_scheme": "dark"}, NARROW),
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
