"""The two servers of the notification demo, as their clients see them."""

from __future__ import annotations

import os
import signal
import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import msgspec
import pytest

from fanwise.demos.notify.mail_server import Entry, MailCounts, count_mail, read_log
from fanwise.demos.notify.people import make_people
from fanwise.demos.notify.smtp import MAX_MESSAGE_BYTES
from fanwise.demos.process import serving
from fanwise.errors import UsageError

PEOPLE = make_people(1_000, 7)
MAIL_SERVER = "fanwise.demos.notify.mail_server"


def fetch(url: str) -> dict[str, Any]:
    with build_opener(ProxyHandler({})).open(url, timeout=60) as answer:
        return msgspec.json.decode(answer.read(), type=dict[str, Any])


def address(**wanted: object) -> str:
    """That of the first user of a kind who has one."""
    return next(
        person.email
        for person in PEOPLE
        if person.email and all(getattr(person, name) == value for name, value in wanted.items())
    )


class Mail:
    """A mail server that runs, and a client of it."""

    def __init__(self, url: str, log: Path) -> None:
        self.log = log
        host, _, port = url.removeprefix("smtp://").partition(":")
        self.place = (host, int(port))

    def client(self) -> smtplib.SMTP:
        return smtplib.SMTP(*self.place, local_hostname="test", timeout=60)


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[Mail]:
    log = tmp_path / "mail.log"
    with serving(MAIL_SERVER, "--messages", 1_000, "--seed", 7, "--log", log) as url:
        yield Mail(url, log)


MESSAGE = b"Message-ID: <1@test>\r\nSubject: x\r\n\r\n.\r\ntext\r\n"


def test_users_come_page_by_page() -> None:
    """Each page links to the next one, and the last one to none; none is missing."""
    with serving("fanwise.demos.notify.users_server", "--messages", 1_000) as url:
        found, pages = [], 0
        following: str | None = url
        while following:
            page = fetch(following)
            found += page["users"]
            following = page["next"]
            pages += 1
    assert pages == 3
    assert [user["email"] for user in found] == [person.email for person in PEOPLE]
    assert set(found[0]) == {"id", "name", "email", "language", "active", "subscribed"}


@pytest.mark.parametrize(("page", "status"), [("0", 404), ("4", 404), ("x", 400)])
def test_a_page_that_there_is_not(page: str, status: int) -> None:
    """Is an error of HTTP."""
    with (
        serving("fanwise.demos.notify.users_server", "--messages", 1_000) as url,
        pytest.raises(HTTPError) as caught,
    ):
        fetch(f"{url}?page={page}")
    caught.value.close()
    assert caught.value.code == status


def test_a_message_is_taken_and_written_down(mail: Mail) -> None:
    """For each recipient, with its Message-ID, before the client has its answer."""
    ada, alan = address(busy_tries=0, is_gone=False), address(busy_tries=0, active=False)
    with mail.client() as client:
        assert client.sendmail("a@test", [ada, alan], MESSAGE) == {}
        taken = [entry for entry in read_log(mail.log) if entry.what == "taken"]
    assert taken == [Entry("taken", each, 250, "<1@test>") for each in (ada, alan)]


def test_a_busy_mailbox_takes_mail_later(mail: Mail) -> None:
    """It puts off as many mails as it should, each with a code from 400."""
    busy = address(busy_tries=2)
    with mail.client() as client:
        for _ in range(2):
            with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
                client.sendmail("a@test", busy, MESSAGE)
            assert caught.value.recipients[busy][0] == 450
        client.sendmail("a@test", busy, MESSAGE)
    counts = count_mail(read_log(mail.log))
    assert (counts.taken[busy], counts.put_off[busy]) == (1, 2)


@pytest.mark.parametrize("known", [True, False])
def test_a_mailbox_that_there_is_not(mail: Mail, known: bool) -> None:
    """Never takes mail: one that is gone, and one that never was."""
    gone = address(is_gone=True) if known else "nobody@example.org"
    with mail.client() as client, pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
        client.sendmail("a@test", gone, MESSAGE)
    assert caught.value.recipients[gone][0] == 550
    assert count_mail(read_log(mail.log)).refused == {gone: 1}


