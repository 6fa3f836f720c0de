"""Keys and values from the command line and from Python."""

from __future__ import annotations

import json

import pytest

import fanwise as python
from fanwise.errors import KeyConflictError, UsageError
from fanwise.testing import rehearse


def test_a_key_is_set_read_listed_and_deleted(fanwise) -> None:
    """A value is JSON, or else text."""
    for given, value in (("17", 17), ('{"a": [1]}', {"a": [1]}), ("later", "later"), ("", "")):
        assert fanwise("kv", "set", "key", given).status == 0
        (found,) = map(json.loads, fanwise("kv", "get", "key", "--json").out.splitlines())
        assert found["value"] == value
    assert fanwise("kv", "set", "key", "17", "--text").out == "key has version 5.\n"
    assert fanwise("kv", "get", "key").out == "17\n"
    (found,) = map(json.loads, fanwise("kv", "list", "k", "--json").out.splitlines())
    assert (found["name"], found["value"], found["until"]) == ("key", "17", None)
    assert fanwise("kv", "delete", "key").status == 0
    assert fanwise("kv", "list").out == "No keys.\n"
    for command in ("get", "delete"):
        told = fanwise("kv", command, "key")
        assert (told.status, told.err) == (
            2,
            'the key "key" isn\'t set. `fanwise kv list` lists those that are.\n',
        )


def test_a_change_for_another_version_has_a_status_of_its_own(fanwise) -> None:
    """So a script can tell it from a mistake."""
    assert fanwise("kv", "set", "lock", "1", "--if-unset", "--ttl", "1h").status == 0
    for options in (["--if-unset"], ["--if", "2"]):
        told = fanwise("kv", "set", "lock", "2", *options)
        assert told.status == 1
        assert 'the key "lock" has version 1' in told.err
    assert fanwise("kv", "delete", "lock", "--if", "2").status == 1
    assert fanwise("kv", "set", "lock", "2", "--if", "1", "--json").out == (
        '{"name":"lock","version":2}\n'
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["set", "", "1"], "a key is a text of 1 to 200"),
        (["set", "a", "1", "--if-unset", "--if", "1"], "exclude each other"),
        (["set", "a", "1", "--ttl", "x"], "--ttl"),
        (["set", "a", "1", "--ttl", "0"], "is to last 0 s"),
        (["set", "a", "s3cret", "--secret"], "a secret in the command is seen by other users"),
        (["set", "a", "x" * 70_000], "the limit is 65,536"),
        (["list", "--limit", "0"], "--limit"),
    ],
)
def test_a_command_that_cannot_be_meant_is_told_in_one_line(fanwise, words, said) -> None:
    """And nothing is changed."""
    told = fanwise("kv", *words)
    assert (told.status, said in told.err, told.err.count("\n")) == (2, True, 1)
    assert "s3cret" not in told.err


def test_keys_are_set_and_read_from_python(fanwise) -> None:
    """With the versions and the errors of the command line."""
    assert python.kv.set("a", {"b": [1]}) == 1
    assert python.kv.get("a") == {"b": [1]}
    assert python.kv.get("no", 3) == 3
    with pytest.raises(KeyConflictError):
        python.kv.set("a", 2, if_version=0)
    assert [(each.name, each.version) for each in python.kv.entries("a")] == [("a", 1)]
    assert [python.kv.delete("a"), python.kv.delete("a")] == [True, False]
    for name, value in (("", 1), ("a", "x" * 70_000)):
        with pytest.raises(UsageError):
            python.kv.set(name, value)
    with pytest.raises(UsageError):
        python.kv.delete("a", if_version=0)


def test_a_rehearsal_has_keys_of_its_own() -> None:
    """Given before, and told afterwards."""
    text = "tasks: [{name: a, action: core.kv_set, input: {name: n, value: '{{ kv.n + 1 }}'}}]\n"
    outcome = rehearse(text, kv={"n": 1, "m": "x"})
    assert outcome.kv == {"n": 2, "m": "x"}
