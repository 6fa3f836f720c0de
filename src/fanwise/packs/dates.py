"""Dates on which schedules don't fire and that stand elsewhere: in files, and as holidays."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Final

from fanwise.definition import did_you_mean
from fanwise.definition.problems import BadValueError, shown
from fanwise.model import Limits

_YEARS: Final = range(2020, 2071)


class Dates:
    """Reads the dates that the schedules of one file name, whose relative paths start at `folder`.

    The files that are named are added to `files`.
    """

    def __init__(self, folder: Path, limits: Limits, files: set[Path]) -> None:
        self._files = files
        self._folder = folder
        self._limits = limits

    def read(self, kind: str, text: str) -> Iterable[str]:
        """The dates of a `file` or of the `holidays` of a place. Raises `BadValueError`."""
        if kind == "holidays":
            return _holidays(text)
        file = self._folder / text
        self._files.add(file)
        return self._read_file(file, text)

    def _read_file(self, file: Path, name: str) -> Iterable[str]:
        from fanwise.triggers.written import read_date  # zones take their time to import

        try:
            with file.open("rb") as stream:
                content = stream.read(self._limits.definition_bytes + 1)
            lines = content.decode("utf-8-sig").splitlines()
        except (OSError, ValueError) as error:
            cause = error.strerror if isinstance(error, OSError) and error.strerror else "no text"
            raise BadValueError(
                "bad-schedule",
                f"has the file {shown(name)}, which can't be read: {cause}",
                hint="Give the path of a file with a date in each line, from this file on.",
            ) from None
        if len(content) > self._limits.definition_bytes:
            raise BadValueError(
                "bad-schedule",
                f"has the file {shown(name)}, which is larger than limits.definition_bytes",
            )
        dates = []
        for number, line in enumerate(lines, 1):
            text = line.partition("#")[0].strip()
            try:
                dates += [read_date(text)] if text else []
            except BadValueError as error:
                raise BadValueError(
                    "bad-schedule", f"has the file {shown(name)}, whose line {number} {error}"
                ) from None
        return dates


@lru_cache(maxsize=64)
def _holidays(place: str) -> tuple[str, ...]:
    """The public holidays of a country or of a part of it, such as `DE-BY`."""
    try:
        import holidays
    except ImportError:
        raise BadValueError(
            "bad-schedule",
            "names holidays, and the package that knows them isn't installed",
            hint="Install it with: pip install 'fanwise[holidays]'",
        ) from None
    country, _, part = place.partition("-")
    known = holidays.list_supported_countries()
    if country not in known:
        raise BadValueError(
            "bad-schedule",
            f"names the holidays of {shown(place)}, which aren't known",
            hint=did_you_mean(country, list(known)) or "Write a country such as DE, or DE-BY.",
        )
    if part and part not in known[country]:
        parts = ", ".join(known[country]) or "none"
        raise BadValueError(
            "bad-schedule",
            f"names the holidays of {shown(place)}, and no part of {country} is called so",
            hint=did_you_mean(part, list(known[country])) or f"The parts of {country}: {parts}.",
        )
    found = holidays.country_holidays(country, subdiv=part or None, years=_YEARS)
    return tuple(day.isoformat() for day in found)
