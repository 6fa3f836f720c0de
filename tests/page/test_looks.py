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


@pytest.mark.parametrize(
    ("width", "scheme", "paths"),
    [(1200, "light", PAGES), (320, "dark", NARROW)],
    ids=["wide-light", "narrow-dark"],
)
def test_every_page_is_accessible_and_fits(
    browser: Browser, site: Served, width: int, scheme: str, paths: list[str]
) -> None:
    """No page breaks a rule of WCAG 2.2 AA, needs sideways scrolling, or reports a fault."""
    size = {"width": width, "height": 800}
    broken = {}
    with visiting(browser, site, viewport=size, color_scheme=scheme) as visitor:
        for path in paths:
            visitor.open(path)
            found = visitor.violations()
            if visitor.is_wide():
                found.append("wide")
            if found:
                broken[path] = found
    assert broken == {}
