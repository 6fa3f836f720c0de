"""Links to questions: what a reader sees, and whose answer counts."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest

from fanwise.engine.links import new_links, token_hash
from fanwise.model import CloseWaits, Status, Wait, WaitKind, WaitRequest, WaitState, WaitToOpen
from fanwise.plan.questions import Question
from fanwise.server.guard import CSP
from fanwise.testing.ownership_contract import an_owner, at_once
from fanwise.testing.records import a_run
from fanwise.wiring import new_token
from tests.server.served import Reply, Served

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
QUESTION = Question(
    prompt="Deploy <b>1.2</b> to {{ 7*7 }}?",
    options=["approve", "reject"],
    fields={
        "percent": {"type": "integer", "maximum": 100, "default": 10},
        "sure": {"type": "boolean", "default": True},
        "where": {"choices": ["eu", "us"], "default": "eu"},
        "reason": {"required": True},
    },
)


class Asking:
    """A question of a run, with a link for each of two people."""

    def __init__(self, served: Served, run_id: str, who: tuple[str, ...]) -> None:
        self.served = served
        self.run_id = run_id
        store = served.store
        self.run_no = store.create_run(
            a_run(run_id, status=Status.RUNNING), store.enroll(an_owner())
        )
        form = Question(**{**_fields(QUESTION), "who": list(who)}).encoded()
        request = WaitRequest(waits_for=WaitKind.QUESTION, form=form)
        store.open_waits(self.run_no, 1, [WaitToOpen("ask", 1, request, 3600.0)])
        self.links = {
            name: url.removeprefix("https://f.example.com")
            for name, url in new_links(
                store, self.run_no, ("ask", 1), form, "https://f.example.com/", new_token
            ).items()
        }

    @property
    def wait(self) -> Wait:
        return self.served.store.waits_at(self.run_no, "ask")[-1]

    def get(self, who: str = "ada") -> Reply:
        return self.served.ask(self.links[who], token=None)

    def post(self, who: str = "ada", **given: str) -> Reply:
        body = urlencode({name.replace("_", "."): text for name, text in given.items()}).encode()
        headers = {**FORM, "Origin": self.served.origin, "Sec-Fetch-Site": "same-origin"}
        return self.served.ask(
            self.links[who], method="POST", token=None, headers=headers, body=body
        )


def _fields(question: Question) -> dict[str, object]:
    return {name: getattr(question, name) for name in question.__struct_fields__}


@pytest.fixture
def asking(served: Served, request: pytest.FixtureRequest) -> Asking:
    return Asking(served, re.sub("[^a-z]", "-", request.node.name)[:90], ("ada", "bob"))


def test_a_link_shows_the_question_and_changes_nothing(asking: Asking) -> None:
    """As text, with a label for each field, under the policy of all answers, without a cookie."""
    for _ in range(2):
        reply = asking.get()
        page = reply.body.decode()
        assert reply.status == 200
        assert reply.headers["Content-Security-Policy"] == CSP
        assert reply.headers["Referrer-Policy"] == "same-origin"
        assert reply.headers["Cache-Control"] == "no-store"
        assert "Set-Cookie" not in reply.headers
        assert "Deploy &lt;b&gt;1.2&lt;/b&gt; to {{ 7*7 }}?" in page
        assert "<script" not in page
        assert not re.search(r"\bstyle=|\son\w+=", page)
        names = re.findall(r'(?:input|select|textarea) id="([^"]+)"', page)
        assert len(names) == 4
        assert all(f'<label for="{name}">' in page for name in names)
        assert re.findall(r'<button name="choice" value="(\w+)"', page) == ["approve", "reject"]
    head = asking.served.ask(asking.links["ada"], method="HEAD", token=None)
    assert head.status in (200, 405)
    assert asking.wait.state is WaitState.OPEN


def test_an_answer_counts_and_names_its_person(asking: Asking) -> None:
    """By the link; its fields are checked as any answer's."""
    reply = asking.post(choice="approve", field_percent="25", field_sure="false", field_reason="ok")
    assert reply.status == 200
    assert b"the answer is recorded" in reply.body
    wait = asking.wait
    assert (wait.state, wait.by, wait.via) == (WaitState.ANSWERED, "ada", "link")
    expected = (
        b'{"choice":"approve","answer":{"percent":25,"sure":false,"where":"eu","reason":"ok"}}'
    )
    assert wait.answer == expected


def test_a_second_answer_is_told_who_was_first(asking: Asking) -> None:
    """Also to the one who answered; the form is gone."""
    asking.post("bob", choice="reject", field_reason="no")
    for who in ("ada", "bob"):
        reply = asking.post(who, choice="approve", field_reason="yes")
        assert reply.status == 409
        assert b"answered by bob" in reply.body
        assert b"<form" not in reply.body
        assert asking.get(who).status == 409
    assert asking.wait.by == "bob"


def test_of_answers_at_once_one_wins(asking: Asking) -> None:
    """However they come."""
    given = at_once(
        6, lambda n: asking.post(("ada", "bob")[n % 2], choice="approve", field_reason=str(n))
    )
    assert sorted(reply.status for reply in given) == [200, 409, 409, 409, 409, 409]


def test_a_wrong_answer_is_told_with_what_was_given(asking: Asking) -> None:
    """Nothing is recorded."""
    reply = asking.post(choice="approve", field_percent="200", field_reason='a"b')
    page = reply.body.decode()
    assert reply.status == 422
    assert 'role="alert"' in page
    assert "percent" in page
    assert "takes a whole number" in page
    assert "a&#34;b</textarea>" in page
    assert asking.post(choice="maybe", field_reason="x").status == 422
    assert asking.post(choice="approve").status == 422
    assert asking.wait.state is WaitState.OPEN


def test_a_question_that_is_closed_says_so(asking: Asking) -> None:
    """Its run has ended, or its task in another way."""
    asking.served.store.commit([CloseWaits(asking.run_no, "ask")], {asking.run_no: 1})
    for reply in (asking.get(), asking.post(choice="approve", field_reason="x")):
        assert reply.status == 410
        assert b"closed" in reply.body


def test_a_link_that_is_none_leads_nowhere(asking: Asking) -> None:
    """And the store has no token, only its hash."""
    token = asking.links["ada"].removeprefix("/ask/")
    assert len(token) == 32
    link = asking.served.store.link(token_hash(token))
    assert link is not None
    assert (link.run_id, link.who) == (asking.run_id, "ada")
    for wrong in (token[:-1], token + "x", token_hash(token), "%00", "x" * 500):
        assert asking.served.ask(f"/ask/{wrong}", token=None).status in (400, 404)
    database = (asking.served.folder / "runs.db").read_bytes()
    assert token.encode() not in database


def test_a_page_of_another_site_can_not_answer(asking: Asking) -> None:
    """Its request is refused, whoever's browser sends it."""
    body = b"choice=approve&field.reason=x"
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        reply = asking.served.ask(
            asking.links["ada"], method="POST", token=None, headers={**FORM, **headers}, body=body
        )
        assert reply.code == "foreign-page"
    reply = asking.served.ask(asking.links["ada"], method="POST", token=None, body=b"{}")
    assert reply.code == "bad-type"
    assert asking.wait.state is WaitState.OPEN


def test_a_question_for_nobody_has_a_link_for_anybody(served: Served) -> None:
    """The answer says that it came by a link."""
    asking = Asking(served, "anybody", ())
    asking.post("", choice="reject", field_reason="x")
    assert asking.wait.by == "somebody with the link"
