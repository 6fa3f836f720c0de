"""The access log's lines."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given, settings
from hypothesis import strategies as st

from fanwise.demos.monitor.server import combined_line


def line(**changes: object) -> str:
    fields: dict[str, object] = {
        "host": "127.0.0.1",
        "received": datetime(
            2026, 3, 5, 9, 7, 2, tzinfo=timezone(timedelta(hours=-3, minutes=-30))
        ),
        "request": "GET /stats HTTP/1.1",
        "status": 200,
        "size_bytes": 512,
        "referer": "https://example.org/",
        "user_agent": "curl/8.5",
        "seconds": 0.0254,
    }
    return combined_line(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_line_is_in_the_combined_format() -> None:
    """Host, time with its zone, request, status, size, referer, user agent and seconds."""
    assert line() == (
        '127.0.0.1 - - [05/Mar/2026:09:07:02 -0330] "GET /stats HTTP/1.1" 200 512 '
        '"https://example.org/" "curl/8.5" 0.025'
    )


def test_what_is_missing_is_a_dash() -> None:
    """A body of no bytes and headers that weren't sent are dashes."""
    told = line(
        size_bytes=0, referer=None, user_agent=None, received=datetime(2026, 1, 1, tzinfo=UTC)
    )

    assert told.endswith('[01/Jan/2026:00:00:00 +0000] "GET /stats HTTP/1.1" 200 - "-" "-" 0.025')


@given(st.text())
@settings(deadline=None)
def test_a_client_can_not_forge_a_line(agent: str) -> None:
    """Whatever a header holds, the line stays one line and its quotes stay balanced."""
    told = line(user_agent=agent)

    assert told.isascii()
    assert told.isprintable()
    unescaped = told.replace("\\\\", "").replace('\\"', "")
    assert unescaped.count('"') == 6
