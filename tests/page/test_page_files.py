"""The files of the page: small, complete, and without anything that the policy forbids."""

import gzip
import http.client
import re
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from importlib import resources

from fanwise.model import Role
from fanwise.server.page.shell import assets
from fanwise.server.page.table import PAGES
from fanwise.server.token_making import new_token_text
from tests.server.served import Served

MOST_BYTES = 60_000


def test_the_page_weighs_little() -> None:
    """All that a first visit loads is under 60 KB, packed."""
    assert sum(len(each.packed) for each in assets().files.values()) < MOST_BYTES


def test_the_page_needs_no_other_host() -> None:
    """No file of the page names another host, but for the names of XML."""
    for name, text in texts():
        named = text.replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in named, name
        assert "https:" not in named, name


def test_no_file_of_the_page_needs_more_than_the_policy_allows() -> None:
    """Templates have no script, style or handler in their own text, and modules make no code."""
    for name, text in texts():
        if name.endswith(".html"):
            assert not re.search(r"<style|<script[^>]*>[^<]|<[^>]+\s(style|on\w+)=", text), name
        elif name.endswith(".js"):
            assert not re.search(r"\beval\(|new Function|document\.write|javascript:", text), name


def texts() -> Iterator[tuple[str, str]]:
    """All files of the page by their names: those that are served, and the templates."""
    yield from ((name, file.content.decode()) for name, file in assets().files.items())
    for each in resources.files("fanwise.server.page").joinpath("templates").iterdir():
        yield each.name, each.read_text()


def test_the_shell_has_no_inline_scripts_and_names_only_files_that_are_there(site: Served) -> None:
    """The shell keeps the policy: scripts and styles are files, which the server gives."""
    shell = site.ask("/runs/checked", token=None)
    assert shell.status == 200
    text = shell.body.decode()
    assert " style=" not in text
    assert set(re.findall(r"<script[^>]*>([^<]*)</script>", text)) == {""}
    named = re.findall(r'(?:src|href)="(/assets/[^"]+)"', text)
    assert len(named) > 5
    for path in named:
        file = site.ask(path, token=None, headers={"Accept-Encoding": "gzip"})
        assert file.status == 200
        assert "immutable" in file.headers["Cache-Control"]
        assert gzip.decompress(file.body)
    assert site.ask("/assets/000000000000/app.js", token=None).status == 404


def test_the_shell_holds_no_data_and_fragments_need_a_role(site: Served) -> None:
    """Without credentials every page is the same shell, and no fragment comes."""
    shells = {site.ask(path, token=None).body for path in ("/", "/runs", "/runs/checked?x=1")}
    assert len(shells) == 1
    for page in PAGES:
        path = f"/page{page.path}".replace("{run_id}", "checked").replace("{path}", "each")
        assert site.ask(path.replace("{name}", "check"), token=None).code == "unauthenticated"


def test_no_fragment_has_inline_styles(site: Served) -> None:
    """Fragments keep the policy too: no style and no handler stands in an attribute."""
    for path in ("", "runs", "runs/checked", "runs/checked/graph", "runs/checked/tasks/each"):
        text = site.ask(f"/page/{path}").body.decode()
        assert not re.search(r"<[^>]+\s(style|on\w+)=", text), path


def test_pages_show_nothing_of_workflows_that_a_token_may_not_see(site: Served) -> None:
    """With patterns of workflows, all others are not there: in lists, by address, or in hints."""
    token = str(new_token_text(site.store, "narrow", Role.RUN, workflows=("ask",)))
    for path in ("", "runs", "runs?q=checked", "workflows", "triggers", "waiting", "compare"):
        text = site.ask(f"/page/{path}", token=token).body.decode()
        assert text.startswith("<div id"), path
        assert not re.search("broken|hourly|>check<|checked<", text), path
    for path in ("runs/checked", "runs/checke", "runs/checked/tasks/each", "workflows/check"):
        reply = site.ask(f"/page/{path}", token=token)
        assert reply.status == 404
        assert "checked" not in reply.json["hint"]
    reply = site.ask("/page/compare?a=queued&b=checked", token=token)
    assert reply.code == "run-not-found"
    assert site.ask("/page/settings", token=token).code == "forbidden"


def test_a_run_that_is_not_there_is_told(site: Served) -> None:
    """An unknown run or task is a problem with a remedy."""
    assert site.ask("/page/runs/none").code == "run-not-found"
    assert site.ask("/page/runs/checked/tasks/none").code == "task-not-found"
    assert site.ask("/page/runs/checked/items/each").code == "task-not-found"
    assert site.ask("/page/workflows/none").code == "not-found"


def test_a_stream_gives_the_page_at_once_and_again_when_it_has_changed(site: Served) -> None:
    """Its first event is the whole page, and the next one comes with the next change."""
    with streaming(site, "/page/runs/queued") as lines:
        assert next(lines) == "event: page"
        assert "pending" in until_blank(lines)
        record = site.store.run("queued")
        assert record is not None
        site.store.end_waiting(record, "ada")
        assert next(lines) == "event: page"
        assert "cancelled" in until_blank(lines)


def test_a_stream_sends_nothing_that_the_page_has_already(site: Served) -> None:
    """With the tag of what is shown the stream begins with a sign of life, and no page."""
    tag = site.ask("/page/runs/checked", token="read").headers["ETag"]
    with streaming(site, "/page/runs/checked", {"If-None-Match": tag}) as lines:
        assert next(lines) == ": beat"
    with streaming(site, "/page/runs/checked", {"If-None-Match": '"another"'}) as lines:
        assert next(lines) == "event: page"


@contextmanager
def streaming(
    site: Served, path: str, headers: Mapping[str, str] | None = None
) -> Iterator[Iterator[str]]:
    """The lines of a stream."""
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=60)
    given = {"Authorization": f"Bearer {site.tokens['read']}", "Accept": "text/event-stream"}
    connection.request("GET", path, headers={**given, **(headers or {})})
    with closing(connection), connection.getresponse() as response:
        yield (line.decode().rstrip("\n") for line in response)


def until_blank(lines: Iterator[str]) -> str:
    """The rest of an event."""
    return "\n".join(iter(lambda: next(lines), ""))
