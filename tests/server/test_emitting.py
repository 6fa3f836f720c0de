"""Events over HTTP: recorded before they are answered, each id once, and with a token alone."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fanwise.model import EVENT
from fanwise.server.emitting import EmittedList
from fanwise.server.token_making import new_token_text
from tests.server.served import Served, decoded, serving

FLOW = """\
name: report
on: {wanted: {event: report.wanted, parameters: {day: "{{ trigger.event.data.day }}"}}}
parameters: {day: {required: true}}
tasks: [{name: a, action: core.noop}]
"""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    (tmp_path / "report.yaml").write_text(FLOW)
    with serving(tmp_path) as made:
        yield made


def test_an_event_is_recorded_with_its_data_its_key_and_its_sender(served: Served) -> None:
    """With an id of its own unless one is given; nothing is null."""
    given = served.post("/events/order.paid?id=payment-1&key=order-9", {"sum": 30}, token="run")
    assert (given.status, given.json) == (202, {"event": "payment-1", "is_new": True})
    one = served.store.arrival(EVENT, "order.paid", "payment-1")
    assert one is not None
    assert (one.data, one.key, one.by, one.depth) == (b'{"sum":30}', "order-9", "run", 0)
    empty = served.ask("/events/order.paid", method="POST", token="run")
    assert empty.status == 202
    other = served.store.arrival(EVENT, "order.paid", empty.json["event"])
    assert other is not None
    assert other.data == b"null"


def test_an_id_that_is_known_changes_nothing(served: Served) -> None:
    """Also of several requests at once."""
    path = "/events/order.paid?id=payment-1"
    with ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(lambda number: served.post(path, number), range(8)))
    assert sorted(reply.status for reply in replies) == [200] * 7 + [202]
    assert {reply.json["event"] for reply in replies} == {"payment-1"}


def test_many_events_are_emitted_by_one_request(served: Served) -> None:
    """In their order; one that is known changes nothing, and each may have its own name."""
    events = [{"name": "order.paid", "data": {"sum": at}, "id": f"p-{at}"} for at in range(1_000)]
    events[7] |= {"name": "order.sent", "key": "k", "by": "ada"}
    events[9]["id"] = "p-8"
    reply = served.post("/api/v1/events", {"events": events}, token="run")
    given = decoded(reply, EmittedList)["events"]
    assert [each["event"] for each in given] == [each["id"] for each in events]
    assert [at for at, each in enumerate(given) if not each["is_new"]] == [9]
    one = served.store.arrival(EVENT, "order.sent", "p-7")
    assert one is not None
    assert (one.data, one.key, one.by) == (b'{"sum":7}', "k", "ada")
    again = served.post("/api/v1/events", {"events": events}, token="run").json["events"]
    assert not any(each["is_new"] for each in again)


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([], 400),
        ([{"name": "a"}] * 1_001, 400),
        ([{"name": "a", "id": "1"}, {"name": "a*"}], 400),
        ([{"name": "a", "id": "1"}, {"name": "a", "data": "x" * 2**20}], 400),
        ([{"name": "a", "id": "1", "more": 1}], 400),
        ([{"name": "a", "data": "x" * 2**24}], 413),
    ],
)
def test_of_many_events_that_can_not_be_none_is_emitted(
    served: Served, events: object, status: int
) -> None:
    """The refusal names the event."""
    reply = served.post("/api/v1/events", {"events": events})
    assert reply.status == status
    assert reply.code != "usage" or "events[1]" in reply.json["detail"]
    assert served.store.arrival(EVENT, "a", "1") is None


@pytest.mark.parametrize(
    ("path", "body", "type", "status"),
    [
        ("/events/a", b"{", "application/json", 422),
        ("/events/a", b'"\xff"', "application/json", 422),
        ("/events/a", b"[" * 10_000, "application/json", 422),
        ("/events/a", b"a=b", "application/x-www-form-urlencoded", 415),
        ("/events/a", b"0" * (2**20 + 1), "application/json", 413),
        ("/events/a*", b"1", "application/json", 400),
        ("/events/fanwise.asked", b"1", "application/json", 400),
        ("/events/a?id=", b"1", "application/json", 400),
        ("/events/a?id=" + "x" * 201, b"1", "application/json", 400),
        ("/events/a?by=%00", b"1", "application/json", 400),
        ("/events/a?by=" + "x" * 201, b"1", "application/json", 400),
        ("/events/a?ids=1", b"1", "application/json", 400),
    ],
)
def test_what_can_be_no_event_is_refused(
    served: Served, path: str, body: bytes, type: str, status: int
) -> None:
    """In words that quote nothing of it, and nothing is recorded."""
    reply = served.ask(path, method="POST", headers={"Content-Type": type}, body=body)
    assert reply.status == status
    assert reply.code
    assert served.ask("/events/a?id=1", method="POST").json["is_new"]


def test_a_token_of_some_workflows_emits_nothing(served: Served) -> None:
    """An event reaches all of them."""
    from fanwise.model import Role

    token = str(new_token_text(served.store, "some", Role.RUN, workflows=("report",)))
    assert served.post("/events/a", 1, token=token).status == 403
    some = {"events": [{"name": "a"}]}
    assert served.post("/api/v1/events", some, token=token).status == 403
    assert served.post("/events/a", 1, token="read").status == 403
    assert served.post("/events/a", 1, token=None).status == 401
