"""Sources of items: nothing is lost, nothing is waited for in vain, memory stays flat."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import json
import os
import re
import threading
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanwise.definition import load
from fanwise.errors import AttemptError, TemplateError
from fanwise.model import ErrorInfo, Limits
from fanwise.ports import Source
from fanwise.source_kinds import SOURCE_KINDS
from fanwise.sources import (
    CHUNK_ITEMS,
    FILE_SOURCES,
    LIST_ITEMS,
    IteratorSource,
    ListSource,
    ZippedSource,
    open_list,
    open_source,
    zipped,
)
from fanwise.values import FrozenDict, FrozenList, LazyList, freeze

LIMITS = Limits()


async def drain(source: Source) -> list[Any]:
    items: list[Any] = []
    try:
        while chunk := await source.read():
            assert len(chunk) <= LIST_ITEMS
            items.extend(chunk)
        assert source.total == len(items)
        assert not await source.read()
    finally:
        source.close()
    return items


def read(value: Any, limits: Limits = LIMITS) -> list[Any]:
    """All items of a source, as a workflow would write it."""
    if not (isinstance(value, dict) and value):
        source = open_list(value)
    elif len(value) == 1 and (kind := next(iter(value))) in SOURCE_KINDS:
        source = open_source(kind, value[kind], limits)
    else:
        source = zipped(value)
    return asyncio.run(drain(source))


def read_file(path: Path, kind: str, content: bytes, limits: Limits = LIMITS) -> list[Any]:
    path.write_bytes(content)
    return read({kind: str(path)}, limits)


def failure(value: Any) -> AttemptError:
    with pytest.raises(AttemptError) as caught:
        read(value)
    assert "\n" not in str(caught.value)
    assert not caught.value.retryable
    return caught.value


def fault(item: Any) -> tuple[str, str]:
    assert isinstance(item, ErrorInfo)
    return item.type, item.message


class Pages(LazyList):
    """A lazy list that notes which threads read it, and how far."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.threads: set[int] = set()
        self.last = -1

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, place: Any) -> Any:
        self.threads.add(threading.get_ident())
        numbers = range(self.count)[place]
        if isinstance(numbers, range) and numbers:
            self.last = numbers[-1]
        return list(numbers) if isinstance(numbers, range) else numbers


class TestLists:
    def test_elements_come_by_reference(self) -> None:
        """A frozen list's elements are shared, not copied."""
        values = freeze([{"n": n} for n in range(2_500)])
        items = read(values)
        assert items == values
        assert all(a is b for a, b in zip(items, values, strict=True))
        assert read(freeze([])) == []

    def test_a_list_that_is_not_frozen_yet_gives_frozen_items(self) -> None:
        """Items can be shared whatever they come from; what isn't JSON fails its item alone."""
        items = read([{"a": [1]}, object(), 2])
        assert type(items[0]) is FrozenDict
        assert type(items[0]["a"]) is FrozenList
        assert fault(items[1])[0] == "ResultError"
        assert items[2] == 2

    def test_a_paged_output_is_read_page_by_page_off_the_loop(self) -> None:
        """Only the pages that were asked for are read, and in a thread, as it may block."""
        pages = Pages(10 * CHUNK_ITEMS)

        async def main() -> None:
            source = open_list(pages)
            assert source.total == 10 * CHUNK_ITEMS
            assert list(await source.read()) == list(range(CHUNK_ITEMS))
            assert pages.last == CHUNK_ITEMS - 1
            source.close()

        asyncio.run(main())
        assert threading.get_ident() not in pages.threads
        assert read(Pages(2_500)) == list(range(2_500))

    @pytest.mark.parametrize(
        ("bounds", "numbers"),
        [
            (3, [0, 1, 2]),
            (0, []),
            (-1, []),
            ({"stop": 2}, [0, 1]),
            ({"start": 5, "stop": 1, "step": -2}, [5, 3]),
        ],
    )
    def test_ranges(self, bounds: Any, numbers: list[int]) -> None:
        """A range counts as Python's does."""
        assert read({"range": bounds}) == numbers

    def test_a_range_takes_no_memory(self) -> None:
        """A range of a billion numbers starts at once and knows its total."""

        async def main() -> None:
            source = open_source("range", 10**9, LIMITS)
            assert source.total == 10**9
            assert list(await source.read()) == list(range(LIST_ITEMS))

        asyncio.run(main())

    @pytest.mark.parametrize(
        "bounds",
        [
            *("3", 1.5, True, None, 10**30),
            *([], {}, {"start": 1}, {"stop": 5, "step": 0}, {"stop": 1, "by": 2}),
        ],
    )
    def test_what_is_no_range(self, bounds: Any) -> None:
        """Anything but whole numbers is refused, with an example."""
        error = failure({"range": bounds})
        assert error.type == "WithItemsError"
        assert "{range: 100}" in str(error)

    @pytest.mark.parametrize("value", ["text", 5, {"range": "3"}])
    def test_what_a_hint_says_can_be_written(self, value: Any) -> None:
        """Each example of `with-items` in a hint is one that the loader takes."""
        examples = re.findall("`(?:with-items: )?({.*?})`", failure(value).hint)
        assert examples
        for example in examples:
            text = f"tasks: [{{name: a, action: x.y, with-items: {example.replace('N', '9')}}}]"
            assert load(text, file="flow.yaml").tasks[0].with_items is not None


