"""The page's shell and its files: read once, served from memory, the same for everybody.

The shell holds no data. Files lie under a path that has the digest of all of them, so a browser may
keep them for ever, and a new version is a new path.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Final, NamedTuple

from fanwise.model import Role
from fanwise.server.page.pages import HTML, Page, base_of
from fanwise.server.page.rendering import Place, render
from fanwise.server.problems import Refusal
from fanwise.server.routes import Answer, Call, Fields, Route

_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_EARLY: Final = "early.js"
"""The script that is no module, so that it runs before they are there."""

OPEN: Final = "It is the same for everybody, and holds no data."


class AnyQuery(Fields, frozen=True, forbid_unknown_fields=False):
    """The query of an address, which is for the fragment."""


class Asset(NamedTuple):
    """A file of the page, also as gzip."""

    type: str
    content: bytes
    packed: bytes


class Assets(NamedTuple):
    """All files of the page by their names, and the digest of all of them."""

    digest: str
    files: Mapping[str, Asset]

    @property
    def modules(self) -> Sequence[str]:
        """The names of the modules."""
        scripts = [name for name in self.files if name.endswith(".js")]
        return [name for name in scripts if name != _EARLY]


@cache
def assets() -> Assets:
    """Read all files of the page."""
    folder = resources.files("fanwise.server.page").joinpath("static")
    files = {}
    for each in sorted(folder.iterdir(), key=lambda file: file.name):
        kind = _TYPES.get(each.name.rpartition(".")[2])
        if kind is not None:
            content = each.read_bytes()
            files[each.name] = Asset(kind, content, gzip.compress(content, 9, mtime=0))
    whole = hashlib.sha256()
    for name, file in files.items():
        whole.update(f"{name} {len(file.content)}\n".encode() + file.content)
    return Assets(whole.hexdigest()[:12], files)


def get_shell(call: Call) -> Answer:
    """Give the shell that shows all pages."""
    found = assets()
    place = Place(base_of(call), 0.0, Role.READ)
    text = render("shell.html", place, {"digest": found.digest, "modules": found.modules})
    return Answer(text.encode(), HTML, headers={"Cache-Control": "no-cache"})


def get_asset(call: Call) -> Answer:
    """Give a file of the page."""
    found = assets()
    file = found.files.get(call.names["name"])
    if file is None or call.names["digest"] != found.digest:
        raise Refusal(404, "not-found", "The page has no such file.")
    headers = {"Cache-Control": _FOR_EVER, "Vary": "Accept-Encoding"}
    if "gzip" in call.request.headers.get("Accept-Encoding", ""):
        return Answer(file.packed, file.type, headers={**headers, "Content-Encoding": "gzip"})
    return Answer(file.content, file.type, headers=headers)


def shell_routes(pages: Sequence[Page]) -> Sequence[Route]:
    """The routes of the shell under the paths of all pages, and of its files."""
    shells = [
        Route(method="GET", path=page.path, handler=get_shell, is_open=OPEN, query=AnyQuery)
        for page in pages
    ]
    file = Route(method="GET", path="/assets/{digest}/{name}", handler=get_asset, is_open=OPEN)
    return [*shells, file]
