"""A folder to work in, with a store of its own, and the command line in this process."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from fanwise.cli import main


class Told(NamedTuple):
    """What a command told: its exit status, standard output, standard error."""

    status: int
    out: str
    err: str


Fanwise = Callable[..., Told]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FANWISE_STORE", str(tmp_path / "runs.db"))
    for name in ("FANWISE_PACKS", "FANWISE_DEBUG", "NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def fanwise(folder: Path, capsys: pytest.CaptureFixture[str]) -> Fanwise:
    def run(*arguments: str) -> Told:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        out, err = capsys.readouterr()
        status = ended.value.code
        return Told(status if isinstance(status, int) else 0, out, err)

    return run


@pytest.fixture
def write(folder: Path) -> Callable[..., None]:
    """Write files into the folder: `write(**{"flow.yaml": text})`."""

    def write(**files: str) -> None:
        for name, text in files.items():
            (folder / name).write_text(text)

    return write
