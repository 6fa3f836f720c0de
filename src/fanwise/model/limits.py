"""Bounds on the resources of a run."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds on what a run may use, so that nothing grows without one. Messages name the field.

    An environment variable sets each: `FANWISE_LIMIT_RESULT_BYTES` sets `result_bytes`.
    """

    input_bytes: int = 64 * 2**20
    """One value of `vars`, `publish` or `output`, and an input that reads the output of a task with
    items, as JSON. Other inputs share what they name, which was bounded when it was made."""
    item_bytes: int = 16 * 2**20
    """One line or record of a file that `with-items` reads. Items of a list aren't measured one by
    one: the list is in memory already, bounded as a whole by what made it."""
    result_bytes: int = 16 * 2**20
    """One attempt's result, as JSON."""
    context_bytes: int = 2**30
    """A run's parameters, variables and task results together, as JSON."""
    snapshot_bytes: int = 64 * 2**20
    """The part of the context that the inputs of a task's items name, as JSON, where the items run
    in other processes: it is sent to each of these once."""
    error_bytes: int = 64 * 2**10
    """One error's message, data and traceback, and the item that failed; longer ones are
    shortened."""
    log_bytes: int = 64 * 2**10
    """The kept output and logs of one attempt; a note says how much is left out."""
    template_steps: int = 10_000_000
    """Steps that one evaluation of a template may take."""
    template_bytes: int = 64 * 2**20
    """The memory that one evaluation of a template may allocate, about."""
    definition_bytes: int = 16 * 2**20
    """A workflow file."""
    queue_bytes: int = 4 * 2**20
    """Outcomes that wait for the store; beyond it a fan-out waits."""
    running: int = 1_000
    """Attempts that run at once in this process, over all tasks, also those of workflows that
    workflows call. So many of the called workflows run at once, and half as many at each depth
    below, but at least 16."""
    depth: int = 16
    """Workflows that stand within each other, the run's own included."""
    event_bytes: int = 2**20
    """The data of one event, as JSON, and the body of a request to a webhook."""
    kv_bytes: int = 64 * 2**10
    """The value of one key of the store, as JSON."""
    waiting: int = 10_000
    """Open questions and waits for signals of one run; an attempt beyond it fails."""
    queued: int = 10_000
    """Runs of one workflow that wait for an engine, and fires of one trigger that wait for its
    other runs to end; more are refused."""
    catch_up: int = 100
    """Missed times of a schedule that fire later, at most the newest ones."""
