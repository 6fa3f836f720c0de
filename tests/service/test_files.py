"""File triggers: each file is handed over once, whatever happens to servers and folders."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fanwise.model import FireStatus, Status
from fanwise.service.clock import TriggerClock
from fanwise.service.folders import FolderLook, Folders, look
from fanwise.testing.clock import ManualClock
from fanwise.testing.ownership_contract import at_once
from fanwise.triggers.files import FileRules
from tests.service.world import World

FLOW = """
name: load
on:
  - name: dropped
    file: {{path: in, glob: "*.csv", settle: 10s{file}}}{more}
tasks: [{{name: a, action: core.noop}}]
"""


class Inbox:
    """A folder that a trigger looks at, and its servers."""

    def __init__(self, world: World, file: str = "", more: str = "") -> None:
        self.world = world
        self.folder = world.folder / "in"
        self.folder.mkdir()
        self.write_flow(file, more)

    def write_flow(self, file: str = "", more: str = "") -> None:
        text = FLOW.format(file=f", {file}" if file else "", more=f"\n    {more}" if more else "")
        self.world.write(load_yaml=text)

    def put(self, *names: str, text: str = "a") -> None:
        for name in names:
            (self.folder / name).parent.mkdir(exist_ok=True)
            (self.folder / name).write_text(text)

    def look(self, server: TriggerClock | None = None, *, seconds: float = 15) -> None:
        """Let the time go on in steps of a poll, with a new server or a given one."""
        server = server or self.world.server()
        for _ in range(int(seconds) // 5):
            while server.look() == 0:
                pass
            self.world.clock.advance(5)

    @property
    def events(self) -> list[Any]:
        """The events that runs were given, a list for each batch."""
        facts = [self._facts(fire.run_id) for fire in self.fires if fire.run_id is not None]
        return [each.get("events", each.get("event")) for each in facts]

    def _facts(self, run_id: str) -> Mapping[str, object]:
        run = self.world.store.run(run_id)
        assert run is not None
        return run.origin.trigger

    @property
    def names(self) -> list[Any]:
        """The names of files that were handed over."""
        return [
            [part["name"] for part in each] if isinstance(each, list) else each["name"]
            for each in self.events
        ]

    @property
    def fires(self) -> list[Any]:
        return self.world.fires("dropped", "load")

    @property
    def trouble(self) -> str:
        (state,) = self.world.store.triggers()[1]
        return state.trouble


def test_a_file_that_has_settled_makes_a_run(world: World) -> None:
    """It knows where the file is; those that were there before, or are being written, make none."""
    inbox = Inbox(world)
    inbox.put("old.csv")
    server = world.server()
    inbox.look(server)
    inbox.put("new.csv", ".hidden.csv", "half.csv.part", "other.txt", "sub/deep.csv", text="12345")
    os.utime(inbox.folder / "new.csv", ns=(0, 1_800_000_000_500_000_000))
    inbox.look(server, seconds=10)
    assert inbox.events == []
    inbox.look(server)
    assert inbox.events == [
        {
            "path": str(inbox.folder / "new.csv"),
            "name": "new.csv",
            "size": 5,
            "modified_at": "2027-01-15T08:00:00.500000+00:00",
        }
    ]


def test_each_content_is_handed_over_once(world: World) -> None:
    """Over restarts, and of several servers by one; a file that is written anew is another one."""
    inbox = Inbox(world)
    inbox.look()
    inbox.put("a.csv")
    servers = [world.server() for _ in range(3)]
    for _ in range(4):
        at_once(3, lambda number: servers[number].look())
        world.clock.advance(5)
    for _ in range(3):
        inbox.look()
    assert inbox.names == ["a.csv"]
    inbox.put("b.csv", text="longer")
    (inbox.folder / "b.csv").replace(inbox.folder / "a.csv")
    inbox.look()
    inbox.look()
    assert inbox.names == ["a.csv", "a.csv"]


def test_a_file_that_grows_waits(world: World) -> None:
    """Until it stays as it is, also while servers come and go."""
    inbox = Inbox(world)
    inbox.look()
    for size in range(1, 6):
        inbox.put("a.csv", text="a" * size)
        inbox.look(seconds=5)
    assert inbox.names == []
    inbox.look()
    assert inbox.events[0]["size"] == 5


def test_existing_files_are_taken_on_request(world: World) -> None:
    """Once: neither a pause nor another poll makes them new."""
    inbox = Inbox(world, "existing: take, recursive: true")
    inbox.put("a.csv", "sub/b.csv")
    inbox.look(seconds=30)
    assert sorted(inbox.names) == ["a.csv", "sub/b.csv"]
    world.store.pause_trigger("load", "dropped", "")
    inbox.put("c.csv")
    inbox.look()
    world.store.resume_trigger("load", "dropped", catches_up=False)
    inbox.write_flow("existing: take, recursive: true, poll: 1s")
    inbox.look(seconds=30)
    assert sorted(inbox.names) == ["a.csv", "sub/b.csv"]
    world.store.pause_trigger("load", "dropped", "")
    inbox.put("d.csv")
    world.store.resume_trigger("load", "dropped", catches_up=True)
    inbox.look(seconds=30)
    assert sorted(inbox.names) == ["a.csv", "d.csv", "sub/b.csv"]


def test_a_folder_that_goes_away_is_told_and_nothing_fires_again(world: World) -> None:
    """Neither if it can't be read, nor if it is empty for a while, as a mount is."""
    inbox = Inbox(world)
    inbox.look()
    inbox.put("a.csv")
    inbox.look(seconds=20)
    away = world.folder / "away"
    inbox.folder.rename(away)
    inbox.look()
    assert "in can't be read: No such file or directory." in inbox.trouble
    assert (
        world.lines.failures == [f"load.yaml:4:11  {inbox.trouble}"]
        or inbox.trouble in (world.lines.failures[0])
    )
    inbox.folder.mkdir()
    inbox.look()
    assert inbox.trouble == ""
    inbox.folder.rmdir()
    away.rename(inbox.folder)
    inbox.put("b.csv")
    inbox.look(seconds=20)
    assert inbox.names == ["a.csv", "b.csv"]


