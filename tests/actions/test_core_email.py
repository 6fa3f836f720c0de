"""core.email against real SMTP servers on the loopback interface."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mail_servers import (
    CERTIFICATE,
    HUSH,
    Desk,
    HangsUpAfterMessage,
    HangsUpBeforeAnswer,
    InTheClear,
    Secure,
    serving,
)

import fanwise
from fanwise.actions.core.email import send_message
from fanwise.actions.resources import resources
from fanwise.catalog import ActionContext, StopFlag
from fanwise.demos.notify.smtp import Conversation, Verdict
from fanwise.errors import ActionError, InputError
from fanwise.model import Limits, Status
from fanwise.values import freeze

ADA, GRACE, ALAN = "ada@example.org", "grace@example.org", "alan@example.org"
USUAL = {"sender": "news@example.org", "to": ADA, "subject": "News", "text": "Hello."}


def context(**given: Any) -> ActionContext:
    usual = {
        "run_id": "r",
        "task": "send",
        "index": 1,
        "attempt": 1,
        "idempotency_key": "r/send[1]/1",
        "deadline": None,
        "logger": logging.getLogger("test"),
        "stop": StopFlag(),
        "limits": Limits(),
        "folder": "/",
        "sleep": asyncio.sleep,
    }
    return ActionContext(**{**usual, **given})


def send(server: str, **given: Any) -> dict[str, Any]:
    """What core.email gives, called as a workflow calls it."""
    known = given.pop("context", None)
    return send_message(server=server, context=known, **freeze({**USUAL, **given}))


def send_in_run(*calls: Callable[[], Any]) -> list[Any]:
    """What calls give that are made one after the other within one run."""

    async def main() -> list[Any]:
        async with resources():
            return [await asyncio.to_thread(call) for call in calls]

    return asyncio.run(main())


def failure(server: str, **given: Any) -> ActionError:
    with pytest.raises(ActionError) as caught:
        send(server, **given)
    assert "\n" not in str(caught.value)
    assert "example.org" not in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)
    return caught.value


def refused(verdicts: dict[str, list[Verdict]], **given: Any) -> ActionError:
    """The failure of a message that a server refuses with these verdicts."""
    desk = Desk(verdicts)
    with serving(desk) as server:
        error = failure(server, **given)
    assert not desk.mails
    return error


class TestMessage:
    def test_everything_arrives(self) -> None:
        """Addresses, names, subject, headers and text are sent as given, whatever their letters."""
        desk = Desk()
        with serving(desk) as server:
            result = send(
                server,
                sender="Jürgen <juergen@münchen.example>",
                to=[f"Ada <{ADA}>", f'"Hopper, Grace" <{GRACE}>'],
                cc=ALAN,
                reply_to="answers@example.org",
                subject="Neues — für Sie",
                headers={"X-Priority": 1, "List-Id": "<news.example.org>", "X-None": None},
                text="Grüße\r\n.\nFrom here\n" + "long " * 500,
            )
        (mail,) = desk.mails
        message = mail.read()
        assert mail.recipients == [ADA, GRACE, ALAN] == result["accepted"]
        assert str(message["From"]) == "Jürgen <juergen@xn--mnchen-3ya.example>"
        assert str(message["To"]) == f'Ada <{ADA}>, "Hopper, Grace" <{GRACE}>'
        assert str(message["Cc"]) == ALAN
        assert str(message["Reply-To"]) == "answers@example.org"
        assert str(message["Subject"]) == "Neues — für Sie"
        assert (message["X-Priority"], message["List-Id"]) == ("1", "<news.example.org>")
        assert "X-None" not in message
        assert message["Message-ID"] == result["message_id"]
        assert message["Date"].datetime.tzinfo is not None
        assert message.get_content() == "Grüße\n.\nFrom here\n" + "long " * 500 + "\n"

    def test_its_result_has_no_word_of_the_message(self) -> None:
        """It says who will get it and what the server answered."""
        with serving(Desk()) as server:
            result = send(server)
        assert result.pop("message_id")
        assert result == {"accepted": [ADA], "refused": [], "code": 250, "reply": "taken"}

    def test_bcc_is_not_in_the_message(self) -> None:
        """Those in bcc get it, and nobody sees that they do."""
        desk = Desk()
        with serving(desk) as server:
            send(server, bcc=[GRACE, ADA])
        (mail,) = desk.mails
        assert mail.recipients == [ADA, GRACE]
        assert GRACE.encode() not in mail.content

    def test_text_and_html_are_alternatives(self) -> None:
        """The reader's program shows the richer one that it can; the files come beside them."""
        desk = Desk()
        with serving(desk) as server:
            send(server, html="<b>Héllo</b>")
        message = desk.mails[0].read()
        assert message.get_content_type() == "multipart/alternative"
        plain, html = message.iter_parts()
        assert (plain.get_content(), html.get_content()) == ("Hello.", "<b>Héllo</b>")

    def test_files_are_attached(self, tmp_path: Path) -> None:
        """Each with its name, its type and its bytes; relative paths start at the workflow."""
        files = {"räum.bin": b"\0\xff\r\n.\r\n", "list.csv": b"a,b\n", "old.eml": b"Subject: x\n"}
        for name, content in files.items():
            (tmp_path / name).write_bytes(content)
        desk = Desk()
        with serving(desk) as server:
            send(server, attachments=[*files], context=context(folder=str(tmp_path)))
        body, *parts = desk.mails[0].read().iter_parts()
        assert body.get_content() == "Hello."
        assert {part.get_filename(): part.get_payload(decode=True) for part in parts} == files
        assert [part.get_content_type() for part in parts] == [
            "application/octet-stream",
            "text/csv",
            "application/octet-stream",
        ]

    def test_attachments_have_a_bound(self, tmp_path: Path) -> None:
        """All together, and by default that of results."""
        file = tmp_path / "file"
        file.write_bytes(b"12345")
        given = {"attachments": [str(file), str(file)]}
        with serving(Desk()) as server:
            assert send(server, max_bytes=10, **given)
            error = failure(server, max_bytes=9, **given)
            limits = context(limits=Limits(result_bytes=9))
            assert failure(server, context=limits, **given).data == {"max_bytes": 9}
        assert (error.type, error.data, error.retryable) == ("TooLarge", {"max_bytes": 9}, False)

    def test_a_missing_attachment_is_told(self, tmp_path: Path) -> None:
        """With its path in the data, before anything is sent."""
        path = str(tmp_path / "no")
        error = failure("smtp://127.0.0.1:1", attachments=[path])
        assert (error.type, error.data) == ("NotFound", {"path": path})

    def test_attachments_are_paths(self) -> None:
        """Anything else is an error of the input."""
        with pytest.raises(InputError, match="attachments"):
            send("smtp://127.0.0.1:1", attachments=[1])

    def test_the_message_id_is_that_of_the_item(self) -> None:
        """Another attempt at an item has the same, so repeats are recognised; others don't."""
        with serving(Desk()) as server:
            first, again, other = (
                send(server, context=context(idempotency_key=key, attempt=attempt))["message_id"]
                for key, attempt in (("r/send[1]/1", 1), ("r/send[1]/1", 2), ("r/send[2]/1", 1))
            )
            without = {send(server)["message_id"] for _ in range(2)}
        assert first == again != other
        assert re.fullmatch(r"<[0-9a-f]{32}@example\.org>", first)
        assert len(without) == 2