def test_what_is_said_in_the_wrong_order_is_refused(mail: Mail) -> None:
    """The conversation goes on afterwards."""
    ada = address(busy_tries=0, is_gone=False)
    with mail.client() as client:
        said = [
            client.docmd(line)[0]
            for line in (
                f"RCPT TO:<{ada}>",
                "DATA",
                "MAIL FROM:a@test",
                "MAIL FROM:<>",
                "RCPT TO:<>",
                f"rcpt to: <{ada}>",
                "RSET",
                "DATA",
                "NOOP",
                "HELO test",
                "EXPN all",
            )
        ]
        assert said == [503, 503, 501, 250, 501, 250, 250, 503, 250, 250, 500]
        assert client.sendmail("a@test", ada, MESSAGE) == {}


def test_a_message_that_is_too_large_is_refused(mail: Mail) -> None:
    """It is read to its end, but not kept; so is the size that the server names."""
    ada = address(busy_tries=0, is_gone=False)
    with mail.client() as client:
        client.ehlo()
        assert int(client.esmtp_features["size"]) == MAX_MESSAGE_BYTES
        line = b"x" * 998 + b"\r\n"
        with pytest.raises(smtplib.SMTPDataError) as caught:
            client.sendmail("a@test", ada, line * (MAX_MESSAGE_BYTES // len(line) + 1))
        assert caught.value.smtp_code == 552
        assert client.noop()[0] == 250
    assert not count_mail(read_log(mail.log)).taken


def test_broken_clients_do_no_harm(mail: Mail) -> None:
    """Lines without an end, and messages that break off, end their own connection only."""
    ada = address(busy_tries=0, is_gone=False).encode()
    begun = b"MAIL FROM:<a@test>\r\nRCPT TO:<" + ada + b">\r\nDATA\r\nhalf"
    for sent in (b"x" * 100_000, b"\xff\0\r\n", begun):
        with socket.create_connection(mail.place, timeout=60) as client:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            try:
                while client.recv(4096):
                    pass
            except ConnectionResetError:
                pass
    with mail.client() as client:
        assert client.noop()[0] == 250
    assert not count_mail(read_log(mail.log)).taken


def test_the_mail_server_dies_when_it_is_told_to(tmp_path: Path) -> None:
    """Without an answer to the last message, which its log has nevertheless."""
    log = tmp_path / "mail.log"
    ada = address(busy_tries=0, is_gone=False)
    with serving(MAIL_SERVER, "--log", log, "--messages", 1_000, "--die-after", 2) as url:
        client = Mail(url, log).client()
        client.sendmail("a@test", ada, MESSAGE)
        with pytest.raises(smtplib.SMTPServerDisconnected):
            client.sendmail("a@test", ada, MESSAGE)
    assert count_mail(read_log(log)).taken[ada] == 2


def test_connections_are_counted() -> None:
    """All of them, and how many were open at once."""
    opened, closed = Entry("opened"), Entry("closed")
    counts = count_mail([opened, opened, closed, opened, opened, closed, closed])
    assert counts == MailCounts(counts.taken, counts.put_off, counts.refused, 4, 3)


@pytest.mark.parametrize("end", ["terminate", "close its input"])
def test_a_server_ends_when_it_should(tmp_path: Path, end: str) -> None:
    """At SIGTERM, and when whoever started it is gone, also while a client is connected."""
    command = [sys.executable, "-m", MAIL_SERVER, "--messages", "3", "--log", tmp_path / "log"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        client = Mail(process.stdout.readline().decode().strip(), tmp_path / "log").client()
        if end == "terminate":
            os.kill(process.pid, signal.SIGTERM)
        else:
            process.stdin.close()
        assert process.wait(60) == 0
        client.close()


@pytest.mark.parametrize("module", [MAIL_SERVER, "fanwise.demos.notify.users_server"])
def test_a_port_that_is_taken_is_one_line(module: str, tmp_path: Path) -> None:
    """The server says so, and the one who starts it raises an error."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        bound.listen()
        arguments = ["--port", bound.getsockname()[1]]
        arguments += ["--log", tmp_path / "log"] if module == MAIL_SERVER else []
        with pytest.raises(UsageError, match="didn't start"), serving(module, *arguments):
            pass
