"""Routes: what can be asked, who may ask, what it takes and gives. All else follows from these.

Handlers that are `def` may block: they run in threads. Those that are `async def` must not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias, TypeVar

import msgspec

from fanwise.errors import FanwiseError
from fanwise.model import Role, Who
from fanwise.server.buckets import READS, Rate

if TYPE_CHECKING:
    from aiohttp import web

    from fanwise.server.parts import Parts

MOST_BODY_BYTES: Final = 2**20
JSON: Final = "application/json"


class Fields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of what routes take as a query or a body: a field that is unknown is refused."""


_F = TypeVar("_F", bound=Fields)
_Given = TypeVar("_Given")


class Answer(NamedTuple):
    """An answer that is whole."""

    body: bytes
    type: str = JSON
    status: int = 200
    headers: Mapping[str, str] = {}


def json_answer(
    value: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Answer:
    """Return a value as an answer in JSON; `msgspec.Raw` in it is taken as it is."""
    return Answer(msgspec.json.encode(value), JSON, status, headers or {})


class Call:
    """A request that the guard has let through."""

    def __init__(
        self,
        request: web.Request,
        parts: Parts,
        who: Who | None,
        request_id: str,
        query: Fields | None = None,
        body: Fields | None = None,
    ) -> None:
        self.request = request
        self.parts = parts
        self.request_id = request_id
        self.names: Mapping[str, str] = request.match_info
        """The parts of the path that the route names."""
        self._who = who
        self._query = query
        self._body = body

    @property
    def who(self) -> Who:
        """The one who asks; routes that are open have none."""
        assert self._who is not None
        return self._who

    async def in_thread(self, work: Callable[[Call], _Given]) -> _Given:
        """Return the result of work that may block."""
        return await asyncio.to_thread(work, self)

    def query(self, kind: type[_F]) -> _F:
        """Return the query, which is of the kind that the route names."""
        assert isinstance(self._query, kind)
        return self._query

    def body(self, kind: type[_F]) -> _F:
        """Return the body, which is of the kind that the route names."""
        assert isinstance(self._body, kind)
        return self._body


Given: TypeAlias = "Answer | web.StreamResponse"
"""An answer that is whole, or one that the handler has sent bit by bit."""

Handler: TypeAlias = "Callable[[Call], Given | Awaitable[Given]]"


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A route. Its summary is the first line of the handler's docstring.

    `role` is the least that may ask; a route without one is open to all, and says why in `is_open`.
    A body is JSON of the struct `body`; without one, the handler reads what it takes from the
    request, at most `most_bytes`, as a text of one of the types that it `takes`. `refuses` has the
    statuses of refusals that are no errors of fanwise. `audit` is the word for it in the audit;
    reading has none. A route that `takes_ticket` may be opened by a link, and a token of some
    workflows may not ask one that `sees_all`. One that `is_probe` answers under any `Host`, as
    supervisors ask by address. By its `tag` a client is told that it has the answer already; see
    `tags`.
    """

    method: str
    path: str
    handler: Handler
    role: Role | None = None
    is_open: str = ""
    query: type[Fields] | None = None
    body: type[Fields] | None = None
    takes: tuple[str, ...] = ()
    answer: type[msgspec.Struct] | None = None
    status: int = 200
    errors: tuple[type[FanwiseError], ...] = ()
    refuses: tuple[int, ...] = ()
    audit: str = ""
    takes_ticket: bool = False
    sees_all: bool = False
    is_probe: bool = False
    tag: Callable[[Call], str] | None = None
    rate: Rate = READS
    most_bytes: int = MOST_BODY_BYTES