class TestBadInput:
    @pytest.mark.parametrize(
        "given",
        [
            {"to": "ada"},
            {"to": "ada@"},
            {"to": "@example.org"},
            {"to": f"{ADA}, {GRACE}"},
            {"to": f"{ADA} {GRACE}"},
            {"to": f"Ada <{ADA}> <{GRACE}>"},
            {"to": f"{ADA}\r\nBcc: {GRACE}"},
            {"to": f"Ada\nBcc: {GRACE} <{ADA}>"},
            {"to": f"<{ADA}> SIZE=1"},
            {"to": f"Ada <{ADA}"},
            {"to": [ADA, None]},
            {"to": [ADA, ""]},
            {"to": [{"address": ADA}]},
            {"to": "äda@example.org"},
            {"to": f"ada@{'a' * 70}.org"},
            {"to": "a" * 250 + "@example.org"},
            {"cc": "ada"},
            {"bcc": "ada"},
            {"reply_to": "ada"},
            {"sender": ""},
            {"sender": "ada"},
        ],
    )
    def test_what_is_no_address_is_refused(self, given: dict[str, Any]) -> None:
        """Nothing is sent then, also not to the good ones, and it isn't tried again."""
        error = failure("smtp://127.0.0.1:1", **given)
        assert (error.type, error.retryable) == ("BadAddress", False)

    @pytest.mark.parametrize("to", [None, "", "  ", []])
    def test_a_missing_address_is_one_clear_error(self, to: Any) -> None:
        """However it is missing."""
        error = failure("smtp://127.0.0.1:1", to=to)
        assert error.type == "BadAddress"
        assert str(error) == "core.email: to, cc and bcc name no address."

    @pytest.mark.parametrize(
        "given",
        [
            {"subject": "a\nBcc: b@example.org"},
            {"subject": "a\rb"},
            {"headers": {"X-A": "a\r\nBcc: b@example.org"}},
            {"headers": {"X-A:\r\nBcc": "b@example.org"}},
            {"headers": {"X A": "a"}},
            {"headers": {"": "a"}},
            {"headers": {"X-A": ["a"]}},
            {"headers": {"X-A": True}},
            {"headers": {"BCC": GRACE}},
            {"headers": {"content-type": "text/html"}},
            {"username": "ada", "password": "sécret"},
        ],
    )
    def test_what_makes_no_message_is_refused(self, given: dict[str, Any]) -> None:
        """No input can add a header that isn't its own."""
        error = failure("smtp://127.0.0.1:1", **given)
        assert (error.type, error.retryable) == ("BadRequest", False)

    @pytest.mark.parametrize(
        "server",
        [
            "",
            "mail.example.org",
            "http://mail.example.org",
            "smtp://",
            "smtp://:25",
            "smtp://mail.example.org:port",
            "smtp://mail.example.org:99999",
            "smtp://[mail.example.org",
            "smtp://ada:secret@mail.example.org",
            "smtp://mail.example.org/path",
            f"smtp://{'a' * 70}.example.org",
        ],
    )
    def test_what_is_no_server_is_refused(self, server: str) -> None:
        """The message doesn't repeat it."""
        error = failure(server)
        assert (error.type, error.retryable) == ("BadUrl", False)
        assert "secret" not in str(error)


