"""Time zones by their names in the IANA database, such as Europe/Berlin.

Which names there are is the same on every machine: those of the package tzdata. The rules of a zone
are the machine's, which are often newer, or else the package's.
"""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

_NEAR = 0.75


@cache
def zone(name: str) -> ZoneInfo:
    """The time zone of that name. Raises `ValueError` with a remedy, which quotes no name given."""
    if name not in _names():
        raise ValueError(_remedy(name))
    return ZoneInfo(name)


@cache
def _names() -> frozenset[str]:
    return frozenset(files("tzdata").joinpath("zones").read_text().split())


def _remedy(name: str) -> str:
    """A sentence with the zone of that city or spelling, or the one with the nearest name."""
    wanted = name.strip().lower().replace(" ", "_")
    by_spelling = {known.rpartition("/")[2].lower(): known for known in sorted(_names())}
    by_spelling |= {known.lower(): known for known in _names()}
    near = [wanted] if wanted in by_spelling else get_close_matches(wanted, by_spelling, 1, _NEAR)
    if near:
        return f'Did you mean "{by_spelling[near[0]]}"?'
    return "Names are such as Europe/Berlin, America/New_York and UTC."