class TestIterators:
    def test_the_first_items_come_before_the_end(self) -> None:
        """An endless iterator is read no further than a chunk."""
        taken = 0

        def count() -> Iterator[int]:
            nonlocal taken
            while True:
                yield taken
                taken += 1

        async def main() -> None:
            source = open_list(count())
            assert source.total is None
            assert (await source.read())[0] == 0
            assert taken < CHUNK_ITEMS

        asyncio.run(main())

    def test_all_items_come_once(self) -> None:
        """However slowly or fast they come, none is lost; the total is known at the end."""
        assert read(iter(range(2_500))) == list(range(2_500))
        assert read(iter([{"a": [1]}])) == [{"a": [1]}]

    def test_an_item_is_not_kept_waiting_for_the_next(self) -> None:
        """What an iterator has given goes on while the next one takes its time."""
        may_go_on = threading.Event()

        def slow() -> Iterator[int]:
            yield 1
            assert may_go_on.wait(60)
            yield 2

        async def main() -> None:
            source = IteratorSource(slow())
            assert await source.read() == [1]
            may_go_on.set()
            assert await source.read() == [2]

        asyncio.run(main())

    def test_an_error_of_the_iterator_is_the_sources(self) -> None:
        """A template that fails in the middle fails the source."""

        def broken() -> Iterator[int]:
            yield 1
            raise TemplateError("no such thing")

        with pytest.raises(TemplateError):
            read(broken())


class TestZipped:
    def test_lists_advance_together(self) -> None:
        """Each item has a value from each list, also if they are read in different steps."""
        items = read({"a": freeze(list(range(2_500))), "b": iter(range(1, 2_501))})
        assert items == [{"a": n, "b": n + 1} for n in range(2_500)]
        assert type(items[0]) is FrozenDict
        assert read({"only": freeze([1])}) == [{"only": 1}]

    @pytest.mark.parametrize("others", [[1, 2], [1, 2, 3, 4], []])
    def test_different_lengths_are_an_error_at_once(self, others: list[int]) -> None:
        """Lists of known lengths are compared before the first item."""

        async def main() -> None:
            await zipped(freeze({"a": [1, 2, 3], "b": others})).read()

        with pytest.raises(AttemptError, match="the lists a, b of with-items have diff") as caught:
            asyncio.run(main())
        assert caught.value.type == "WithItemsLengths"

    @given(st.integers(0, 3), st.integers(0, 3), st.booleans())
    @settings(deadline=None)
    def test_different_lengths_are_found_at_the_end_of_streams(
        self, a: int, b: int, is_known: bool
    ) -> None:
        """Whatever is known beforehand, an item is never made up and a rest never dropped."""
        value = {"a": iter(range(a)), "b": freeze(list(range(b))) if is_known else iter(range(b))}
        if a == b:
            assert read(value) == [{"a": n, "b": n} for n in range(a)]
        else:
            assert failure(value).type == "WithItemsLengths"

    def test_a_bad_element_fails_its_item(self) -> None:
        """If one of the lists has an error at a place, that item fails and the rest goes on."""
        items = read({"a": [1, object()], "b": [object(), 2]})
        assert [fault(item)[0] for item in items] == ["ResultError", "ResultError"]

    def test_the_total_is_known_if_one_is(self) -> None:
        """A list beside a stream tells how many there must be."""
        assert ZippedSource({"a": IteratorSource([1]), "b": ListSource([1])}).total == 1
        assert ZippedSource({"a": IteratorSource([1])}).total is None


