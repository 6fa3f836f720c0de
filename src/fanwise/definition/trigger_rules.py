"""Rules between the keys of a trigger, and between triggers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from fanwise.definition.literals import TRIGGER_KINDS
from fanwise.definition.messages import Notes, Path, check_spellings, check_twins
from fanwise.definition.problems import shown

_is_end = re.compile(r"[A-Za-z0-9._~-]{1,100}").fullmatch
_TIMES: Final = ("cron", "every", "at")

Written = Mapping[str, object]


def check_triggers(triggers: object, notes: Notes) -> None:
    """Note what breaks a rule in a list of triggers, whose shorthand is written out."""
    if not isinstance(triggers, list):
        return
    listed: list[tuple[Path, Written]] = [
        (("on", at), trigger) for at, trigger in enumerate(triggers) if isinstance(trigger, dict)
    ]
    check_twins("trigger", "duplicate-name", listed, notes)
    paths: dict[object, str] = {}
    for path, trigger in listed:
        check_trigger(path, trigger, notes)
        _check_path(path, trigger, paths, notes)


def check_trigger(path: Path, trigger: Written, notes: Notes) -> None:
    """Note what breaks a rule within one trigger."""
    check_spellings(path, trigger, notes)
    given = [kind for kind in TRIGGER_KINDS if kind in trigger]
    _one_of(path, given, TRIGGER_KINDS, notes)
    for kind in given:
        part, inner = trigger[kind], (*path, kind)
        if part is None:
            _refuse_nothing(inner, notes)
        if not isinstance(part, dict):
            continue
        check_spellings(inner, part, notes)
        match kind:
            case "schedule":
                _check_schedule(inner, part, trigger, notes)
            case "webhook":
                _check_webhook(inner, part, notes)
            case "missing":
                _one_of(inner, [key for key in ("workflow", "event") if key in part], (), notes)
            case "event" if "batch" in part and "debounce" in part:
                _conflict((*inner, "debounce"), '"batch"', notes)
        if isinstance(batch := part.get("batch"), dict) and not batch.keys() & {"size", "within"}:
            notes.at_key(
                (*inner, "batch"),
                "missing-key",
                f"{notes.subject((*inner, 'batch'))} never closes.",
                "Write for example batch: {size: 1000, within: 1m}.",
            )


def _refuse_nothing(path: Path, notes: Notes) -> None:
    """Note a kind without anything under it, which would leave the trigger without a kind."""
    text = f"{notes.subject(path)} takes a map, not null."
    notes.at_value(path, "bad-type", text, "Write its keys under it, or remove the trigger.")


def _check_schedule(path: Path, schedule: Written, trigger: Written, notes: Notes) -> None:
    _one_of(path, [key for key in _TIMES if key in schedule], _TIMES, notes)
    if "offset" in schedule and "every" not in schedule:
        notes.at_key(
            (*path, "offset"),
            "conflicting-keys",
            f'{notes.subject((*path, "offset"))} shifts the times of "every", which isn\'t there.',
            "Remove it.",
        )
    if "overlap" in schedule and "overlap" in trigger:
        _conflict((*path, "overlap"), "the trigger's own", notes)


def _check_webhook(path: Path, webhook: Written, notes: Notes) -> None:
    if "secret" not in webhook:
        notes.at_key(
            path,
            "missing-key",
            f'{notes.subject(path)} has no "secret", so everybody could start runs.',
            'Write secret: "{{ secrets.HOOK }}", or secret: none if everybody may.',
        )
    end = webhook.get("path")
    if isinstance(end, str) and not _is_end(end):
        notes.at_value(
            (*path, "path"),
            "bad-value",
            f"{notes.subject((*path, 'path'))} takes 1 to 100 letters, digits and . _ ~ -",
            "Write for example path: report, for requests to /hooks/report.",
        )
    signature = webhook.get("signature")
    if not isinstance(signature, dict):
        return
    if "scheme" in signature and "hmac" in signature:
        _conflict((*path, "signature", "hmac"), '"scheme"', notes)
    hmac = signature.get("hmac")
    if isinstance(hmac, dict):
        spelt = {key.replace("_", "-"): value for key, value in hmac.items()}
        if "{timestamp}" in str(spelt.get("signed")) and "timestamp-header" not in spelt:
            notes.at_key(
                (*path, "signature", "hmac", "signed"),
                "missing-key",
                'the signed text has {timestamp}, and no "timestamp-header" says where it is.',
                "Name the header that has the time of the request.",
            )


def _check_path(path: Path, trigger: Written, paths: dict[object, str], notes: Notes) -> None:
    webhook = trigger.get("webhook")
    hook = webhook.get("path") if isinstance(webhook, dict) else None
    if not isinstance(hook, str):
        return
    if hook in paths:
        notes.at_value(
            (*path, "webhook", "path"),
            "duplicate-name",
            f"{paths[hook]} has the path {shown(hook)} as well.",
            "Give each webhook a path of its own.",
        )
    paths.setdefault(hook, notes.subject(path))


def _one_of(path: Path, given: list[str], keys: tuple[str, ...], notes: Notes) -> None:
    """Note that none or several of keys are given, of which exactly one has to be."""
    if len(given) > 1:
        _conflict((*path, given[1]), f'"{given[0]}"', notes)
    elif not given:
        *most, last = keys or ("workflow", "event")
        listed = f"{', '.join(most)} or {last}"
        notes.at_value(
            path, "missing-key", f"{notes.subject(path)} has none of {listed}.", "Give one of them."
        )


def _conflict(path: Path, other: str, notes: Notes) -> None:
    text = f"{notes.subject(path)} can't stand beside {other}."
    notes.at_key(path, "conflicting-keys", text, "Keep one of the two.")
