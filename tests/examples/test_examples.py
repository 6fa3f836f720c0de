"""Workflows as they are first written: what keeps them from running is told, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from fanwise.cli import main

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


def test_a_task_without_an_action_is_named_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`fanwise validate` tells every task that can't run, and where it stands."""
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
