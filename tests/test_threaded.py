"""Work in a thread that is waited for to its end."""

from __future__ import annotations

import asyncio
import threading

import pytest

from fanwise.threaded import in_thread


def test_it_is_done_when_a_cancelled_caller_goes_on() -> None:
    """A thread that writes a file has it until then, and nobody may close it."""

    async def main() -> None:
        begun, goes_on, written = threading.Event(), threading.Event(), []

        def write() -> None:
            begun.set()
            goes_on.wait()
            written.append("all")

        writing = asyncio.ensure_future(in_thread(write))
        await asyncio.to_thread(begun.wait)
        writing.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
        assert not writing.done()
        goes_on.set()
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert written == ["all"]

    asyncio.run(main())
