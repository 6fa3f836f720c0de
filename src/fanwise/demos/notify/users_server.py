"""The users of the demo behind a real HTTP API, in a process of its own.

    python -m fanwise.demos.notify.users_server --messages 5000 --seed 7

It prints the URL of the first page of users on one line when it listens, on this machine alone. It
ends when its standard input closes, or on SIGTERM or Ctrl-C. `/users?page=1` answers with
`{"users": [...], "next": URL}`; on the last page `next` is null.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import msgspec
from aiohttp import web

from fanwise.demos.notify.people import Person, make_people
from fanwise.demos.process import (
    announce,
    parse_amount,
    parse_port,
    serve_to_the_end,
    stop_signal,
)

PAGE_SIZE = 500
_SHOWN = ("id", "name", "email", "language", "active", "subscribed")


class UsersServer:
    """Lists users page by page."""

    def __init__(self, people: Sequence[Person]) -> None:
        self._users = [{name: getattr(person, name) for name in _SHOWN} for person in people]

    def application(self) -> web.Application:
        """The web application that lists them."""
        application = web.Application()
        application.router.add_get("/users", self.users)
        return application

    async def users(self, request: web.Request) -> web.Response:
        """Answer with one page; pages count from 1."""
        try:
            page = int(request.query.get("page", "1"))
        except ValueError:
            raise web.HTTPBadRequest from None
        end = page * PAGE_SIZE
        if page < 1 or end - PAGE_SIZE >= max(len(self._users), 1):
            raise web.HTTPNotFound
        following = request.url.with_query(page=page + 1) if end < len(self._users) else None
        body = msgspec.json.encode(
            {
                "users": self._users[end - PAGE_SIZE : end],
                "next": str(following) if following else None,
            }
        )
        return web.Response(body=body, content_type="application/json")


async def serve(people: Sequence[Person], port: int) -> None:
    """Serve until SIGTERM or SIGINT. Raises `OSError` if the port can't be opened."""
    stopped = stop_signal()
    runner = web.AppRunner(UsersServer(people).application(), shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        host, bound_port, *_ = runner.addresses[0]
        announce(f"http://{host}:{bound_port}/users")
        await stopped.wait()
    finally:
        await runner.cleanup()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description="The users of the notification demo.")
    parser.add_argument("--port", type=parse_port, default=0, help="0 takes any that is free")
    parser.add_argument("--messages", type=parse_amount, default=5000, help="users who want news")
    parser.add_argument("--seed", type=int, default=7, help="decides who they are")
    options = parser.parse_args()
    serve_to_the_end(serve(make_people(options.messages, options.seed), options.port))


if __name__ == "__main__":
    main()