class TestRefusals:
    @pytest.mark.parametrize(
        ("stage", "where"),
        [
            ("connection", "connection"),
            ("sender", "sender"),
            ("recipients", ADA),
            ("message", "message"),
        ],
    )
    @pytest.mark.parametrize(
        ("code", "type"),
        [(450, "TemporarilyRefused"), (421, "TemporarilyRefused"), (550, "Refused")],
    )
    def test_they_say_where_and_whether_to_try_again(
        self, stage: str, where: str, code: int, type: str
    ) -> None:
        """A code from 400 may pass, one from 500 won't; the server's words are in the data."""
        error = refused({where: [Verdict(code, "4.2.1 no\nnot now")]})
        assert error.type == type
        assert error.retryable == (code < 500)
        data = error.data
        assert (data["stage"], data["code"], data["reply"]) == (stage, code, "4.2.1 no\nnot now")

    def test_some_recipients_are_in_the_result(self) -> None:
        """The others get it: sending it again for those refused would reach the others twice."""
        desk = Desk({GRACE: [Verdict(550, "gone")], ALAN: [Verdict(450, "busy")]})
        with serving(desk) as server:
            result = send(server, to=[GRACE, ADA], bcc=ALAN)
        assert result["accepted"] == desk.mails[0].recipients == [ADA]
        assert result["refused"] == [
            {"address": GRACE, "code": 550, "reply": "gone"},
            {"address": ALAN, "code": 450, "reply": "busy"},
        ]

    def test_all_recipients_may_be_taken_later_if_one_may(self) -> None:
        """What the server said of each is in the data."""
        verdicts = {GRACE: [Verdict(550, "gone")], ADA: [Verdict(450, "busy")]}
        error = refused(verdicts, to=[GRACE, ADA])
        assert (error.type, error.data["code"]) == ("TemporarilyRefused", 450)
        assert [each["code"] for each in error.data["refused"]] == [550, 450]

    def test_a_connection_is_used_on_after_a_refusal(self) -> None:
        """It leaves nothing behind on it, at whichever stage it came."""
        no = [Verdict(550, "no"), Verdict(250, "yes")]
        desk = Desk({"sender": no, ADA: no, "message": no})
        with serving(desk) as server:

            def try_to_send() -> None:
                assert failure(server).type == "Refused"

            *_, result = send_in_run(*[try_to_send] * 3, lambda: send(server, to=[ADA, GRACE]))
        assert result["accepted"] == [ADA, GRACE] == desk.mails[0].recipients
        assert desk.connections == 1


