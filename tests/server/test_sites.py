"""The addresses that a server may have, and the names that it answers to."""

from __future__ import annotations

import pytest

from fanwise.errors import UsageError
from fanwise.server.sites import listen, site_at


def test_a_server_on_this_machine_has_its_local_names() -> None:
    """With its port, and nothing else."""
    site = site_at("127.0.0.1", 8420)
    assert site.url == "http://127.0.0.1:8420"
    assert set(site.origins) == {"127.0.0.1:8420", "localhost:8420", "[::1]:8420"}
    assert site.origins["localhost:8420"] == "http://localhost:8420"


def test_a_public_url_adds_its_name() -> None:
    """Its origin is of https, and its path is in front of all others."""
    site = site_at("127.0.0.1", 8420, "https://Ops.Example.com/tools/fanwise/")
    assert site.url == site.public_url == "https://ops.example.com/tools/fanwise"
    assert site.origins["ops.example.com"] == "https://ops.example.com"
    assert site.prefix == "/tools/fanwise"
    assert site.is_https
    assert "8443" in site_at("127.0.0.1", 1, "https://a.example:8443").origins.popitem()[0]


@pytest.mark.parametrize(
    ("host", "public_url"),
    [
        ("0.0.0.0", None),
        ("192.168.1.5", None),
        ("::", None),
        ("127.0.0.1", "http://ops.example.com"),
    ],
)
def test_an_address_that_others_reach_needs_https(host: str, public_url: str | None) -> None:
    """Or the words that say what it means."""
    with pytest.raises(UsageError, match="--insecure-http"):
        site_at(host, 8420, public_url)
    public = public_url or "http://ops.example.com:8420"
    assert site_at(host, 8420, public, is_insecure=True).url == public


def test_a_server_on_all_addresses_has_to_know_its_name() -> None:
    """Else it can't tell its own pages from others."""
    with pytest.raises(UsageError, match="--public-url"):
        site_at("0.0.0.0", 8420, is_insecure=True)
    assert site_at("10.1.2.3", 80, is_insecure=True).origins == {"10.1.2.3": "http://10.1.2.3"}


@pytest.mark.parametrize(
    "url",
    [
        "ops.example.com",
        "ftp://a.example",
        "https://",
        "https://a.example:x",
        "https://u:p@a.example",
    ],
)
def test_a_public_url_that_is_none_is_refused(url: str) -> None:
    """With an example."""
    with pytest.raises(UsageError, match=r"https://example\.com/fanwise"):
        site_at("127.0.0.1", 8420, url)


def test_a_port_that_is_taken_is_told_with_the_remedy() -> None:
    """In one line."""
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"the port {port} of 127.0.0.1 is taken.*--no-http"):
            listen("127.0.0.1", port)


def test_an_address_of_another_machine_is_told() -> None:
    """In one line."""
    for host in ("192.0.2.1", "nowhere.invalid"):
        with pytest.raises(UsageError, match="--host"):
            listen(host, 0)
