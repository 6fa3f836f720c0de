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
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4)
VALUES = st.lists(
    st.none() | st.booleans() | st.integers(-9, 9) | TEXTS | st.just({"a": [1]}),
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
@given(values=VALUES, size=st.integers(0, 4))
def test_an_input_is_the_one_that_the_action_had(
    tmp_path_factory: pytest.TempPathFactory, values: list[Any], size: int
) -> None:
    """For any items, alone and in batches, with results, variables and secrets beside them."""
    folder = tmp_path_factory.mktemp("inputs")
    source = '    with-items: "{{ parameters.list }}"\n'
    batches = f"    batch-size: {size}\n" if size else ""
    run(folder, f"{source}{batches}{SEEN}", list=values, token="canary-token")
    assert check_all(folder) == -(-len(values) // (size or 1))


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


SITE = """\
name: site
parameters:
  name: {}
  hosts: {type: array}
  attempt: {default: 1}
vars: {greeting: "hello {{ parameters.name }}"}
tasks:
  - name: first
    action: core.echo
    input: {value: "{{ parameters.name }}"}
    publish: {y: "{{ [result().value, vars.greeting] }}"}
  - name: shaky
    when: "{{ parameters.attempt == 1 }}"
    needs: [first]
    action: core.fail
    input: {message: not yet}
    on-error: continue
  - name: host
    needs: [shaky]
    action: core.echo
    with-items: "{{ parameters.hosts }}"
    input: {value: ["{{ item }}", "{{ index }}", "{{ vars.y }}", "{{ vars.greeting }}",
        "{{ task.first.output }}", "{{ task.shaky.status }}", "{{ attempt.key }}", "{{ run.id }}"]}
  - {name: last, needs: [host], action: core.noop}
"""
REGION = """\
name: region
parameters: {sites: {type: array}, hosts: {type: array}}
tasks:
  - name: site
    with-items: "{{ parameters.sites }}"
    action: site.yaml
    input: {name: "{{ item }}", hosts: "{{ parameters.hosts }}", attempt: "{{ index }}"}
"""
CALLS = """\
name: w
parameters: {sites: {type: array}, hosts: {type: array}}
tasks:
  - name: region
    action: region.yaml
    input: {sites: "{{ parameters.sites }}", hosts: "{{ parameters.hosts }}"}
"""


def run_called(folder: Path, calls: str = CALLS, site: str = SITE, **given: Any) -> fanwise.Run:
    (folder / "w.yaml").write_text(calls)
    (folder / "region.yaml").write_text(REGION)
    (folder / "site.yaml").write_text(site)
    return fanwise.run(folder / "w.yaml", given, run_id="r", store=str(folder / "runs.db"))


def inputs_within(folder: Path, within: str, name: str = "host") -> list[tuple[Any, Any]]:
    """The input of each item of a step, and what its action has echoed."""
    read = read_settings(store=str(folder / "runs.db"), environment={"HOME": str(folder)})
    with open_store(read.store, read_only=True) as store:
        record = store.run("r")
        assert record is not None
        steps = store.tasks(record.run_no, within=within)
        visit = next(each for each in steps if each.path == f"{within}.{name}")
        items = store.items(record.run_no, visit.visit_no)
        return [
            (read_input(store, record, read, visit, item), json.loads(item.output or b"null"))
            for item in items
        ]


@settings(max_examples=10)
@given(sites=st.lists(VALUES, min_size=1, max_size=3), hosts=VALUES)
def test_an_input_in_a_called_workflow_is_the_one_that_the_action_had(
    tmp_path_factory: pytest.TempPathFactory, sites: list[Any], hosts: list[Any]
) -> None:
    """However deep it is called, for each item or once, with results, variables and failures."""
    folder = tmp_path_factory.mktemp("inputs")
    run_called(folder, sites=sites, hosts=hosts)
    for index in range(len(sites)):
        found = inputs_within(folder, f"region.site[{index}]")
        assert len(found) == len(hosts)
        for shown, echoed in found:
            assert shown == echoed


def test_the_attempt_that_a_called_workflow_is_comes_along(tmp_path: Path) -> None:
    """Its parameters are those of its last attempt, whose steps are recorded."""
    calls = """\
name: w
tasks:
  - name: site
    action: site.yaml
    with-items: [a]
    retry: {count: 1, delay: 0}
    input: {name: "{{ item }}{{ attempt.number }}", hosts: [1], attempt: "{{ attempt.number }}"}
"""
    run_called(tmp_path, calls, SITE.replace("    on-error: continue\n", ""))
    ((shown, echoed),) = inputs_within(tmp_path, "site[0]")
    assert shown == echoed
    assert shown["value"][4] == {"value": "a2"}


WAITS = SITE.replace("action: core.noop", "action: core.ask, input: {prompt: Go on?}")


def test_an_input_is_known_while_its_called_workflow_is_in_work(tmp_path: Path) -> None:
    """Unless what it was called with names an attempt, of which nothing is recorded yet."""
    run_called(tmp_path, site=WAITS, sites=["a"], hosts=[1])
    ((shown, echoed),) = inputs_within(tmp_path, "region.site[0]")
    assert shown == echoed


def test_an_input_of_an_attempt_in_work_is_unknown(tmp_path: Path) -> None:
    """The place that names it is told."""
    calls = CALLS.replace("region.yaml", "site.yaml").replace(
        'sites: "{{ parameters.sites }}"', 'name: "{{ attempt.number }}"'
    )
    run_called(tmp_path, calls, WAITS, sites=[], hosts=[1])
    with pytest.raises(UsageError, match=r"the input of region can't be known: it names its att"):
        inputs_within(tmp_path, "region")


def test_keys_that_a_called_workflow_reads_anywhere_hide_its_inputs(tmp_path: Path) -> None:
    """Its steps are replayed by its templates, and those keys may have other values by now."""
    site = SITE.replace("attempt == 1", "attempt == kv.mark | default(1)")
    run_called(tmp_path, site=site, sites=["a"], hosts=[1])
    with pytest.raises(
        UsageError, match=r"site\[0\].host\[0\] can't .* its workflow reads the key"
    ):
        inputs_within(tmp_path, "region.site[0]")


def test_a_task_that_a_retry_has_repaired_away_is_told(tmp_path: Path) -> None:
    """By its name and that of its workflow, where an item that is kept has recorded it."""
    fails = (
        "  - {name: no, needs: [last], when: \"{{ parameters.name == 'b' }}\", action: core.fail}\n"
    )
    run_called(tmp_path, site=SITE + fails, sites=["a", "b"], hosts=[1])
    site = SITE.replace("host\n", "machine\n").replace("[host]", "[machine]")
    (tmp_path / "site.yaml").write_text(site)
    fanwise.retry("r", workflow=tmp_path / "w.yaml", store=str(tmp_path / "runs.db"))
    with pytest.raises(UsageError, match='"site" has no task "host" with items any more'):
        inputs_within(tmp_path, "region.site[0]")