class TestConnections:
    def test_they_are_kept_open_and_closed_in_the_end(self) -> None:
        """A run's messages go over one, and it is closed when the run has ended."""
        desk = Desk()
        with serving(desk) as server:
            send_in_run(*[lambda: send(server)] * 5)
            desk.wait_for(lambda: desk.open == 0)
        assert (len(desk.mails), desk.connections) == (5, 1)

    def test_outside_of_a_run_none_is_kept(self) -> None:
        """A call from Python leaves nothing open."""
        desk = Desk()
        with serving(desk) as server:
            send(server)
            desk.wait_for(lambda: desk.open == 0)
            send(server)
        assert desk.connections == 2

    def test_one_that_the_server_has_closed_is_replaced(self) -> None:
        """Nobody hears of it, and each message is sent once."""
        desk = Desk()
        with serving(desk, HangsUpAfterMessage) as server:

            def send_next() -> None:
                desk.wait_for(lambda: desk.open == 0)
                send(server)

            send_in_run(*[send_next] * 3)
        assert (len(desk.mails), desk.connections) == (3, 3)

    @pytest.mark.parametrize("where", ["sender", ADA, "message"])
    def test_one_that_the_server_wants_to_close_is_replaced(self, where: str) -> None:
        """As servers do after so many messages, with the code 421."""
        yes = Verdict(250, "yes")
        desk = Desk({where: [yes, Verdict(421, "enough"), yes]})
        with serving(desk) as server:
            send_in_run(*[lambda: send(server)] * 3)
        assert (len(desk.mails), desk.connections) == (3, 2)

    def test_a_message_that_may_have_been_taken_is_not_sent_again(self) -> None:
        """The server took it and vanished: only the workflow can know what to do now."""
        desk = Desk()
        with serving(desk, HangsUpBeforeAnswer) as server:
            errors = send_in_run(*[lambda: failure(server)] * 2)
        assert [(error.type, error.retryable) for error in errors] == [("Unconfirmed", True)] * 2
        assert len(desk.mails) == 2

    @pytest.mark.parametrize("code", [299, 354, 99])
    def test_the_first_digit_of_an_answer_counts(self, code: int) -> None:
        """A 2 is a yes; what is neither yes nor no leaves open whether the message was taken."""
        with serving(Desk({"message": [Verdict(code, "well")]})) as server:
            if code == 299:
                assert send(server)["code"] == code
            else:
                assert failure(server).type == "Unconfirmed"

    def test_nobody_listens(self) -> None:
        """A refused connection is told as one, without the address."""
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            error = failure(f"smtp://127.0.0.1:{bound.getsockname()[1]}")
        assert (error.type, str(error)) == (
            "ConnectionFailed",
            "core.email: connection refused.",
        )
        assert error.retryable

    @pytest.mark.parametrize(
        "greeting", [b"", b"hello\r\n", b"220-half", b"220 ok\r\nnonsense\r\n"]
    )
    def test_what_does_not_speak_smtp(self, greeting: bytes) -> None:
        """A server that hangs up, or says something else, is no SMTP server."""

        class Other(Conversation):
            async def hold(self) -> None:
                self.writer.write(greeting)
                await self.writer.drain()

        with serving(Desk(), Other) as server:
            assert failure(server).type == "ConnectionFailed"

    @pytest.mark.parametrize(
        ("stage", "type"),
        [("connection", "Timeout"), ("sender", "Timeout"), ("message", "Unconfirmed")],
    )
    def test_a_silent_server_is_given_up(self, stage: str, type: str) -> None:
        """After `timeout`; once a message has been sent nobody knows what became of it."""
        with serving(Desk({stage: [Verdict(450, HUSH)]})) as server:
            error = failure(server, timeout=0.2)
        assert (error.type, error.retryable) == (type, True)

    def test_nothing_begins_after_the_deadline(self) -> None:
        """The task's own timeout bounds it as well."""
        desk = Desk()
        with serving(desk) as server:
            assert failure(server, context=context(deadline=time.time() - 1)).type == "Timeout"
        assert desk.connections == 0


