"""Actions are found again by reference, as in another process."""

from __future__ import annotations

import asyncio
import pickle
from pathlib import Path

import msgspec
import pytest

from fanwise.actions.decorator import spec_of
from fanwise.catalog import ActionRef, ActionSpec, Runs
from fanwise.errors import ActionLoadError
from fanwise.packs.folders import load_actions
from fanwise.packs.loader import ActionLoader

CODE = """
import fanwise

count = 0

@fanwise.action("acme.add")
async def add(number: int) -> int:
    global count
    count += number
    return count
"""


def pack(folder: Path, code: str = CODE) -> Path:
    folder = folder / "acme"
    folder.mkdir(exist_ok=True)
    (folder / "actions.py").write_text(code)
    return folder


def reference(folder: Path, name: str = "acme.add") -> ActionRef:
    found = load_actions(pack_folders=[folder]).get(name)
    assert found is not None
    assert found.reference is not None
    return found.reference


def test_an_action_of_a_folder_is_found_by_that_folder(tmp_path: Path) -> None:
    """The name, the folder and the digest of the file are all that is needed."""
    folder = pack(tmp_path)
    found = reference(folder)
    assert (found.name, found.pack) == ("acme.add", str(folder))
    spec = ActionLoader().find(found)
    assert (spec.name, spec.digest, list(spec.fields)) == ("acme.add", found.digest, ["number"])
    assert asyncio.run(spec.function(number=2)) == 2


def test_code_that_changes_while_the_process_lives_is_seen(tmp_path: Path) -> None:
    """Actions that are read again have the digest of the code that they run."""
    before = reference(pack(tmp_path))
    after = reference(pack(tmp_path, CODE + "# changed\n"))
    assert after.digest != before.digest
    assert reference(pack(tmp_path)).digest == before.digest


def test_an_action_of_an_installed_pack_is_found_by_its_module() -> None:
    """The core pack is a pack like any other."""
    found = load_actions().get("core.echo")
    assert found is not None
    assert found.reference == ActionRef("core.echo", "fanwise.actions.core", found.digest)
    assert ActionLoader().find(found.reference).function is found.function


def test_a_pack_is_imported_once(tmp_path: Path) -> None:
    """All actions of a worker share what their module holds, as they do in a run."""
    found, loader = reference(pack(tmp_path)), ActionLoader()
    assert loader.find(found) is loader.find(found)
    assert asyncio.run(loader.find(found).function(number=1)) == 1
    assert asyncio.run(loader.find(found).function(number=1)) == 2
    assert asyncio.run(ActionLoader().find(found).function(number=1)) == 1


def test_other_code_is_refused(tmp_path: Path) -> None:
    """A worker that runs what the engine doesn't know would give results of something else."""
    found = msgspec.structs.replace(reference(pack(tmp_path)), digest="of another file")
    with pytest.raises(ActionLoadError, match=r'actions\.py:6  action "acme\.add" has other code'):
        ActionLoader().find(found)


def test_code_that_was_edited_is_imported_once_more(tmp_path: Path) -> None:
    """A worker outlives the runs of an engine; an engine has the new code for its next run."""
    loader = ActionLoader()
    loader.find(reference(pack(tmp_path)))
    edited = (tmp_path / "acme" / "actions.py").read_text() + "\n# edited\n"
    found = reference(pack(tmp_path, edited))
    assert loader.find(found).digest == found.digest


def test_an_action_that_is_not_there_is_missed(tmp_path: Path) -> None:
    """By its name and its pack."""
    found = reference(pack(tmp_path))
    gone = msgspec.structs.replace(found, name="acme.gone")
    with pytest.raises(ActionLoadError, match=r'acme  the pack has no action "acme\.gone" here'):
        ActionLoader().find(gone)


def test_a_pack_that_cannot_be_imported_says_why(tmp_path: Path) -> None:
    """With the author's place, each time that it is asked for."""
    found, loader = reference(pack(tmp_path)), ActionLoader()
    pack(tmp_path, "import nothing_of_this_name\n")
    for _ in range(2):
        with pytest.raises(ActionLoadError, match=r"actions\.py:1  the pack can't be imported"):
            loader.find(found)
    with pytest.raises(ActionLoadError, match="can't be imported"):
        loader.find(ActionRef("x.y", "nothing_of_this_name", ""))


def test_a_reference_travels_and_a_function_has_none(tmp_path: Path) -> None:
    """A function that was given as it is lives in its own process alone."""
    found = reference(pack(tmp_path))
    assert pickle.loads(pickle.dumps(found)) == found
    assert msgspec.json.decode(msgspec.json.encode(found), type=ActionRef) == found
    assert ActionSpec("a.b", lambda: None, Runs.THREAD, {}).reference is None
    assert spec_of(lambda: None) is None
