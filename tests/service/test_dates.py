"""Dates without fires that stand elsewhere: in a file that may change, and as holidays."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from pathlib import Path
from types import SimpleNamespace

import pytest

from fanwise.service.projects import WatchedProject
from fanwise.service.watcher import ServiceWatcher
from fanwise.wiring import load_triggers, read_settings
from tests.service.world import World

HOUR = 3_600.0
DAY = 86_400.0


def flow(exception: str) -> str:
    return f"""
name: report
on: {{each: {{schedule: {{cron: "0 12 * * *", overlap: allow, except: [{exception}]}}}}}}
tasks: [{{name: a, action: core.noop}}]
"""


def days(world: World) -> list[str]:
    return [fire.key.removeprefix("schedule:2027-01-")[:2] for fire in world.fires()]


def problems(world: World) -> list[str]:
    settings = read_settings(environment={"FANWISE_STORE": "unused"})
    return [str(each) for each in load_triggers(settings, world.folder).problems]


def test_nothing_fires_on_the_dates_of_a_file_which_count_as_they_are(world: World) -> None:
    """A change of the file counts at once, and the trigger counts on from where it was."""
    closed = world.folder / "closed.txt"
    closed.write_text("# closed\n2027-01-16  # a party\n\n2027-01-17\n")
    world.write(flow_yaml=flow("{file: closed.txt}"))
    server = world.server()
    server.look()
    for _ in range(4):
        world.clock.advance(DAY)
        server.look()
    assert days(world) == ["15", "18"]
    closed.write_text("2027-01-20\n")
    world.clock.advance(5 * HOUR)  # past noon of the 19th, which the server looks at only now
    server.look()
    world.clock.advance(2 * DAY)
    server.look()
    assert days(world)[-2:] == ["19", "21"]
    assert world.lines.problems == []


def test_a_date_that_is_taken_out_of_the_file_fires(world: World) -> None:
    """Although the time after it was known as the next one."""
    closed = world.folder / "closed.txt"
    closed.write_text("2027-01-15\n2027-01-16\n2027-01-17\n")
    world.write(flow_yaml=flow("{file: closed.txt}"))
    server = world.server()
    server.look()
    world.clock.advance(HOUR)
    closed.write_text("2027-01-15\n2027-01-17\n")
    for _ in range(3):
        server.look()
        world.clock.advance(DAY)
    assert days(world) == ["16"]


def test_a_file_of_dates_that_becomes_wrong_keeps_the_last_good_ones(world: World) -> None:
    """It is told once with its line; once it is right it counts again."""
    closed = world.folder / "closed.txt"
    closed.write_text("2027-01-16\n")
    world.write(flow_yaml=flow("{file: closed.txt}"))
    server = world.server()
    server.look()
    closed.write_text("2027-01-16\nsome day\n")
    for _ in range(2):
        world.clock.advance(DAY)
        server.look()
    assert days(world) == ["15"]
    (told,) = world.lines.problems
    assert "flow.yaml:3:" in told
    assert 'has the file "closed.txt", whose line 2 takes dates such as 2026-12-25' in told
    closed.write_text("2027-01-16\n2027-01-18\n")
    for _ in range(2):
        world.clock.advance(DAY)
        server.look()
    assert days(world) == ["15", "17"]
    assert world.lines.is_right == 1


@pytest.mark.parametrize(
    ("exception", "said"),
    [
        ("{file: none.txt}", 'has the file "none.txt", which can\'t be read: No such file'),
        ("{file: .}", "can't be read: Is a directory"),
        ("{file: bytes.txt}", "can't be read: no text"),
        ("{file: large.txt}", "which is larger than limits.definition_bytes"),
        ("{files: a}", "takes dates, expressions, files of dates and holidays"),
        ("{file: a, cron: b}", "takes dates, expressions, files of dates and holidays"),
        ("{file: 3}", "takes dates, expressions, files of dates and holidays"),
    ],
)
def test_dates_that_can_not_be_read_are_a_problem_of_the_workflow(
    world: World, exception: str, said: str
) -> None:
    """In one line, with the place where they are named."""
    (world.folder / "bytes.txt").write_bytes(b"\xff\xfe")
    (world.folder / "large.txt").write_bytes(b"\n" * (world.limits.definition_bytes + 1))
    world.write(flow_yaml=flow(exception))
    (problem,) = problems(world)
    assert said in problem
    assert "flow.yaml:3:" in problem


def test_triggers_apart_name_files_from_their_own_folder_on(world: World) -> None:
    """Those of `triggers.yaml` as well."""
    (world.folder / "closed.txt").write_text("2027-01-15\n")
    world.write(flow_yaml="name: report\ntasks: [{name: a, action: core.noop}]\n")
    (world.folder / "triggers.yaml").write_text(
        "- {name: each, workflow: report,"
        ' schedule: {cron: "0 12 * * *", except: {file: closed.txt}}}\n'
    )
    server = world.server()
    server.look()
    world.clock.advance(DAY)
    server.look()
    world.clock.advance(DAY)
    server.look()
    assert days(world) == ["16"]


def test_a_run_needs_the_file_of_dates_no_more(world: World) -> None:
    """It is resumed by its text, wherever that is, and fires nothing."""
    from fanwise.model import Limits
    from fanwise.packs.workflows import Workflows

    file = world.folder / "flow.yaml"
    plan = Workflows(
        [], Limits(), import_packs=False, texts={str(file): flow("{file: gone.txt}")}
    ).load(file)
    assert [each.name for each in plan.triggers] == ["each"]


def test_nothing_fires_on_the_holidays_of_a_place(world: World) -> None:
    """By its country, or a part of it."""
    pytest.importorskip("holidays", reason="the extra `holidays` isn't installed")
    world.clock.advance(21 * DAY + 4 * HOUR)  # 5 February 2027, at noon
    world.write(flow_yaml=flow("{holidays: DE-BY}"))
    server = world.server()
    server.look()
    for _ in range(60):
        world.clock.advance(DAY)
        server.look()
    fired = {fire.key.removeprefix("schedule:")[:10] for fire in world.fires()}
    assert len(fired) == 58
    assert not fired & {"2027-03-26", "2027-03-29"}  # Good Friday and Easter Monday


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("XX", 'the holidays of "XX", which aren\'t known'),
        ("DE-XX", "no part of DE is called so"),
        ("de", 'Did you mean "DE"?'),
    ],
)
def test_a_place_that_is_not_known_is_told(world: World, place: str, said: str) -> None:
    """With what was probably meant."""
    pytest.importorskip("holidays", reason="the extra `holidays` isn't installed")
    world.write(flow_yaml=flow(f"{{holidays: {place}}}"))
    (problem,) = problems(world)
    assert said in problem


def test_without_the_package_holidays_name_what_to_install(world: World, monkeypatch) -> None:
    """Nothing else of the project is stopped by it."""
    import sys

    monkeypatch.setitem(sys.modules, "holidays", None)
    world.write(flow_yaml=flow("{holidays: AT}"))
    (problem,) = problems(world)
    assert "pip install 'fanwise[holidays]'" in problem


def test_a_file_that_changes_while_it_is_first_read_is_read_again() -> None:
    """Which files count is known only once the project has been read."""
    dates, versions, read = Path("closed.txt"), [1], list[int]()

    def load() -> SimpleNamespace:
        read.append(versions[0])
        versions[0] = 2
        return SimpleNamespace(
            plans=(), triggers=(), problems=(), warnings=(), date_files=frozenset([dates])
        )

    def stamp(files: Collection[Path]) -> Hashable:
        return versions[0] if dates in files else None

    project = WatchedProject(load, stamp, ServiceWatcher())
    project.read()
    for _ in range(3):
        project.refresh()
    assert read == [1, 2]