def test_a_folder_that_comes_later_counts_from_then(world: World) -> None:
    """What it has at first was there before the trigger could see it."""
    inbox = Inbox(world)
    inbox.folder.rmdir()
    inbox.look()
    assert "can't be read" in inbox.trouble
    inbox.folder.mkdir()
    inbox.put("a.csv")
    inbox.look(seconds=30)
    assert (inbox.trouble, inbox.names) == ("", [])


def test_files_become_one_run(world: World) -> None:
    """As many as a batch holds, or those of its time; servers come and go meanwhile."""
    inbox = Inbox(world, "batch: {size: 3, within: 1m}")
    inbox.look()
    inbox.put(*(f"{number}.csv" for number in range(8)))
    inbox.look(seconds=20)
    assert inbox.names == [["0.csv", "1.csv", "2.csv"], ["3.csv", "4.csv", "5.csv"]]
    for _ in range(9):
        inbox.look(seconds=5)
    assert len(inbox.names) == 2
    inbox.look(seconds=30)
    assert inbox.names[2:] == [["6.csv", "7.csv"]]


def test_a_batch_has_the_files_of_its_key_that_are_wanted(world: World) -> None:
    """A file that the trigger's templates fail for is refused by itself."""
    inbox = Inbox(
        world,
        'batch: {within: 1s, key: "{{ trigger.event.name[:1] }}"}',
        more='when: "{{ trigger.event.size > 1 and (1 / (trigger.event.size - 3)) is number }}"',
    )
    inbox.look()
    inbox.put("a1.csv", "a2.csv", "b1.csv", text="xx")
    inbox.put("a3.csv", text="x")
    inbox.put("a4.csv", text="xxx")
    inbox.look(seconds=25)
    assert sorted(inbox.names) == [["a1.csv", "a2.csv"], ["b1.csv"]]
    (refused,) = [fire for fire in inbox.fires if fire.run_id is None]
    assert (refused.status, refused.key[-6:]) == (FireStatus.REFUSED, "a4.csv")


