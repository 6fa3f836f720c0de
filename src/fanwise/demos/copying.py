"""`fanwise demo NAME --copy DIR`: a demo's workflow, its actions, and what it takes to run them."""

from __future__ import annotations

import shutil
from pathlib import Path

from fanwise.demos.stage import demo_folder
from fanwise.errors import UsageError

_FILES = ("README.md", "workflow.yaml", "actions.py", "prepare.py")


def copy_demo(name: str, folder: Path) -> tuple[str, ...]:
    """Copy a demo into a folder, which is made if need be, and give the names of the files.

    Raises `UsageError` if one of them is there already, or if they can't be written. It replaces
    no file.
    """
    existing = [file for file in _FILES if (folder / file).exists()]
    if existing:
        raise UsageError(
            f"{folder} has files that would be overwritten: {', '.join(existing)}.",
            hint="Name a folder without them.",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in _FILES:
            shutil.copyfile(demo_folder(name) / file, folder / file)
    except OSError as error:
        raise UsageError(
            f"the demo can't be copied to {folder}: {(error.strerror or 'it failed').lower()}.",
            hint="Name a folder that can be written to.",
        ) from None
    return _FILES
