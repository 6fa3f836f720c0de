"""Inputs of items that are rendered again from records: the same as the actions had."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fanwise
from fanwise.errors import SourceChangedError, UsageError
from fanwise.model import RunRecord, VisitRecord
from fanwise.stores import Store, open_store
from fanwise.wiring import read_input, read_settings

HEAD = """\
name: w
parameters:
  list: {type: array, default: []}
  file: {type: string, default: hosts.csv}
  token: {secret: true}
vars: {greeting: "hello {{ parameters.list | length }}"}
tasks:
  - {name: first, action: core.echo, input: {value: {x: 5}}, publish: {y: "{{ result().value.x }}"}}
  - name: each
    needs: [first]
    action: core.echo
"""
SEEN = (
    '    input: {value: ["{{ item }}", "{{ index }}", "{{ task.first.output.value.x + vars.y }}", '
    '"{{ vars.greeting }}", "{{ attempt.key }}", "{{ parameters.token }}"]}\n'
)
VALUES = st.lists(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4) | st.just({"a": [1]}),
    max_size=7,
)


def run(folder: Path, task: str, **given: Any) -> fanwise.Run:
    (folder / "w.yaml").write_text(HEAD + task)
    return fanwise.run(folder / "w.yaml", given, run_id="r", store=str(folder / "runs.db"))


def recorded(store: Store, name: str = "each") -> tuple[RunRecord, VisitRecord]:
    found = store.run("r")
    assert found is not None
    visits = [each for each in store.tasks(found.run_no) if each.path == name]
    return found, visits[-1]


def check_all(folder: Path, **environment: str) -> int:
    """Compare the inputs of all items with what the actions have echoed; return their number."""
    store_url = str(folder / "runs.db")
    read = read_settings(store=store_url, environment={"HOME": str(folder), **environment})
    with open_store(store_url, read_only=True) as store:
        record, visit = recorded(store)
        items = store.items(record.run_no, visit.visit_no, limit=1_000)
        for item in items:
            assert item.output is not None
            assert read_input(store, record, read, visit, item) == json.loads(item.output)
        return len(items)


@settings(max_examples=15)
@given(values=VALUES, size=st.integers(1, 4))
def test_an_input_is_the_one_that_the_action_had(
    tmp_path_factory: pytest.TempPathFactory, values: list[Any], size: int
) -> None:
    """For any items, alone and in batches, with results, variables and secrets beside them."""
    folder = tmp_path_factory.mktemp("inputs")
    source = '    with-items: "{{ parameters.list }}"\n'
    run(folder, f"{source}    batch-size: {size}\n{SEEN}", list=values, token="canary-token")
    assert check_all(folder) == -(-len(values) // size)


@pytest.mark.parametrize(
    "source",
    [
        "{csv: hosts.csv}",
        '{csv: "{{ parameters.file }}"}',
        "{lines: hosts.csv}",
        "{range: 50}",
        "{a: [1, 2], b: [3, 4]}",
    ],
)
def test_items_come_from_their_source_again(tmp_path: Path, source: str) -> None:
    """Of whatever kind it is."""
    lines = "".join(f"h{number},{number}\n" for number in range(60))
    (tmp_path / "hosts.csv").write_text(f"name,port\n{lines}")
    run(tmp_path, f"    with-items: {source}\n{SEEN}", token="canary-token")
    assert check_all(tmp_path) > 1


def one_input(folder: Path, **environment: str) -> Any:
    read = read_settings(
        store=str(folder / "runs.db"), environment={"HOME": str(folder), **environment}
    )
    with open_store(read.store, read_only=True) as store:
        record, visit = recorded(store)
        (item,) = store.items(record.run_no, visit.visit_no, limit=1)
        return read_input(store, record, read, visit, item)


def test_a_secret_is_in_no_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither one that the workflow names, nor one of this machine that the items hold."""
    monkeypatch.setenv("FANWISE_SECRET_KEY", "canary-key")
    task = (
        "    with-items: [canary-other]\n"
        '    input: {value: ["{{ secrets.KEY }}", "{{ parameters.token }}", "{{ item }}"]}\n'
    )
    run(tmp_path, task, token="canary-token")
    shown = one_input(tmp_path, FANWISE_SECRET_OTHER="canary-other")
    assert shown == {"value": ["***", "***", "***"]}


def test_a_file_that_has_changed_shows_no_input(tmp_path: Path) -> None:
    """It is told, with the file, since another line may be in the place of the item's."""
    (tmp_path / "hosts.csv").write_text("name\na\n")
    run(tmp_path, "    with-items: {csv: hosts.csv}\n    input: {value: '{{ item.name }}'}\n")
    (tmp_path / "hosts.csv").write_text("name\nb, which is longer\n")
    with pytest.raises(SourceChangedError) as caught:
        one_input(tmp_path)
    assert caught.value.file == str(tmp_path / "hosts.csv")
    assert "as it was" in caught.value.hint


def test_an_input_of_keys_of_the_store_is_unknown(tmp_path: Path) -> None:
    """Their values may be others by now."""
    run(tmp_path, "    with-items: [1]\n    input: {value: \"{{ kv.mark | default('none') }}\"}\n")
    with pytest.raises(UsageError, match=r"each\[0\] can't be known: the task reads the key"):
        one_input(tmp_path)


def test_the_last_visit_has_its_own_context(tmp_path: Path) -> None:
    """After a retry, items that are kept have the input that they had."""
    task = (
        '    with-items: [1, 2]\n    input: {value: "{{ item }} {{ vars.greeting }}"}\n'
        "  - {name: then, needs: [each], action: core.fail, input: {message: no}}\n"
    )
    run(tmp_path, task)
    fanwise.retry("r", store=str(tmp_path / "runs.db"))
    assert check_all(tmp_path) == 2
