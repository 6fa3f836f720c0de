"""Tests of the workflow: with stand-ins no file is read, and waiting takes no time."""

from pathlib import Path

from fanwise.testing import fails, per_item, rehearse

WORKFLOW = Path(__file__).with_name("workflow.yaml")
FILES = [{"name": f"{n}.txt", "path": f"/docs/{n}.txt"} for n in range(5)]
COUNTED = {"lines": 2, "words": 10}


def test_lines_and_words_are_summed_up() -> None:
    """Each file is counted once."""
    outcome = rehearse(WORKFLOW, actions={"files.find": FILES, "files.count": COUNTED})
    assert outcome.status == "succeeded"
    assert outcome.output == {"files": 5, "failed": 0, "lines": 10, "words": 50}
    assert len(outcome.calls["files.count"]) == 5


def test_a_file_that_cannot_be_read_is_tried_again() -> None:
    """Twice, after half a second and after a whole one."""
    count = per_item({3: fails("OSError", times=2, then=COUNTED)}, otherwise=COUNTED)
    outcome = rehearse(WORKFLOW, actions={"files.find": FILES, "files.count": count})
    assert outcome.items["count"][3].attempts == 3
    assert outcome.output["failed"] == 0
    assert outcome.duration_s == 1.5


def test_one_file_in_five_may_fail() -> None:
    """The run succeeds without it; with two of them it fails."""
    one = per_item({0: fails("NotText")}, otherwise=COUNTED)
    two = per_item({0: fails("NotText"), 1: fails("NotText")}, otherwise=COUNTED)
    outcome = rehearse(WORKFLOW, actions={"files.find": FILES, "files.count": one})
    assert outcome.output == {"files": 5, "failed": 1, "lines": 8, "words": 40}
    outcome = rehearse(WORKFLOW, actions={"files.find": FILES, "files.count": two})
    assert outcome.status == "failed"


def test_real_files_are_counted(tmp_path: Path) -> None:
    """Without stand-ins the actions run as they are."""
    (tmp_path / "a.txt").write_text("one two\nthree\n")
    (tmp_path / "b.txt").write_text("four\n")
    outcome = rehearse(WORKFLOW, {"folder": str(tmp_path)})
    assert outcome.output == {"files": 2, "failed": 0, "lines": 3, "words": 4}
