"""Hints for keys that don't exist: what other tools call the same thing, and near misses.

Each entry gives the key of the language that does what the word does elsewhere, or a sentence.
"""

from __future__ import annotations

from typing import Final

from fanwise.definition.problems import nearest
from fanwise.definition.schema import (
    ConcurrencyDefinition,
    DedupeDefinition,
    ParameterDefinition,
    RetryDefinition,
    TaskDefinition,
    TransitionDefinition,
    WorkflowDefinition,
)

LEVELS: Final = {
    "the workflow": WorkflowDefinition.keys(),
    "a task": TaskDefinition.keys(),
    "a transition": TransitionDefinition.keys(),
    '"retry"': RetryDefinition.keys(),
    "a parameter": ParameterDefinition.keys(),
    '"concurrency"': ConcurrencyDefinition.keys(),
    '"dedupe"': DedupeDefinition.keys(),
}
"""The maps that have keys of their own, without those of triggers."""


def _levels(level: str) -> dict[str, list[str]]:
    """All maps that have keys of their own, as far as an unknown key at `level` needs them."""
    if level in LEVELS:
        return LEVELS
    from fanwise.definition.trigger_schema import PARTS, TriggerDefinition

    parts = {f'"{key}"': model.keys() for key, model in PARTS.items()}
    return {"a trigger": TriggerDefinition.keys(), **parts}


_NEXT: Final = 'Write it with "next", such as next: [{when: "{{ failed() }}", do: repair}].'
_SIDE_BY_SIDE: Final = 'Tasks that don\'t need each other run side by side: give them "needs".'

_CHILD: Final = "A workflow is called by its path, such as action: ./child.yaml."
_INPUT: Final = 'What an action takes stands under "input", such as input: {script: uptime}.'


def _words(**meanings: str) -> dict[str, str]:
    return {word: key for key, words in meanings.items() for word in words.split()}


_ELSEWHERE: Final[dict[str, dict[str, str]]] = {
    "the workflow": {
        **_words(
            tasks="steps jobs stages nodes",
            parameters="input inputs params args arguments",
            vars="variables env context",
            output="outputs result return",
            concurrency="max-active-runs max-parallel singleton exclusive mutex overlap",
            dedupe="idempotency unique idempotency-key",
            name="id title",
            on="triggers trigger schedule schedules events",
            **{
                "finally": "always cleanup teardown ensure on-exit on-end",
                "on-failure": "on-error on-fail failure alert alerts",
            },
        ),
        "parallel": _SIDE_BY_SIDE,
        "workflow": 'Put every key under "workflow:", or none.',
    },
    "a task": {
        **_words(
            input="args arguments params parameters inputs kwargs",
            name="id task",
            action="uses run call function type module ref",
            when="if condition",
            retry="retries attempts max-retries max-attempts",
            needs="depends-on depends after requires dependencies wait-for",
            concurrency="parallelism max-parallel max-concurrency workers",
            rate="rate-limit throttle",
            publish="export register set",
            delay="wait wait-before",
            **{"batch-size": "batch chunk chunk-size", "max-visits": "max-loops max-iterations"},
        ),
        **dict.fromkeys(
            ("loop", "foreach", "for-each", "each", "items", "for", "map", "with"), "with-items"
        ),
        **dict.fromkeys(("ignore-errors", "ignore-error", "continue-on-error"), "on-error"),
        **dict.fromkeys(("on-success", "on-failure", "on-complete", "on-completion"), _NEXT),
        **dict.fromkeys(("then", "goto", "do", "transitions", "switch"), _NEXT),
        "parallel": f'{_SIDE_BY_SIDE} "concurrency" bounds how many items do.',
        **dict.fromkeys(("workflow", "sub-workflow", "subworkflow", "child"), _CHILD),
        **dict.fromkeys(("script", "command", "cmd", "env", "url", "headers", "body"), _INPUT),
        "description": "Write it as a comment: # ...",
    },
    "a transition": _words(
        when="if condition on case", do="then goto to target targets task tasks", publish="set vars"
    ),
    '"retry"': _words(
        count="times max attempts max-attempts limit",
        within="timeout deadline max-time max-duration for",
        delay="interval wait",
        when="if retry-on",
    ),
    "a trigger": _words(
        schedule="cron every at timer",
        webhook="hook http",
        when="if condition filter",
        parameters="params input inputs",
        event="signal",
        missing="absent",
    ),
    '"schedule"': _words(
        cron="expression crontab",
        every="interval",
        timezone="zone tz time-zone",
        until="to end",
        **{"from": "start since", "except": "exclude skip", "catch-up": "catchup"},
    ),
    "a parameter": _words(description="doc desc help", default="value"),
    '"concurrency"': _words(
        limit="max maximum count slots", key="group by", **{"when-full": "policy strategy overlap"}
    ),
    '"dedupe"': _words(key="group by", **{"for": "within ttl window"}),
}


def hint_for(key: str, level: str) -> str:
    """What to write instead of the unknown `key` of a map."""
    levels = _levels(level)
    known = levels[level]
    word = key.casefold().replace("_", "-")
    meant = word if word in known else _ELSEWHERE.get(level, {}).get(word)
    if meant is None:
        owner = next((each for each, keys in levels.items() if word in keys), None)
        if owner:
            return f"It is a key of {owner}."
        meant = nearest(key, known)
    if meant is None:
        return f"Keys here are {', '.join(known)}."
    return f'Did you mean "{meant}"?' if meant in known else meant