class TestSecurity:
    @pytest.fixture(autouse=True)
    def trusted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The machine trusts the test's certificate."""
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))

    @pytest.mark.parametrize("tls", [False, True])
    def test_a_login_goes_over_tls(self, tls: bool) -> None:
        """The connection changes to TLS, or begins with it, before the password is sent."""
        desk = Desk()
        with serving(desk, Secure, tls=tls) as server:
            assert send(server, **LOGIN)["accepted"] == [ADA]

    def test_a_login_is_not_sent_in_the_clear(self) -> None:
        """Unless the workflow says so: a server that doesn't offer TLS may be somebody else."""
        with serving(Desk(), InTheClear) as server:
            error = failure(server, **LOGIN)
            assert (error.type, error.retryable) == ("TlsFailed", False)
            assert send(server, starttls=False, **LOGIN)["accepted"] == [ADA]

    def test_tls_can_be_insisted_on(self) -> None:
        """Without a login, too."""
        with serving(Desk()) as server:
            assert failure(server, starttls=True).type == "TlsFailed"
            assert send(server)

    @pytest.mark.parametrize("tls", [False, True])
    def test_certificates_are_checked(self, tls: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        """One that nobody has vouched for is refused, unless the workflow says otherwise."""
        monkeypatch.delenv("SSL_CERT_FILE")
        with serving(Desk(), Secure, tls=tls) as server:
            error = failure(server, **LOGIN)
            assert error.type == "TlsFailed"
            assert "certificate is refused: self" in str(error)
            assert send(server, verify_tls=False, **LOGIN)

    def test_what_does_not_speak_tls(self) -> None:
        """A server that answers in the clear."""
        with serving(Desk()) as server:
            assert failure(server.replace("smtp:", "smtps:")).type == "TlsFailed"

    @pytest.mark.parametrize(("password", "code"), [("wrong", 535), ("busy", 454)])
    def test_a_refused_login(self, password: str, code: int) -> None:
        """Tried again only if the server says that it may help; the password isn't told."""
        with serving(Desk(), Secure, tls=True) as server:
            error = failure(server, username="ada", password=password)
        assert (error.type, error.data) == ("LoginFailed", {"code": code})
        assert error.retryable == (code < 500)
        assert password not in str(error)

    def test_a_login_that_is_not_offered(self) -> None:
        """Nothing to log in with is an error, and not silence."""
        with serving(Desk(), tls=True) as server:
            assert failure(server, **LOGIN).type == "LoginFailed"

    def test_a_connection_is_for_one_login(self) -> None:
        """Nobody sends over a connection that somebody else has logged in on."""
        desk = Desk()
        with serving(desk, Secure, tls=True) as server:

            def send_without() -> None:
                assert failure(server).data["code"] == 530

            send_in_run(lambda: send(server, **LOGIN), send_without, lambda: send(server, **LOGIN))
        assert (len(desk.mails), desk.connections) == (2, 2)


class TestRuns:
    def test_a_fan_out_shares_connections_also_through_children(self, tmp_path: Path) -> None:
        """No more than items run at once, and none is left when the run has ended."""
        (tmp_path / "child.yaml").write_text(CHILD)
        (tmp_path / "flow.yaml").write_text(PARENT)
        desk = Desk()
        with serving(desk) as server:
            done = run(tmp_path / "flow.yaml", {"server": server}, tmp_path)
            desk.wait_for(lambda: desk.open == 0)
        assert done.status is Status.SUCCEEDED
        assert sorted(mail.recipients[0] for mail in desk.mails) == sorted(
            f"user{number}@example.org" for number in [*range(60), *range(60)]
        )
        assert len({mail.read()["Message-ID"] for mail in desk.mails}) == 120
        assert desk.connections <= 4

    def test_a_run_that_is_cut_off_leaves_no_connection(self, tmp_path: Path) -> None:
        """Those not in use are closed with it, and one in use as soon as the server answers."""
        desk = Desk({GRACE: [Verdict(250, HUSH)]})
        (tmp_path / "flow.yaml").write_text(CUT_OFF)
        with serving(desk) as server:
            done = run(tmp_path / "flow.yaml", {"server": server}, tmp_path)
            assert done.status is Status.FAILED
            assert done.error is not None
            assert done.error.type == "Timeout"
            assert [mail.recipients for mail in desk.mails] == [[ADA]]
            desk.wait_for(lambda: desk.open == 1)  # that of the message that hangs
        desk.wait_for(lambda: desk.open == 0)


def run(file: Path, parameters: dict[str, Any], folder: Path) -> fanwise.Run:
    return fanwise.run(file, parameters, store=f"sqlite:///{folder / 'runs.db'}")


LOGIN = {"username": "ada", "password": "secret"}

PARENT = """
parameters: {server: {type: string}}
tasks:
  - name: send
    action: core.email
    with-items: {range: 60}
    concurrency: 4
    input:
      server: "{{ parameters.server }}"
      sender: news@example.org
      to: "user{{ item }}@example.org"
      subject: News
      text: Hello.
  - name: send_in_child
    action: ./child.yaml
    with-items: {range: 60}
    concurrency: 4
    input: {server: "{{ parameters.server }}", to: "user{{ item }}@example.org"}
"""

CHILD = """
parameters: {server: {}, to: {}}
tasks:
  - name: send
    action: core.email
    input:
      server: "{{ parameters.server }}"
      sender: news@example.org
      to: "{{ parameters.to }}"
      subject: News
      text: Hello.
"""

CUT_OFF = """
parameters: {server: {type: string}}
timeout: 1s
tasks:
  - name: send
    action: core.email
    with-items: [ada@example.org, grace@example.org]
    concurrency: 2
    input:
      server: "{{ parameters.server }}"
      sender: news@example.org
      to: "{{ item }}"
      subject: News
      text: Hello.
      timeout: 20
"""
