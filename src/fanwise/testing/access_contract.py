"""Promises of every store about tokens, sessions, tickets and the audit, as tests to mix in.

class TestMyStore(AccessContract, StoreContract):
    def open(self, folder: Path, now: Callable[[], float]) -> Store:
        return MyStore(folder / "store", now)
"""

from __future__ import annotations

from fanwise.model import AuditEntry, Role, Session, Ticket, Token
from fanwise.stores import Store
from fanwise.testing.clock import ManualClock
from fanwise.testing.ownership_contract import at_once

_IDLE_S = 3_600.0


class AccessContract:
    """The promises of `Access`."""

    def test_a_token_is_valid_until_it_expires(self, store: Store, clock: ManualClock) -> None:
        """And it is listed afterwards as well."""
        store.add_token(_token("ada"), lasts_s=60.0)
        store.add_token(_token("bob"))
        found = store.token("ada")
        assert found is not None
        assert (found.role, found.workflows) == (Role.RUN, ("report-*", "x"))
        assert (found.made_at, found.expires_at) == (clock.now(), clock.now() + 60.0)
        clock.advance(60.0)
        assert store.token("ada") is None
        assert store.token("bob") is not None
        assert [each.id for each in store.tokens()] == ["ada", "bob"]

    def test_a_token_is_made_once(self, store: Store) -> None:
        """The second one under its id changes nothing."""
        store.add_token(_token("ada"))
        store.add_token(_token("ada", name="other"))
        assert [each.name for each in store.tokens()] == ["ada"]

    def test_a_use_is_noted_by_the_hour(self, store: Store, clock: ManualClock) -> None:
        """So that using a token costs the store nothing."""
        store.add_token(_token("ada"))
        first = clock.now()
        for _ in range(3):
            store.note_token_use("ada")
            clock.advance(1_800.0)
        (token,) = store.tokens()
        assert token.used_at == first
        clock.advance(1.0)
        store.note_token_use("ada")
        assert store.tokens()[0].used_at == clock.now()

    def test_a_revoked_token_takes_its_sessions_and_tickets_along(self, store: Store) -> None:
        """Those of other tokens stay."""
        for name in ("ada", "bob"):
            store.add_token(_token(name))
            store.add_session(_session(name), lasts_s=60.0)
            store.add_ticket(_ticket(name), lasts_s=60.0)
        assert store.revoke_token("ada")
        assert not store.revoke_token("ada")
        assert not store.revoke_token("nobody")
        assert store.token("ada") is None
        assert store.session("cookie-ada", idle_s=_IDLE_S) is None
        assert store.take_ticket("ticket-ada") is None
        assert store.session("cookie-bob", idle_s=_IDLE_S) is not None
        assert store.take_ticket("ticket-bob") is not None

    def test_a_session_ends(self, store: Store, clock: ManualClock) -> None:
        """After its time, once it hasn't been used for a while, and when it is ended."""
        store.add_token(_token("ada"))
        made = store.add_session(_session("ada"), lasts_s=300.0)
        assert made.expires_at == clock.now() + 300.0
        for _ in range(2):
            clock.advance(90.0)
            found = store.session("cookie-ada", idle_s=100.0)
            assert found is not None
            assert (found[0].key_hash, found[1].id) == ("key-ada", "ada")
        clock.advance(101.0)
        assert store.session("cookie-ada", idle_s=100.0) is None
        assert store.session("cookie-ada", idle_s=1_000.0) is not None
        clock.advance(20.0)
        assert store.session("cookie-ada", idle_s=1_000.0) is None
        store.add_session(_session("bob", token="ada"), lasts_s=60.0)
        store.end_session("cookie-bob")
        assert store.session("cookie-bob", idle_s=_IDLE_S) is None

    def test_sessions_that_are_valid_are_listed(self, store: Store, clock: ManualClock) -> None:
        """With their tokens, the latest used first; those that are over are none."""
        for name, lasts_s in (("ada", 300.0), ("bob", 600.0), ("eve", 300.0)):
            store.add_token(_token(name))
            store.add_session(_session(name), lasts_s=lasts_s)
            clock.advance(1.0)
        store.revoke_token("eve")
        clock.advance(90.0)
        store.session("cookie-ada", idle_s=_IDLE_S)

        def names(*, idle_s: float = _IDLE_S, limit: int = 9) -> list[tuple[str, str]]:
            found = store.sessions(idle_s=idle_s, limit=limit)
            return [(session.key_hash, token.id) for session, token in found]

        assert names() == [("key-ada", "ada"), ("key-bob", "bob")]
        assert names(limit=1) == [("key-ada", "ada")]
        assert names(idle_s=80.0) == [("key-ada", "ada")]
        clock.advance(300.0)
        assert names() == [("key-bob", "bob")]

    def test_a_ticket_is_used_once(self, store: Store, clock: ManualClock) -> None:
        """Of many that use it at once one gets it, and nobody once it is over."""
        store.add_token(_token("ada"))
        store.add_ticket(_ticket("ada"), lasts_s=60.0)
        got = at_once(4, lambda _: store.take_ticket("ticket-ada"))
        (found,) = [each for each in got if each is not None]
        assert (found[0].target, found[1].id) == ("/x", "ada")
        store.add_ticket(_ticket("ada"), lasts_s=60.0)
        clock.advance(60.0)
        assert store.take_ticket("ticket-ada") is None

    def test_the_audit_is_read_from_its_end(self, store: Store, clock: ManualClock) -> None:
        """Page by page; what is old enough can be forgotten."""
        for number in range(5):
            store.note_audit(_entry(f"run-{number}"))
            clock.advance(10.0)
        page = store.audit(limit=2)
        assert [each.target for each in page] == ["run-4", "run-3"]
        assert page[0].at == clock.now() - 10.0
        assert (page[0].fields, page[0].status) == (("parameters.region",), 202)
        rest = store.audit(before=page[-1].audit_no)
        assert [each.target for each in rest] == ["run-2", "run-1", "run-0"]
        store.forget_audit(25.0)
        assert [each.target for each in store.audit()] == ["run-4", "run-3"]


def _token(token_id: str, name: str = "") -> Token:
    return Token(
        id=token_id,
        name=name or token_id,
        secret_hash="hash",
        role=Role.RUN,
        workflows=("report-*", "x"),
    )


def _session(name: str, token: str | None = None) -> Session:
    return Session(
        cookie_hash=f"cookie-{name}", key_hash=f"key-{name}", token_id=token or name, expires_at=0.0
    )


def _ticket(name: str) -> Ticket:
    return Ticket(secret_hash=f"ticket-{name}", token_id=name, target="/x", expires_at=0.0)


def _entry(target: str) -> AuditEntry:
    return AuditEntry(
        action="start",
        token_id="ada",
        name="Ada",
        address="127.0.0.1",
        target=target,
        status=202,
        fields=("parameters.region",),
        request_id="r",
    )
