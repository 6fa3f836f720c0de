"""`fanwise actions`: the catalog."""

import json

ACTIONS = '''\
import fanwise

@fanwise.action("shop.price")
def price(item: str, amount: int = 1, **more: str) -> dict:
    """Say what an item costs.

    More about it.
    """
    return {}
'''


def test_actions_are_listed_by_pack(fanwise, write):
    """With the first line of each description; those of `--packs` as well."""
    write(**{"actions.py": ACTIONS})
    told = fanwise("actions", "--packs", ".")
    assert told.status == 0
    assert "core\n  core.ask " in told.out
    assert told.out.endswith("\nshop\n  shop.price        Say what an item costs.\n")
    assert "shop.price" not in fanwise("actions").out


def test_one_action_is_described_in_full(fanwise, write):
    """Its text, each field with what it takes, and where it is defined."""
    write(**{"actions.py": ACTIONS})
    out = fanwise("actions", "shop.price", "--packs", ".").out
    assert "More about it." in out
    assert "  item    text        required\n" in out
    assert "  amount  an integer  default 1\n" in out
    assert "any further names" in out
    assert "actions.py:3" in out


def test_one_action_as_json_has_its_fields(fanwise, write):
    """In the order declared."""
    write(**{"actions.py": ACTIONS})
    found = json.loads(fanwise("actions", "shop.price", "--packs", ".", "--json").out)
    assert [field["name"] for field in found["fields"]] == ["item", "amount"]
    assert [field["required"] for field in found["fields"]] == [True, False]
    assert found["fields"][1]["default"] == 1
    assert found["open_input"] is True
    listed = json.loads(fanwise("actions", "--json").out)
    assert {"name", "pack", "summary", "source"} == set(listed[0])


def test_an_unknown_action_is_answered_with_the_nearest(fanwise):
    """In one line, with the status 2."""
    told = fanwise("actions", "core.htpp")
    assert told.status == 2
    assert told.err == 'no pack has an action "core.htpp". Did you mean "core.http"?\n'


def test_a_folder_without_a_pack_is_told(fanwise, folder):
    """`--packs` must name one."""
    told = fanwise("actions", "--packs", "nothing")
    assert told.status == 2
    assert told.err.count("\n") == 1
