"""A browser for all tests here, and a server with runs for those of a module."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.served import Served, serving

playwright = pytest.importorskip("playwright.sync_api", reason="no Playwright: no page is tested")

from playwright.sync_api import Browser, expect, sync_playwright  # noqa: E402

from tests.page.project import make_project  # noqa: E402
from tests.page.visitor import ARGUMENTS, Visitor, find_browser, visiting  # noqa: E402

expect.set_options(timeout=60_000)  # on a machine that has other work


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium. While it is open an event loop runs in this thread, so it is closed soon."""
    path = find_browser()
    if path is None:
        pytest.skip("no Chromium on this machine: the page isn't tested in a browser")
    with sync_playwright() as found:
        opened = found.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("site")
    make_project(folder)
    with serving(folder) as served:
        yield served


@pytest.fixture
def visitor(browser: Browser, site: Served) -> Iterator[Visitor]:
    with visiting(browser, site) as found:
        yield found
