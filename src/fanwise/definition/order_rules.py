"""Rules between the keys of one task that concern its place in the order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fanwise.definition.field_types import FAIL
from fanwise.definition.messages import Notes, Path
from fanwise.definition.problems import shown
from fanwise.definition.schema import ORDER_KEYS


def check_order(
    path: Path, task: dict[str, Any], spellings: Mapping[str, str], notes: Notes
) -> None:
    """A task is placed in one way, and its lists of tasks name each once.

    `spellings` gives for each key, with `-`, how the task spells it.
    """
    if path[0] != "tasks":
        for key in (spellings[each] for each in ORDER_KEYS if each in spellings):
            notes.at_key(
                (*path, key),
                "misplaced-key",
                f'{notes.subject((*path, key))} can\'t stand under "{path[0]}", whose tasks '
                "run one after another.",
                "Remove it; list the tasks in the order in which they are to run.",
            )
        return
    needs, transitions = task.get("needs"), task.get("next")
    if "needs" in task and "join" in task:
        notes.at_key(
            (*path, "join"),
            "conflicting-keys",
            f'{notes.subject(path)} has "needs", which waits for all that it names, so "join" '
            "can't stand beside it.",
            'Remove "join", or lead here with "next" of the tasks before.',
        )
    if isinstance(needs, list):
        _check_own_name((*path, "needs"), needs, task.get("name"), notes)
        _check_repeats((*path, "needs"), needs, notes)
    if isinstance(transitions, list):
        for index, transition in enumerate(transitions):
            targets = transition.get("do") if isinstance(transition, dict) else None
            if isinstance(targets, list):
                _check_repeats((*path, "next", index, "do"), targets, notes)
                _check_message((*path, "next", index), transition, targets, notes)


def _check_own_name(path: Path, needs: list[Any], own: object, notes: Notes) -> None:
    if isinstance(own, str) and own in needs:
        notes.at_value(
            (*path, needs.index(own)),
            "needs-itself",
            f"task {shown(own)} needs itself, so it could never start.",
            'A task that is to run again is led back to with "next".',
        )


def _check_message(
    path: Path, transition: Mapping[str, object], targets: Sequence[object], notes: Notes
) -> None:
    if "message" in transition and FAIL not in targets:
        notes.at_key(
            (*path, "message"),
            "conflicting-keys",
            f'{notes.subject(path)} has a "message", which is for a run that fails, and doesn\'t '
            f'lead to "{FAIL}".',
            f'Remove "message", or write do: {FAIL}.',
        )


def _check_repeats(path: Path, names: list[Any], notes: Notes) -> None:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if not isinstance(name, str):
            continue
        if name in seen:
            notes.at_value(
                (*path, index),
                "duplicate-name",
                f"{notes.subject(path)} names {shown(name)} twice.",
                "Remove one of the two.",
            )
        seen.add(name)
