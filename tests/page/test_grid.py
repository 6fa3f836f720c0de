"""The grid of a task's items: a hundred thousand at a glance, one of them, the failed ones."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from benchmarks.lists import fill_file
from tests.page.project import halfway, run, write
from tests.page.visitor import Visitor, visiting
from tests.server.served import Served, serving


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of a run with a hundred thousand items, of which every thousandth has failed."""
    folder: Path = tmp_path_factory.mktemp("many")
    write(folder, "many.yaml", "held.yaml")
    run(folder, "many.yaml", run_id="many")
    with serving(folder) as served:
        yield served


@pytest.fixture
def grid(browser: Browser, many: Served) -> Iterator[Visitor]:
    """A visitor of the task's page, whose grid is drawn."""
    with visiting(browser, many) as visitor:
        visitor.open("runs/many/tasks/each")
        visitor.find("[data-drawn]").wait_for()
        yield visitor


def said(visitor: Visitor) -> Any:
    return visitor.find(".grid output")


def colours(visitor: Visitor) -> set[tuple[int, ...]]:
    """The colours of the canvas, from a sample of its pixels."""
    found = visitor.page.evaluate(
        """() => {
            const canvas = document.querySelector(".grid canvas");
            const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            const seen = new Set();
            for (let at = 0; at < data.length; at += 4) seen.add(data.slice(at, at + 3).join());
            return [...seen];
        }"""
    )
    return {tuple(map(int, each.split(","))) for each in found}


def test_items_keep_their_colours_where_colours_are_forced(browser: Browser, many: Served) -> None:
    """The canvas has no other way to tell them apart; the words stand beside it."""
    with visiting(browser, many, forced_colors="active") as visitor:
        visitor.open("runs/many/tasks/each")
        visitor.find("[data-drawn]").wait_for()
        found = colours(visitor)
    assert any(green > red + 30 for red, green, _ in found)
    assert any(red > green + 80 for red, green, _ in found)


def test_all_items_are_drawn_and_each_failed_one_has_its_mark(grid: Visitor) -> None:
    """From afar there are succeeded blocks and marks of failed items, and words for both."""
    found = colours(grid)
    assert any(green > red + 30 for red, green, _ in found)
    assert any(red > green + 80 for red, green, _ in found)
    words = grid.find(".grid canvas").get_attribute("aria-label") or ""
    assert "100,000 items" in words
    assert "100 failed" in words


def test_failed_items_are_found_opened_and_walked_by_keys(grid: Visitor) -> None:
    """`n` and `p` go to failed items, Enter opens one, J and K go on from there."""
    grid.find("[data-sight]").focus()
    keyboard = grid.page.keyboard
    keyboard.press("n")
    expect(said(grid)).to_contain_text("[13] failed")
    keyboard.press("n")
    expect(said(grid)).to_contain_text("[1,013] failed")
    keyboard.press("ArrowRight")
    expect(said(grid)).to_contain_text("[1,014] succeeded")
    keyboard.press("p")
    expect(said(grid)).to_contain_text("[1,013] failed")
    keyboard.press("Enter")
    expect(grid.find("h1", "each[1013]")).to_be_visible()
    keyboard.press("J")
    expect(grid.find("h1", "each[2013]")).to_be_visible()
    keyboard.press("K")
    expect(grid.find("h1", "each[1013]")).to_be_visible()


def test_a_million_items_are_at_hand(browser: Browser, tmp_path: Path) -> None:
    """Drawn as a whole; a failed one is found by a key and opened, and so is the last of all."""
    with ThreadPoolExecutor(1) as thread:  # which has no event loop
        thread.submit(fill_file, tmp_path / "runs.db", runs=2, items=1_000_000).result()
    with serving(tmp_path) as served, visiting(browser, served) as visitor:
        visitor.open("runs/large/tasks/work")
        visitor.find("[data-drawn]").wait_for()
        words = visitor.find(".grid canvas").get_attribute("aria-label") or ""
        assert "1,000,000 items: 999,001 succeeded, 999 failed" in words
        visitor.find("[data-sight]").focus()
        for _ in range(3):
            visitor.page.keyboard.press("n")
        expect(said(visitor)).to_contain_text("[3,000] failed")
        visitor.page.keyboard.press("Enter")
        expect(visitor.find("h1", "work[3000]")).to_be_visible()
        visitor.page.keyboard.press("J")
        expect(visitor.find("h1", "work[4000]")).to_be_visible()
        visitor.page.go_back()
        visitor.page.go_back()
        visitor.find("[data-drawn]").wait_for()
        visitor.find(".grid input[name=item]").fill("999999")
        visitor.find(".grid input[name=item]").press("Enter")
        expect(said(visitor)).to_contain_text("[999,999] succeeded")