class TestLines:
    def test_lines(self, tmp_path: Path) -> None:
        """Lines end with LF or CRLF; the last one needs no end; a byte order mark is no text."""
        content = b"\xef\xbb\xbfa\r\n\n b \nc\xc3\xa9"
        assert read_file(tmp_path / "f", "lines", content) == ["a", "", " b ", "cé"]
        assert read_file(tmp_path / "f", "lines", b"a\n") == ["a"]
        assert read_file(tmp_path / "f", "lines", b"") == []

    @given(st.lists(st.text(st.characters(exclude_characters="\n\r\0", codec="utf-8"))))
    @settings(deadline=None)
    def test_any_lines_come_back(self, tmp_path_factory: Any, lines: list[str]) -> None:
        """What was written as lines is read as these lines."""
        path = tmp_path_factory.getbasetemp() / "lines"
        content = "".join(f"{line}\n" for line in lines).encode()
        expected = [line.removeprefix("\ufeff") for line in lines[:1]] + lines[1:]
        assert read_file(path, "lines", content) == expected

    def test_many_lines(self, tmp_path: Path) -> None:
        """Lines that cross the borders of chunks come whole, and each once."""
        lines = [f"{n} {'x' * (n % 300)}" for n in range(20_000)]
        assert read_file(tmp_path / "f", "lines", "\n".join(lines).encode()) == lines

    def test_a_bad_line_fails_its_item(self, tmp_path: Path) -> None:
        """Lines that aren't text are told by number; those around them go on."""
        items = read_file(tmp_path / "f", "lines", b"a\n\xff\nb\0\nc\n")
        assert (items[0], items[3]) == ("a", "c")
        assert fault(items[1])[0] == "BadEncoding"
        assert fault(items[1])[1].startswith(f"{tmp_path}/f:2: this isn't UTF-8. ")
        assert fault(items[2]) == ("BadEncoding", f"{tmp_path}/f:3: this holds NUL.")

    def test_a_line_over_the_limit_fails_its_item(self, tmp_path: Path) -> None:
        """limits.item_bytes bounds a line; the error names the setting."""
        content = b"1234\n12345\n" + b"x" * 200_000 + b"\nab\n" + b"y" * 200_000
        items = read_file(tmp_path / "f", "lines", content, Limits(item_bytes=4))
        assert items[0] == "1234"
        assert items[3] == "ab"
        for place in (1, 2, 4):
            kind, message = fault(items[place])
            assert kind == "LimitExceeded"
            assert message.startswith(f"{tmp_path}/f:{place + 1}: ")
            assert "limits.item_bytes" in message

    def test_an_endless_line_takes_no_memory(self, tmp_path: Path) -> None:
        """A line that is longer than the limit is never held."""
        with (tmp_path / "f").open("wb") as file:
            file.truncate(64 * 2**20)
        tracemalloc.start()
        try:
            items = read({"lines": str(tmp_path / "f")}, Limits(item_bytes=1_000))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert fault(items[0])[0] == "LimitExceeded"
        assert peak < 4 * 2**20


class TestJsonLines:
    def test_values(self, tmp_path: Path) -> None:
        """Each line is a frozen value; empty lines are passed over."""
        content = b'{"a": [1]}\r\n\n  \n"x"\nnull\n12345678901234567890123'
        items = read_file(tmp_path / "f", "jsonl", content)
        assert items == [{"a": [1]}, "x", None, 12345678901234567890123]
        assert type(items[0]) is FrozenDict
        assert type(items[0]["a"]) is FrozenList

    @pytest.mark.parametrize(
        "line",
        [
            b"{secret",
            b"secret",
            b'"\xff secret"',
            b'"\\ud800"',
            b'{"a": "\\u0000"}',
            b"NaN",
            b"1e999",
            b"[" * 100_000,
            b"[" * 250 + b"]" * 250,
        ],
    )
    def test_a_bad_line_fails_its_item(self, tmp_path: Path, line: bytes) -> None:
        """What isn't JSON, or what fanwise can't store, is told by line and not repeated."""
        items = read_file(tmp_path / "f", "jsonl", b"1\n" + line + b"\n3\n")
        assert (items[0], items[2]) == (1, 3)
        kind, message = fault(items[1])
        assert kind == ("BadEncoding" if b"\xff" in line else "BadJson")
        assert message.startswith(f"{tmp_path}/f:2: ")
        assert "secret" not in message
        assert "\n" not in message

    def test_memory_stays_flat(self, tmp_path: Path) -> None:
        """Reading ten times as many lines takes no more memory."""

        def peak(count: int) -> int:
            (tmp_path / "f").write_text('{"name": "some text"}\n' * count)

            async def main() -> int:
                source = open_source("jsonl", str(tmp_path / "f"), LIMITS)
                seen = 0
                while chunk := await source.read():
                    seen += len(chunk)
                return seen

            tracemalloc.start()
            try:
                assert asyncio.run(main()) == count
                return tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

        assert peak(50_000) < peak(5_000) + 200_000


