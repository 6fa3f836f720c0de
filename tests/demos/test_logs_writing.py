"""The logs of the demo: written by a server that is asked, and rotated."""

import gzip
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanwise.demos.logs import writing
from fanwise.demos.logs.writing import calls, rotate, write_logs
from fanwise.demos.monitor.fleet import make_fleet
from fanwise.errors import UsageError


def read(folder: Path) -> list[bytes]:
    """The contents of the files, the oldest first."""
    files = sorted(folder.glob("access.log.?*"), key=lambda file: -int(file.name.split(".")[2]))
    return [
        gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        for file in [*files, folder / "access.log"]
    ]


@given(
    lines=st.lists(st.binary(min_size=1, max_size=30).map(lambda line: line.replace(b"\n", b" "))),
    files=st.integers(1, 9),
)
@settings(deadline=None)
def test_a_rotation_loses_no_line_and_cuts_off_the_last_of_each_file(
    lines: list[bytes], files: int
) -> None:
    """The whole line stands at the beginning of the next file."""
    with tempfile.TemporaryDirectory() as name:
        whole = Path(name) / "whole.log"
        whole.write_bytes(b"".join(line + b"\n" for line in lines))
        cuts = rotate(whole, Path(name) / "access.log", files)
        *parts, newest = read(Path(name))
        assert not whole.exists()
    assert len(parts) == cuts < files
    kept = b""
    for part, following in zip(parts, [*parts, newest][1:], strict=True):
        complete, _, begun = part.rpartition(b"\n")
        kept += complete + b"\n" if complete else b""
        assert begun
        assert following.startswith(begun)
    assert (kept + newest).split(b"\n")[:-1] == lines


def test_the_server_has_counted_what_stands_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each answer has a line, also when the log is repeated to be long enough."""
    monkeypatch.setattr(writing, "MAX_REQUESTS", 250)
    (tmp_path / "access.log.9.gz").write_text("of an earlier time")
    written = write_logs(tmp_path, 600)
    parts = read(tmp_path)
    lines = b"".join(part.rpartition(b"\n")[0] + b"\n" for part in parts).decode().splitlines()
    assert len(lines) >= 600
    assert Counter(int(line.split('"')[2].split()[0]) for line in lines) == written.answers
    assert {200, 404, 405} < set(written.answers)
    assert len(parts) == written.cut + 1 == 7
    assert written.inventory.exists()


def test_requests_follow_from_the_seed() -> None:
    """There are several agents, referers, methods and paths, and each time the same."""
    fleet = make_fleet(10, 7)
    made = list(calls(fleet, 1_000, 7))
    assert made == list(calls(fleet, 1_000, 7))
    assert made != list(calls(fleet, 1_000, 8))
    for name, least in (("agent", 5), ("referer", 3), ("method", 2), ("path", 15)):
        assert len({getattr(call, name) for call in made}) >= least


def test_logs_of_no_lines_are_refused(tmp_path: Path) -> None:
    """Before a server is started."""
    with pytest.raises(UsageError, match="0 lines"):
        write_logs(tmp_path, 0)
