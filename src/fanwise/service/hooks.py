"""Requests to webhooks: who may send them, and the arrivals and runs that they become.

Methods block, and raise `StoreError`. Nothing that a request holds is ever evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from msgspec.structs import replace

from fanwise.definition.trigger_schema import WebhookDefinition
from fanwise.errors import FanwiseError, RecordRefusedError, RunRepeatedError, StoreError
from fanwise.model import Arrival, TriggerState, TriggerTurn
from fanwise.plan.project_triggers import Owned
from fanwise.ports import Arrivals, Fires
from fanwise.service.arrivals import ArrivalTurns, arrival_key, facts_of
from fanwise.service.projects import WatchedProject
from fanwise.service.turns import MakeRun
from fanwise.triggers.signatures import GitHub, Hmac, Scheme, Standard, Token, verify

WEBHOOK: Final = "webhook"
_MOST_TURNS: Final = 30


class HookStore(Fires, Arrivals, Protocol):
    """The part of a store that requests to webhooks need."""

    def is_full(self, workflow: str, most: int) -> bool:
        """Say whether no other run of a workflow may wait; see `Queue.is_full`."""


class FullError(Exception):
    """A request would start a run, and too many of its workflow wait already."""


class Received(NamedTuple):
    """A request that was recorded: the event's id, and the runs that it has made.

    It isn't new if its id was known. With a `refusal` it makes no run for a reason.
    """

    id: str
    runs: tuple[str, ...]
    is_new: bool
    refusal: str = ""


class Hooks:
    """The webhooks of a project. Several threads may use it."""

    def __init__(
        self,
        store: HookStore,
        project: WatchedProject,
        make_run: MakeRun,
        secret: Callable[[str], str | None],
        new_secret: Callable[[], str],
        most_waiting: int,
        tell: Callable[[TriggerTurn, Sequence[str]], None],
    ) -> None:
        self._store = store
        self._project = project
        self._make_run = make_run
        self._turns = ArrivalTurns(store, store, make_run)
        self._secret = secret
        self._new_secret = new_secret
        self._most_waiting = most_waiting
        self._tell = tell

    def find(self, path: str) -> Owned | None:
        """The trigger of the webhook with a path."""
        for owned in self._project.triggers:
            webhook = owned.trigger.definition.webhook
            if webhook is not None and webhook.path == path:
                return owned
        return None

    def verify(self, owned: Owned, headers: Mapping[str, str], body: bytes, now: float) -> None:
        """Raise `SignatureError` unless a request was signed with one of the webhook's secrets.

        A secret that this process doesn't have is told to nobody: no signature fits then.
        """
        names = owned.trigger.secrets
        if not names:
            return
        found = [secret for name in names if (secret := self._secret(name))]
        verify(scheme_of(webhook_of(owned)), found or [self._new_secret()], headers, body, now)

    def known(self, owned: Owned, request_id: str) -> Received | None:
        """The request with that id, if it came before."""
        arrival = self._store.arrival(WEBHOOK, webhook_of(owned).path, request_id)
        if arrival is None:
            return None
        received = self._received(owned, arrival, is_new=False)
        if received.runs or received.refusal:
            return received
        self._decide(owned)  # the server that has recorded it may be gone, or busy with it yet
        return self._received(owned, arrival, is_new=False)

    def receive(self, owned: Owned, arrival: Arrival, now: float) -> Received:
        """Record a request, and have its trigger decided at once.

        Raises `FullError`, and nothing of it is recorded, so that it may come again.
        """
        refusal = self._refusal(owned, arrival, now)
        if refusal:
            arrival = replace(arrival, refused=refusal)
        (is_new,) = self._store.arrive([arrival], (owned.plan.name, owned.trigger.name))
        if not is_new:  # another request with that id was faster
            return self.known(owned, arrival.id) or Received(arrival.id, (), is_new=False)
        if not refusal:
            self._decide(owned)
        return self._received(owned, arrival, is_new=True)

    def _received(self, owned: Owned, arrival: Arrival, *, is_new: bool) -> Received:
        fire = self._store.fire(owned.plan.name, owned.trigger.name, arrival_key(arrival))
        runs = () if fire is None or fire.run_id is None else (fire.run_id,)
        return Received(arrival.id, runs, is_new, arrival.refused or "")

    def _refusal(self, owned: Owned, arrival: Arrival, now: float) -> str:
        """The reason why a request can make no run, or none."""
        try:
            facts = facts_of(owned, arrival, now)
            if owned.trigger.admits(facts):
                self._make_run(owned, facts, now)
                if self._store.is_full(owned.plan.name, self._most_waiting):
                    raise FullError
        except StoreError:
            raise
        except FanwiseError as error:
            return str(error)
        return ""

    def _decide(self, owned: Owned) -> None:
        """Take the turns of the trigger that are due; the clock takes those that remain."""
        names = (owned.plan.name, owned.trigger.name)
        left = -1
        for _ in range(_MOST_TURNS):
            now, found = self._store.triggers()
            state = next((each for each in found if (each.workflow, each.name) == names), None)
            state = state or TriggerState(*names)
            if state.paused_at is not None or not self._turns.is_due(owned, state, now):
                return
            turn = self._turns.turn(owned, state, now)
            if turn is None:
                # A faster one has fired, perhaps for another request, or nothing is due.
                if state.turn == left:
                    return
                left = state.turn
                continue
            try:
                (runs,) = self._store.take_turns([turn])
            except (RecordRefusedError, RunRepeatedError):
                return
            if turn.fires and runs is not None:
                self._tell(turn, runs)


def webhook_of(owned: Owned) -> WebhookDefinition:
    """The webhook of a trigger of that kind."""
    webhook = owned.trigger.definition.webhook
    assert webhook is not None
    return webhook


def scheme_of(webhook: WebhookDefinition) -> Scheme:
    """The way in which requests to a webhook are signed."""
    written = webhook.signature
    if written is None:
        return Token()
    if written.hmac is not None:
        own = written.hmac
        return Hmac(
            header=own.header,
            algorithm=own.algorithm,  # type: ignore[arg-type]  # the schema has the same choices
            encoding=own.encoding,  # type: ignore[arg-type]
            prefix=own.prefix,
            signed=own.signed,
            timestamp_header=own.timestamp_header,
            tolerance_s=own.tolerance,
        )
    schemes: Mapping[str, Scheme] = {"github": GitHub(), "standard": Standard()}
    return schemes.get(written.scheme, Token())