FIELDS = st.text(
    st.characters(exclude_characters="\r\0", codec="utf-8"), max_size=5
) | st.sampled_from(['"', '""', ",", "\n", "\r\n", 'a"b', '","', '"\n"', ""])


class TestCsv:
    def test_records_are_maps(self, tmp_path: Path) -> None:
        """The header names the fields; values are text; quotes hold commas, ends and quotes."""
        content = b'\xef\xbb\xbfid,"the name"\r\n1,a\r\n2,"b, ""c""\r\nd"\r\n\r\n3,\n4,5" pipe'
        assert read_file(tmp_path / "f", "csv", content) == [
            {"id": "1", "the name": "a"},
            {"id": "2", "the name": 'b, "c"\r\nd'},
            {"id": "3", "the name": ""},
            {"id": "4", "the name": '5" pipe'},
        ]
        assert read_file(tmp_path / "f", "csv", b"a,b\n") == []
        assert read_file(tmp_path / "f", "csv", b"") == []

    @given(st.lists(st.lists(FIELDS, min_size=2, max_size=2)), st.sampled_from(["\n", "\r\n"]))
    @settings(deadline=None)
    def test_it_reads_what_pythons_csv_module_writes(
        self, tmp_path_factory: Any, rows: list[list[str]], end: str
    ) -> None:
        """Whatever the fields hold, they come back."""
        text = io.StringIO()
        csv.writer(text, lineterminator=end).writerows([["x", "y"], *rows])
        path = tmp_path_factory.getbasetemp() / "csv"
        items = read_file(path, "csv", text.getvalue().encode())
        assert items == [{"x": x, "y": y} for x, y in rows]

    def test_a_field_may_be_large(self, tmp_path: Path) -> None:
        """Only limits.item_bytes bounds a field, however many lines it has."""
        field = "line, of text\n" * 50_000
        assert read_file(tmp_path / "f", "csv", f'a\n"{field}"\nb'.encode()) == [
            {"a": field},
            {"a": "b"},
        ]

    @pytest.mark.parametrize(
        ("record", "kind", "what"),
        [
            (b"1,2,3", "BadCsv", "the record has 3 fields, the header 2."),
            (b"1", "BadCsv", "the record has 1 field, the header 2."),
            (b'"1"x,2', "BadCsv", "text follows a quoted field."),
            (b"\xff,1", "BadEncoding", "this isn't UTF-8."),
            (b"a\0,1", "BadEncoding", "this holds NUL."),
            (b"123456,12345", "LimitExceeded", "the item has more than 10 bytes. "),
        ],
    )
    def test_a_bad_record_fails_its_item(
        self, tmp_path: Path, record: bytes, kind: str, what: str
    ) -> None:
        """Ragged and broken records are told by line; those around them go on."""
        content = b"a,b\n1,2\n" + record + b"\n3,4\n"
        items = read_file(tmp_path / "f", "csv", content, Limits(item_bytes=10))
        assert items[0] == {"a": "1", "b": "2"}
        assert items[2] == {"a": "3", "b": "4"}
        assert fault(items[1])[0] == kind
        assert fault(items[1])[1].startswith(f"{tmp_path}/f:3: {what}")

    def test_a_quote_that_is_never_closed(self, tmp_path: Path) -> None:
        """An open quote fails one item, at the file's end or where the limit strikes."""
        items = read_file(tmp_path / "f", "csv", b'a\n"b\nc\n')
        assert [fault(item)[0] for item in items] == ["BadCsv"]
        limits = Limits(item_bytes=4)
        items = read_file(tmp_path / "f", "csv", b'a\n"b\ncd\ne\n', limits)
        assert fault(items[0])[0] == "LimitExceeded"
        assert items[1:] == [{"a": "e"}]
        items = read_file(tmp_path / "f", "csv", b'a\n"b\n12345\ne\n', limits)
        assert fault(items[0])[0] == "LimitExceeded"
        assert items[1:] == [{"a": "e"}]

    @pytest.mark.parametrize("header", [b"a,a", b"\xff", b'"a"b', b'"a', b"x" * 20])
    def test_a_bad_header_fails_the_file(self, tmp_path: Path, header: bytes) -> None:
        """Without names there are no items."""
        with pytest.raises(AttemptError, match=r"/f:1: "):
            read_file(tmp_path / "f", "csv", header + b"\n1,2\n", Limits(item_bytes=10))


def open_paths() -> set[str]:
    """The paths of all files that this process has open."""
    paths = set()
    for handle in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            paths.add(str(handle.readlink()))
    return paths


