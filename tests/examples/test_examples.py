"""The examples run as they stand, and do what their READMEs say."""

from __future__ import annotations

import gzip
import runpy
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import weft
from weft.cli import main
from weft.demos.monitor.fleet import make_fleet
from weft.demos.monitor.inventory import write_inventory
from weft.demos.monitor.process import serving
from weft.values import decode
from weft.wiring import open_records, read_settings

EXAMPLES = Path(__file__).parents[2] / "examples"

NOTIFICATIONS = """\
# Send 5,000 notifications after complex workflow
workflow:
  tasks:
    - name: fetch_users
    - name: filter_eligible
    - name: prepare_messages
    - name: send_batch
      with-items: "{{ task.prepare_messages.output.messages }}"  # 5,000
"""


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "weft.db")


@pytest.fixture
def monitoring(tmp_path: Path) -> Path:
    """A copy of the monitoring example, with no servers yet."""
    ignored = shutil.ignore_patterns("servers.json", "__pycache__")
    return shutil.copytree(EXAMPLES / "monitoring", tmp_path / "monitoring", ignore=ignored)


def outputs(store: str, run: weft.Run, task: str) -> Iterator[dict[str, object]]:
    """The outputs of a task's items, as recorded."""
    with open_records(read_settings(store=store)) as records:
        record = records.run(run.id)
        assert record is not None
        number = next(each.task_no for each in records.tasks(record.run_no) if each.path == task)
        for _, output in records.outputs(record.run_no, number, 0, 1_000_000):
            yield decode(output)


def test_the_log_pipeline_parses_ten_thousand_entries(store: str) -> None:
    """Every entry is parsed, and all the facts that the tasks find agree with each other."""
    run = weft.run(EXAMPLES / "log_pipeline" / "workflow.yaml", store=store)
    assert run.status is weft.Status.SUCCEEDED
    assert run.tasks["process_entries"].items == weft.ItemCounts(10_000, 10_000, 0)
    parsed = list(outputs(store, run, "process_entries"))
    assert [entry["time"] for entry in parsed] == sorted(str(entry["time"]) for entry in parsed)
    assert {entry["method"] for entry in parsed} == {"GET", "POST", "DELETE"}
    assert {type(entry["bytes"]) for entry in parsed} == {int}


def test_the_logs_are_those_that_the_script_writes(tmp_path: Path) -> None:
    """Whoever runs `make_logs.py` gets the logs that are there."""
    folder = tmp_path / "log_pipeline"
    shutil.copytree(EXAMPLES / "log_pipeline", folder)
    written = sorted((folder / "logs").iterdir())
    before = [gzip.decompress(file.read_bytes()) for file in written]
    for file in written:
        file.unlink()
    runpy.run_path(str(folder / "make_logs.py"), run_name="__main__")
    assert [gzip.decompress(file.read_bytes()) for file in written] == before


def test_the_monitoring_example_checks_a_thousand_servers(monitoring: Path, store: str) -> None:
    """With servers that answer, every check succeeds."""
    with serving(servers=1_000, all_healthy=True) as url:
        fleet = make_fleet(1_000, 7, all_healthy=True)
        write_inventory(monitoring / "servers.json", url, fleet)
        run = weft.run(monitoring / "workflow.yaml", store=store)
    assert run.status is weft.Status.SUCCEEDED
    assert run.tasks["check_health"].items == weft.ItemCounts(1_000, 1_000, 0)


def test_without_an_inventory_the_monitoring_example_says_what_to_do(
    monitoring: Path, store: str
) -> None:
    """The error names the script that starts some servers."""
    run = weft.run(monitoring / "workflow.yaml", store=store)
    error = run.tasks["get_servers"].error
    assert error is not None
    assert error.type == "NoInventory"
    assert "python serve.py" in error.message


def test_a_task_without_an_action_is_named_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`weft validate` tells every task that can't run, and where it stands."""
    file = tmp_path / "notifications.yaml"
    file.write_text(NOTIFICATIONS)
    with pytest.raises(SystemExit) as ended:
        main(["validate", str(file)])
    assert ended.value.code == 2
    lines = capsys.readouterr().out.splitlines()
    tasks = {"fetch_users": 4, "filter_eligible": 5, "prepare_messages": 6, "send_batch": 7}
    assert [line.partition("  ")[0].rpartition(":")[0] for line in lines] == [
        f"{file}:{number}" for number in tasks.values()
    ]
    for line, task in zip(lines, tasks, strict=True):
        assert "missing-action" in line
        assert f'"{task}"' in line
