"""`fanwise token`: tokens are made, listed and revoked without a server."""

from __future__ import annotations

import json

from fanwise.server.credentials import hashed, read_token
from fanwise.stores import open_store


def test_a_token_is_made_listed_and_revoked(fanwise, folder) -> None:
    """Its text alone is the result; the store has a hash of its secret."""
    told = fanwise("token", "add", "ada", "--role", "run", "--workflow", "report-*")
    assert told.status == 0
    text = read_token(told.out.strip())
    assert text is not None
    with open_store(str(folder / "runs.db")) as opened:
        token = opened.token(text.token_id)
        assert token is not None
        assert token.secret_hash == hashed(text.secret)
    listed = fanwise("token", "list")
    assert [text.token_id, "ada", "run", "report-*"] == listed.out.splitlines()[1].split()[:4]
    assert text.secret not in listed.out
    assert fanwise("token", "revoke", text.token_id).status == 0
    (shown,) = [json.loads(line) for line in fanwise("token", "list", "--json").out.splitlines()]
    assert shown["revoked_at"] is not None
    assert "revoked" in fanwise("token", "list").out


def test_wrong_arguments_of_tokens_are_told_in_one_line(fanwise) -> None:
    """With status 2."""
    fanwise("token", "add", "ada")
    for words in (
        ("add", "ada", "--role", "king"),
        ("add", ""),
        ("add", "ada", "--expires-in", "soon"),
        ("revoke", "nobody"),
    ):
        told = fanwise("token", *words)
        assert told.status == 2
        assert told.out == ""
        assert told.err.count("\n") == 1
