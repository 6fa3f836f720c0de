"""Texts of others on the page: they are shown as text, whatever they would like to be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import pytest

import fanwise
from fanwise.server.guard import CSP
from fanwise.server.page.table import PAGES
from tests.server.served import Served, serving

MARKUP = "<img src=x onerror=alert(1)>"
LINK = "javascript:alert(2)"
CONTROLS = "\x1b[31m\u202e\u2066\x07"
HOSTILE = f"{MARKUP} {LINK} '\"> </script> {CONTROLS}"

FLOW = f"""
name: hostile
description: {json.dumps(f"{MARKUP} {LINK}")}
parameters:
  text: {{type: string, default: {json.dumps(MARKUP)}, description: {json.dumps(MARKUP)}}}
tasks:
  - name: each
    action: core.echo
    with-items: ["{{{{ parameters.text }}}}"]
    label: "{{{{ item }}}}"
    input: {{value: "{{{{ item }}}}"}}
  - name: log
    action: core.shell
    input: {{command: [printf, "%s\\n", "{{{{ parameters.text }}}}"]}}
  - name: broken
    action: core.fail
    input: {{message: "{{{{ parameters.text }}}}"}}
"""
ASKS = f"""
name: asks
tasks:
  - name: ask
    action: core.ask
    input:
      prompt: {json.dumps(MARKUP)}
      options: [approve, {json.dumps(MARKUP)}]
      answer: {{note: {{type: string, default: {json.dumps(MARKUP)}}}}}
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("hostile")
    (folder / "hostile.yaml").write_text(FLOW)
    (folder / "asks.yaml").write_text(ASKS)
    store = str(folder / "runs.db")
    fanwise.run(
        folder / "hostile.yaml",
        {"text": HOSTILE},
        run_id="hostile",
        tags=["javascript:1"],
        store=store,
    )
    fanwise.run(folder / "asks.yaml", run_id="asks", store=store)
    with serving(folder) as made:
        yield made


class Read(HTMLParser):
    """A page as a browser reads it: its texts, and all in it that would act by itself."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.acts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        is_file = tag == "script" and any(name == "src" for name, _ in attrs)
        if tag in ("img", "iframe", "object", "style") or (tag == "script" and not is_file):
            self.acts.append(tag)
        for name, value in attrs:
            given = value or ""
            self.texts.append(given)
            is_link = name in ("href", "src", "action", "formaction", "xlink:href")
            if name.startswith("on") or name == "style" or (is_link and ":" in given):
                self.acts.append(f"{tag} {name}={given}")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def pages() -> Iterator[str]:
    """The paths of all pages, as those of the hostile run."""
    names = {"run_id": "hostile", "name": "hostile"}
    for page in PAGES:
        for path in ("each", quote("each[0]", safe=""), "broken", "log"):
            yield page.path.format(**names, path=path)
            if "{path}" not in page.path:
                break
    yield "/runs/asks"
    yield "/compare?a=hostile&b=hostile"
    yield f"/runs?q={quote(HOSTILE)}"
    yield "/workflows/hostile/start?from=hostile"


def test_texts_of_others_are_shown_as_text(served: Served) -> None:
    """On every page, under the one policy; no control of a terminal or of direction is left."""
    shown = set()
    for path in pages():
        for asked in (path, f"/page{path}"):
            reply = served.ask(asked)
            assert reply.headers["Content-Security-Policy"] == CSP, asked
        if reply.headers["Content-Type"] == "application/problem+json":
            continue
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert reply.headers["Content-Type"].startswith("text/html"), path
        text = reply.body.decode()
        read = Read(text)
        assert read.acts == [], path
        assert not set(text) & set(CONTROLS.replace("[31m", "")), path
        if any(MARKUP in each for each in read.texts):
            shown.add(path)
    assert shown >= {
        *("/", "/runs", "/waiting", "/workflows", "/workflows/hostile", "/workflows/hostile/start"),
        *("/runs/hostile", "/runs/hostile/logs", "/runs/hostile/definition"),
        *("/runs/hostile/tasks/each", "/runs/hostile/tasks/broken"),
        "/runs/hostile/items/each%5B0%5D",
    }
