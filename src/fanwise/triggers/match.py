"""Events and ends of runs: which of them concern a trigger. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from typing import Final

import msgspec

from fanwise.model import INTERRUPTED, is_own_event


def matches(patterns: Collection[str], name: str) -> bool:
    """True if one of the patterns, in which `*` stands for any characters, is the name."""
    return any(_pattern(each).fullmatch(name) for each in patterns)


def listens_for(patterns: Collection[str], name: str) -> bool:
    """True if events of that name go to a trigger with these patterns.

    Those that fanwise itself emits go only to patterns that begin as their names do.
    """
    if is_own_event(name):
        patterns = [each for each in patterns if is_own_event(each)]
    return matches(patterns, name)


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, text.split("*"))), re.DOTALL)


# Ends of runs


class EndRules(msgspec.Struct, frozen=True, kw_only=True):
    """The ends that concern a trigger of the workflow `own`, by names and statuses.

    The name `*` stands for any workflow, and the status `ended` for any end.
    """

    own: str
    workflows: tuple[str, ...]
    statuses: tuple[str, ...]

    @property
    def is_for_all(self) -> bool:
        """True if it names no workflow: it leaves out what run triggers have started then."""
        return ANY in self.workflows


ANY: Final = "*"
ENDED: Final = "ended"


def end_matches(rules: EndRules, workflow: str, status: str) -> bool:
    """True if the end of a run of a workflow concerns a trigger; one never follows its own runs."""
    is_named = workflow != rules.own and (rules.is_for_all or workflow in rules.workflows)
    has_ended = ENDED in rules.statuses and status != INTERRUPTED
    return is_named and (has_ended or status in rules.statuses)
