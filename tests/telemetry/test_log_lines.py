"""Lines in JSON: one object a line, with the time, the event, and no more than its fields."""

from __future__ import annotations

import json
import logging

import pytest

from fanwise.telemetry.log_lines import LogLines


def test_a_line_is_one_object():
    """Fields that are None are left out, and no text breaks a line."""
    lines: list[str] = []
    LogLines(lines.append, lambda: 0.5)("run_ended", run="r\n1", duration_s=1.5, error=None)
    assert json.loads(lines[0]) == {
        "at": "1970-01-01T00:00:00.500Z",
        "level": "info",
        "event": "run_ended",
        "run": "r\n1",
        "duration_s": 1.5,
    }
    assert "\n" not in lines[0]


def test_what_libraries_log_are_lines_as_well(monkeypatch: pytest.MonkeyPatch):
    """From warnings on, with the traceback of a fault in a field."""
    lines: list[str] = []
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    LogLines(lines.append).take_logging()
    logging.getLogger("some.library").info("quiet")
    try:
        raise ValueError("why")
    except ValueError:
        logging.getLogger("some.library").exception("it is %s", "broken")
    (told,) = map(json.loads, lines)
    assert (told["level"], told["logger"], told["message"]) == (
        "error",
        "some.library",
        "it is broken",
    )
    assert told["traceback"].endswith("ValueError: why\n")