class TestFiles:
    def test_a_file_that_cannot_be_read(self, tmp_path: Path) -> None:
        """A missing file or a folder fails the source, with the path and the reason."""
        for kind in ("lines", "jsonl", "csv"):
            error = failure({kind: str(tmp_path / "missing")})
            assert error.type == "NotFound"
            assert str(error) == f"{tmp_path}/missing can't be read: there is no such file."
            assert failure({kind: str(tmp_path)}).type == "IsDirectory"
            assert failure({kind: ""}).type == "NotFound"

    def test_a_pipe_gives_its_first_lines_at_once(self, tmp_path: Path) -> None:
        """Lines arrive as they are written; nothing waits for a full buffer or for the end."""
        path = tmp_path / "pipe"
        os.mkfifo(path)

        async def main() -> list[Any]:
            source = open_source("jsonl", str(path), LIMITS)
            first = asyncio.create_task(source.read())  # type: ignore[arg-type]
            writer = await asyncio.to_thread(os.open, path, os.O_WRONLY)
            seen = []
            os.write(writer, b"1\n2\n3")
            seen.append(list(await first))
            os.write(writer, b"4\n")
            seen.append(list(await source.read()))
            os.write(writer, b"5")
            os.close(writer)
            seen.append(list(await source.read()))
            seen.append(list(await source.read()))
            source.close()
            return seen

        assert asyncio.run(main()) == [[1, 2], [34], [5], []]

    @pytest.mark.parametrize("has_writer", [True, False])
    def test_waiting_for_a_pipe_can_be_cancelled(self, tmp_path: Path, has_writer: bool) -> None:
        """A run that waits for a pipe's writer can end, and so can the process."""
        path = tmp_path / "pipe"
        os.mkfifo(path)

        async def main() -> None:
            source = open_source("lines", str(path), LIMITS)
            reading = asyncio.create_task(source.read())  # type: ignore[arg-type]
            while str(path) not in open_paths():  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0)
            writer = os.open(path, os.O_WRONLY) if has_writer else None
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            source.close()
            if writer is not None:
                os.close(writer)

        asyncio.run(main())

    def test_a_closed_source_gives_its_file_back(self, tmp_path: Path) -> None:
        """No handle is left behind, whether or not the file was opened or read to its end."""
        path = tmp_path / "f"
        path.write_text("a\n" * 100_000)

        async def main() -> None:
            for reads in range(3):
                source = open_source("lines", str(path), LIMITS)
                for _ in range(reads):
                    await source.read()
                source.close()
                source.close()

        asyncio.run(main())
        assert str(path) not in open_paths()

    def test_a_device_is_a_file(self) -> None:
        """What the event loop can't watch is read as a file."""
        assert read({"lines": "/dev/null"}) == []


class TestOpening:
    @pytest.mark.parametrize(
        ("value", "message"),
        [
            (None, "with-items is null, not a list."),
            ("secret", "with-items is text, not a list. To read a file's lines,"),
            (5, "with-items is a number, not a list. To count,"),
            (True, "with-items is true or false, not a list."),
            ({}, "with-items is a map, not a list. Name a list inside of it."),
            ({"host": "secret"}, "`host` in with-items is text, not a list."),
            ({"a": [1], "b": {"lines": "f"}}, "`b` in with-items is a map, not a list."),
            ({"jsonl": ["secret"]}, "`jsonl` in with-items is a list, not the path of a file."),
        ],
    )
    def test_what_is_no_list(self, value: Any, message: str) -> None:
        """An error names the type that was found and what to do, never the value."""
        error = failure(value)
        assert error.type == "WithItemsError"
        assert str(error).startswith(message)
        assert "secret" not in str(error)

    def test_data_is_never_a_source(self) -> None:
        """A map that a template gave opens no file, whatever its keys are called."""
        with pytest.raises(AttemptError, match="with-items is a map, not a list"):
            open_list(freeze({"lines": "/etc/passwd"}))

    def test_streams_are_told_by_one_key(self, tmp_path: Path) -> None:
        """With a second key, `lines` is the name of a list like any other."""
        lines: Sequence[int] = freeze([1, 2])
        assert read({"lines": lines, "port": lines}) == [
            {"lines": 1, "port": 1},
            {"lines": 2, "port": 2},
        ]
        (tmp_path / "f").write_text(json.dumps({"a": 1}))
        assert read({"jsonl": str(tmp_path / "f")}) == [{"a": 1}]


def test_each_kind_of_stream_has_a_source() -> None:
    """The table of the language and the sources name the same kinds of files."""
    files = {name for name, kind in SOURCE_KINDS.items() if kind.is_path}
    assert files == FILE_SOURCES.keys()