COUNTING = """
window.work = {frames: 0, calls: 0, asked: []};
const pen = CanvasRenderingContext2D.prototype, ask = window.fetch;
for (const name of ["setTransform", "fillRect", "drawImage"]) {
  const made = pen[name];
  pen[name] = function (...given) {
    if (this.canvas.isConnected) work[name === "setTransform" ? "frames" : "calls"]++;
    return made.apply(this, given);
  };
}
window.fetch = (...given) => {
  if (String(given[0]).includes("/cells?")) work.asked.push(String(given[0]));
  return ask(...given);
};
"""
WALK = """async key => {
  const sight = document.querySelector("[data-sight]");
  Object.assign(work, {frames: 0, calls: 0, asked: []});
  const press = () => sight.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
  for (let n = 0; n < 60; n++) press();
  for (let n = 0; n < 3; n++) await new Promise(requestAnimationFrame);
  return work;
}"""


def test_a_frame_draws_blocks_and_pictures_and_no_single_items(
    browser: Browser, many: Served
) -> None:
    """However fast one moves a frame is drawn once, and what is known isn't asked for again."""
    with visiting(browser, many) as visitor:
        visitor.page.add_init_script(COUNTING)
        visitor.open("runs/many/tasks/each")
        visitor.find("[data-drawn]").wait_for()
        far = visitor.page.evaluate("work")
        assert 100 < far["calls"] <= 310 * far["frames"], (
            "a block in two parts, a mark of a failure"
        )
        visitor.find("[data-sight]").focus()
        visitor.page.keyboard.press("n")
        expect(said(visitor)).to_contain_text("[13] failed, ")  # its cell is known
        asked: list[int] = []
        for key in ("ArrowDown", "ArrowUp") * 2:
            walked = visitor.page.evaluate(WALK, key)
            assert 1 <= walked["frames"] <= 3, "as many as the browser has drawn meanwhile"
            assert walked["calls"] <= 310 * walked["frames"]
            for url in walked["asked"]:
                first, last = url.rpartition("=")[2].split("-")
                asked += range(int(first), int(last) + 1)
        assert asked
        assert len(asked) == len(set(asked))


def test_an_index_leads_to_its_item(grid: Visitor) -> None:
    """A colon leads to the field for an index or a label."""
    grid.find("[data-sight]").focus()
    grid.page.keyboard.press(":")
    grid.page.keyboard.type("77013")
    grid.page.keyboard.press("Enter")
    expect(said(grid)).to_contain_text("[77,013] failed")


def test_what_is_under_the_pointer_stays_there_while_one_zooms(grid: Visitor) -> None:
    """The wheel zooms at the pointer, and from near each item says what became of it."""
    canvas = grid.find(".grid canvas")
    box = canvas.bounding_box()
    assert box is not None
    x, y = int(box["x"] + box["width"] * 0.4), int(box["y"] + box["height"] * 0.4)
    mouse = grid.page.mouse
    mouse.move(x, y)
    while not canvas.get_attribute("title"):  # between two blocks there is no item
        x, y = x + 1, y + 1
        mouse.move(x, y)
    before = canvas.get_attribute("title") or ""
    for _ in range(8):
        mouse.wheel(0, -300)
    mouse.move(x - 1, y)
    mouse.move(x, y)
    expect(canvas).to_have_attribute("title", re.compile("succeeded"))
    after = canvas.get_attribute("title") or ""
    assert after.split()[0] == before.split()[0]
    mouse.click(x, y)
    expect(said(grid)).to_have_text(re.compile(re.escape(before.split()[0]) + " succeeded"))
    grid.page.get_by_role("button", name="All", exact=True).click()
    mouse.move(x, y)
    assert (canvas.get_attribute("title") or "").split()[0] == before.split()[0]


def test_lists_tell_how_far_a_run_is(browser: Browser, many: Served) -> None:
    """With a bar for its widest task in work, as long as that is so."""
    with visiting(browser, many) as visitor, halfway(many.folder, "held.yaml", "wide") as finish:
        for path in ("", "runs?q=workflow:held"):
            visitor.open(path)
            expect(visitor.find(".work")).to_contain_text("/400")
        finish()
        expect(visitor.find(".work")).to_have_count(0)


def test_the_grid_of_a_run_that_goes_on_fills(browser: Browser, many: Served) -> None:
    """Counts and cells of a run in progress follow the store, and end at what is recorded."""
    with visiting(browser, many) as visitor, halfway(many.folder, "held.yaml", "held") as finish:
        visitor.open("runs/held/tasks/each")
        done = visitor.find(".figures div", "Done").locator("dd")
        expect(visitor.find(".title .st")).to_have_text("running")
        assert 0 < int(done.inner_text()) < 400
        finish()
        expect(done).to_have_text("400")
        expect(visitor.find(".title .st")).to_have_text("succeeded")
        label = re.compile("400 items: 400 succeeded, 0 failed, 0 not done yet")
        expect(visitor.find(".grid canvas")).to_have_attribute("aria-label", label)
