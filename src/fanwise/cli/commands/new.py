"""`fanwise new`: makes a small project to start from, which runs as it is.

Its files are in the folder `new_project`, complete but for the project's name.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

import typer

from fanwise.cli.text.output import as_json, print_results
from fanwise.errors import UsageError
from fanwise.reports.plain import clean

_TEMPLATES = Path(__file__).parent / "new_project"
_FILES = ("workflow.yaml", "actions.py", "test_workflow.py", "fanwise.yaml", "README.md")
_SCHEMA = "fanwise.schema.json"
_IGNORED = {".fanwise/.gitignore": "*\n"}  # the folder of the store is for no version control
_NAME_IN_TEMPLATES = "my_project"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,99}")


def new(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The project, and its new folder; . for this one.")
    ],
) -> None:
    """Make a small project: a workflow, its actions and its tests.

    It counts the lines and words of files. Run it, look at it, and make it your own.
    """
    is_here = name == "."
    if is_here:
        try:
            name = Path.cwd().name
        except OSError as error:
            raise _unwritable(Path(), error) from None
    if not _NAME.fullmatch(name):
        raise UsageError(
            f'"{clean(name)}" can\'t be the name of a project.',
            hint="Use letters, digits, - and _, at most 100, and a letter at the start.",
        )
    if is_here:
        _write_here(_contents(name))
    else:
        _write(Path(name), _contents(name))
    print_results(
        [
            f"Made {name}: {', '.join([*_FILES, _SCHEMA])}",
            "",
            "Next:",
            *([] if is_here else [f"  cd {name}"]),
            "  fanwise run workflow.yaml      # count the files of this folder",
            "  python -m pytest               # test the workflow; needs pytest",
            "",
            "README.md tells more.",
        ]
    )


def _contents(name: str) -> dict[str, str]:
    """The text of each file."""
    from fanwise.definition import workflow_json_schema

    texts = {
        file: (_TEMPLATES / file).read_text(encoding="utf-8").replace(_NAME_IN_TEMPLATES, name)
        for file in _FILES
    }
    return texts | {_SCHEMA: f"{as_json(workflow_json_schema(), pretty=True)}\n"} | _IGNORED


def _write_here(contents: dict[str, str]) -> None:
    """Write files into the current folder. Raises `UsageError` if one is there or can't be made."""
    if there := [file for file in contents if os.path.lexists(file)]:
        raise UsageError(
            f"{there[0]}  is there already, and nothing of it is overwritten.",
            hint="Move it away, or name a new folder: fanwise new NAME",
        )
    try:
        _write_files(Path(), contents)
    except OSError as error:
        raise _unwritable(Path(), error) from None


def _unwritable(folder: Path, error: OSError) -> UsageError:
    return UsageError(
        f"{folder}  can't be made: {error.strerror}.",
        hint="Go to a folder that you may write to.",
    )


def _write(folder: Path, contents: dict[str, str]) -> None:
    """Write files into a folder that isn't there yet. Raises `UsageError` if it can't be made."""
    try:
        folder.mkdir()
        _write_files(folder, contents)
    except FileExistsError:
        raise UsageError(
            f"{folder}  is there already, and nothing of it is overwritten.",
            hint="Choose another name.",
        ) from None
    except OSError as error:
        raise _unwritable(folder, error) from None


def _write_files(folder: Path, contents: dict[str, str]) -> None:
    for file, text in contents.items():
        path = folder / file
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.write_text(text, encoding="utf-8")