def test_a_batch_stays_open_while_a_run_is(world: World) -> None:
    """With the overlap queue: what comes meanwhile is in the next run, and nothing is lost."""
    inbox = Inbox(world, "batch: {within: 1s}", more="overlap: queue")
    inbox.look()
    for name in ("a.csv", "b.csv", "c.csv"):
        inbox.put(name)
        inbox.look(seconds=25)
    assert inbox.names == [["a.csv"]]
    world.end(inbox.fires[0].run_id, Status.SUCCEEDED)
    inbox.look(seconds=10)
    assert inbox.names == [["a.csv"], ["b.csv", "c.csv"]]


def test_thousands_of_files_become_runs(world: World) -> None:
    """All of them at once, in batches; another poll makes nothing of them."""
    inbox = Inbox(world, "batch: {size: 250, within: 1m}")
    inbox.look()
    for number in range(2_500):
        (inbox.folder / f"{number:05}.csv").touch()
    inbox.look(seconds=30)
    assert [len(each) for each in inbox.names] == [250] * 10
    assert len({name for each in inbox.names for name in each}) == 2_500


def test_many_files_one_by_one_are_several_transactions(world: World) -> None:
    """Each has its own run."""
    inbox = Inbox(world)
    inbox.look()
    inbox.put(*(f"{number}.csv" for number in range(510)))
    inbox.look(seconds=30)
    assert len(set(inbox.names)) == len(inbox.names) == 510


def test_a_name_that_is_not_utf_8_is_told(world: World) -> None:
    """The others are handed over."""
    inbox = Inbox(world)
    inbox.look()
    Path(os.fsdecode(os.fsencode(inbox.folder) + b"/\xff.csv")).touch()
    inbox.put("ä.csv")
    inbox.look(seconds=25)
    assert inbox.names == ["ä.csv"]
    assert "a file whose name isn't UTF-8" in inbox.trouble


def looked(folder: Path, *, recursive: bool = False) -> FolderLook:
    return FolderLook(str(folder), FileRules(), recursive, 5.0)


def test_a_look_finds_files_alone(tmp_path: Path) -> None:
    """Links to files count, pipes and links to folders don't, and circles end."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a").touch()
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "b").touch()
    (tmp_path / "link").symlink_to(tmp_path / "sub" / "a")
    (tmp_path / "circle").symlink_to(tmp_path)
    (tmp_path / "lost").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    assert set(look(looked(tmp_path)).files or ()) == {"link"}
    assert set(look(looked(tmp_path, recursive=True)).files or ()) == {"link", "sub/a"}
    shutil.rmtree(tmp_path / "sub")
    assert look(looked(tmp_path / "sub")).files is None
    assert look(looked(tmp_path / "pipe")).trouble.endswith("pipe can't be read: Not a directory.")


def test_a_folder_that_does_not_answer_is_told(tmp_path: Path) -> None:
    """No second look is begun, and the answer counts once it comes."""
    clock, begun = ManualClock(), []
    folders, wanted = Folders(clock, begun.append), looked(tmp_path)
    assert not folders.is_known(wanted)
    clock.advance(59)
    assert not folders.is_known(wanted)
    clock.advance(1)
    assert folders.is_known(wanted)
    found = folders.take(wanted)
    assert found is not None
    assert found.trouble.endswith("has not answered for a minute.")
    assert len(begun) == 1
    begun[0]()
    assert folders.is_known(wanted)
    found = folders.take(wanted)
    assert found is not None
    assert (found.files, found.trouble) == ({}, "")


@pytest.mark.parametrize("file", ["", "batch: {within: 1s}"])
def test_a_turn_that_the_store_loses_hands_over_again(world: World, file: str) -> None:
    """What was read before a crash is read again, so nothing is lost."""
    inbox = Inbox(world, file)
    inbox.look()
    inbox.put("a.csv")
    server = world.server()
    inbox.look(server, seconds=10)
    world.store.pause_trigger("load", "dropped", "")  # another turn, which the server hasn't seen
    world.store.resume_trigger("load", "dropped", catches_up=True)
    inbox.look(server, seconds=20)
    assert len(inbox.names) == 1
