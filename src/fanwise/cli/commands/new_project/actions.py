"""The actions of this project: functions, whose parameters say what input they take."""

from pathlib import Path

import fanwise


@fanwise.action("files.find")
def find(folder: Path) -> list[dict[str, str]]:
    """List the files in a folder."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return [{"name": file.name, "path": str(file)} for file in files]


@fanwise.action("files.count")
def count(path: Path) -> dict[str, int]:
    """Count the lines and words of a text."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        # It will be the same next time, so another try is useless. Other errors are tried again.
        raise fanwise.ActionError("the file isn't text.", type="NotText", retry=False) from None
    return {"lines": len(text.splitlines()), "words": len(text.split())}
