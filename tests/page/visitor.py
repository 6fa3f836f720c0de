"""A visitor of the page: a real browser's tab that notes all that goes wrong while it looks."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import resources
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Locator, Page

from tests.server.served import Served

TAGS: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
ARGUMENTS: Final = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
    "--no-sandbox",
]


def find_browser() -> str | None:
    """The path of a Chromium that is installed on this machine, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@cache
def _axe() -> str:
    return resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")


_HIDE: Final = """hidden => {
    Object.defineProperty(document, "hidden", {configurable: true, get: () => hidden});
    document.dispatchEvent(new Event("visibilitychange"));
}"""


def hide(page: Page, *, hidden: bool = True) -> None:
    """Make a tab one that nobody looks at, as far as its scripts can tell."""
    page.evaluate(_HIDE, hidden)


class Visitor:
    """A tab that is signed in. `wrong` has all that no page may do."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.wrong: list[str] = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        page.on("request", self._asked)

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.wrong.append(f"{message.type}: {message.text}")

    def _asked(self, request: Any) -> None:
        url = urlsplit(request.url)
        if url.scheme in ("http", "https") and url.netloc != urlsplit(self.url).netloc:
            self.wrong.append(f"asked {request.url}")

    def open(self, path: str) -> None:
        """Go to a page by its address, and wait until it is shown."""
        self.page.goto(f"{self.url}/{path}")
        self.page.locator("#page").wait_for()

    def find(self, selector: str, text: str | None = None) -> Locator:
        """The elements of the content that a selector names, which have a text."""
        return self.page.locator(f"main {selector}", has_text=text)

    def text(self) -> str:
        """The text of the content."""
        return self.page.inner_text("main")

    def hide(self) -> None:
        """Look at another tab."""
        hide(self.page)

    def violations(self) -> list[str]:
        """The rules of accessibility that the page breaks, with the element that does."""
        self.page.evaluate(_axe())
        found = self.page.evaluate(
            "tags => axe.run({runOnly: tags, resultTypes: ['violations'], iframes: false})", TAGS
        )
        return [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found["violations"]]

    def is_wide(self) -> bool:
        """True if the page has to be scrolled sideways."""
        wide: bool = self.page.evaluate(
            "() => document.documentElement.scrollWidth > document.documentElement.clientWidth"
        )
        return wide


@contextmanager
def visiting(
    browser: Browser,
    site: Served,
    role: str | None = "admin",
    *,
    url: str | None = None,
    **options: Any,
) -> Iterator[Visitor]:
    """A visitor of a server, by its own URL or another, whose pages meanwhile do nothing wrong.

    It is signed in with the token of a role, unless that is None.
    """
    url = url or site.origin
    context = browser.new_context(**{"viewport": {"width": 1200, "height": 800}, **options})
    try:
        if role is not None:
            token = {"token": site.tokens[role]}
            begun = context.request.post(f"{url}/api/v1/session", data=token)
            key = begun.json()["key"]
            kept = f"fanwise-key:{urlsplit(url).path}/"
            context.add_init_script(f"localStorage.setItem('{kept}', '{key}')")
        visitor = Visitor(context.new_page(), url)
        yield visitor
        assert not visitor.wrong, visitor.wrong
    finally:
        context.close()
