"""Numbers that nobody can mean, wherever the command line and the core's actions take one."""

import json

import pytest

HOSTILE = ["-1", "0", "1" + "0" * 30, "nan", "inf", "9" * 5_000, "-" + "9" * 5_000, "text", "1e400"]
FLOW = """\
tasks:
  - {name: each, action: core.echo, with-items: {range: 3}, input: {value: "{{ item }}"}}
"""
# Numbers of the table that mean something there.
OPTIONS = {
    ("items r1 each", "--limit"): ["1" + "0" * 30],
    ("items r1 each", "--after"): ["0"],
    ("items r1 each", "--slower"): ["0"],
    ("runs", "--limit"): [],
    ("runs", "--since"): [],
    ("run flow.yaml --dry-run", "--items"): ["1" + "0" * 30],
    ("run flow.yaml", "--grace"): ["0"],
    ("resume r1", "--grace"): ["0"],
    ("submit flow.yaml", "--priority"): ["0", "-1"],
    ("prune --dry-run", "--keep"): ["0", "1" + "0" * 30],
    ("prune --dry-run", "--older-than"): ["0"],
    ("work", "--concurrency"): [],
    ("bench context", "--rounds"): ["1" + "0" * 30],
    ("demo monitor", "--servers"): [],
    ("demo logs", "--lines"): [],
    ("demo notify", "--messages"): [],
}
VARIABLES = ["FANWISE_LEASE", "FANWISE_LIMIT_RESULT_BYTES", "FANWISE_LIMIT_DEPTH"]
NUMBERS = [-1, 10**30, -(10**400), 10**400, 1e300, -1e300, "9" * 5_000, "nan", "inf", "text"]
ACTIONS = [
    ("core.sleep", "seconds", {}),
    ("core.shell", "timeout", {"command": ["true"]}),
    ("core.shell", "max_bytes", {"command": ["true"]}),
    ("core.http", "timeout", {"url": "http://127.0.0.1:1/"}),
    ("core.http", "max_bytes", {"url": "http://127.0.0.1:1/"}),
    ("core.http", "max_redirects", {"url": "http://127.0.0.1:1/"}),
    ("core.http", "expect", {"url": "http://127.0.0.1:1/"}),
    ("core.read_file", "max_bytes", {"path": "flow.yaml"}),
    ("core.email", "timeout", {"server": "smtp://127.0.0.1:1"}),
    ("core.email", "max_bytes", {"server": "smtp://127.0.0.1:1"}),
]
MAIL = {"sender": "a@example.org", "to": "b@example.org", "subject": "s", "text": "t"}


@pytest.fixture(autouse=True)
def flow(write):
    write(**{"flow.yaml": FLOW})


@pytest.mark.parametrize(("command", "option"), OPTIONS)
def test_options_refuse_numbers_that_nobody_can_mean(fanwise, command: str, option: str):
    """In one line that names the option, with the exit status 2."""
    for value in HOSTILE:
        if value in OPTIONS[command, option]:
            continue
        told = fanwise(*command.split(), f"{option}={value}")
        assert (told.status, told.err.count("\n")) == (2, 1), (value, told.err)
        assert option.removeprefix("--") in told.err
        assert "internal error" not in told.err
        assert "int_max_str" not in told.err


@pytest.mark.parametrize("variable", VARIABLES)
def test_variables_refuse_numbers_that_nobody_can_mean(fanwise, monkeypatch, variable: str):
    """In one line that names the variable, with the exit status 2."""
    for value in HOSTILE:
        monkeypatch.setenv(variable, value)
        told = fanwise("run", "flow.yaml")
        assert (told.status, told.err.count("\n")) == (2, 1), (value, told.err)
        assert variable in told.err


def test_a_width_that_no_terminal_has_is_not_heard(fanwise, monkeypatch):
    """`COLUMNS` is the terminal's matter, so commands go on without it."""
    assert fanwise("run", "flow.yaml").status == 0
    for value in HOSTILE:
        monkeypatch.setenv("COLUMNS", value)
        assert fanwise("runs").status == 0


@pytest.mark.parametrize(("action", "field", "others"), ACTIONS)
def test_actions_refuse_numbers_that_nobody_can_mean(fanwise, write, action, field, others):
    """Each attempt fails with an error of the input, which names it."""
    mail = MAIL if action == "core.email" else {}
    flow = {
        "parameters": {"numbers": {"type": "array"}},
        "tasks": [
            {
                "name": "each",
                "action": action,
                "with-items": "{{ parameters.numbers }}",
                "tolerate": "100%",
                "input": {**others, **mail, field: "{{ item }}"},
            }
        ],
    }
    write(**{"hostile.yaml": json.dumps(flow), "numbers.json": json.dumps({"numbers": NUMBERS})})
    told = fanwise("run", "hostile.yaml", "--params", "numbers.json", "--run-id", "r1")
    assert told.status == 0, told.err
    items = [json.loads(line) for line in fanwise("items", "r1", "each", "--json").out.splitlines()]
    assert [item["status"] for item in items] == ["failed"] * len(NUMBERS)
    for item in items:
        assert item["error"]["type"] in {"InputError", "BadRequest"}, item
        assert field in item["error"]["message"]


@pytest.mark.parametrize(
    ("action", "field", "scheme"), [("core.http", "url", "http"), ("core.email", "server", "smtp")]
)
def test_ports_that_do_not_exist_are_refused(fanwise, write, action, field, scheme):
    """With the error of a bad URL."""
    mail = MAIL if action == "core.email" else {}
    ports = ["-1", "65536", "9" * 5_000, "nan", "text", "1.5"]
    task = {
        "name": "each",
        "action": action,
        "with-items": ports,
        "tolerate": "100%",
        "input": {**mail, field: scheme + "://127.0.0.1:{{ item }}/"},
    }
    write(**{"hostile.yaml": json.dumps({"tasks": [task]})})
    assert fanwise("run", "hostile.yaml", "--run-id", "r1").status == 0
    items = [json.loads(line) for line in fanwise("items", "r1", "each", "--json").out.splitlines()]
    assert [item["error"]["type"] for item in items] == ["BadUrl"] * len(ports)
