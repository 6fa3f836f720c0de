"""What a failed command wrote, and what a server answered, stands with the error."""

SHELL = """\
tasks:
  - name: build
    action: core.shell
    on-error: continue
    input: {script: "seq 30; echo 'fatal: no such header' >&2; exit 2"}
  - name: each
    action: core.shell
    with-items: [a, b, a]
    concurrency: 1
    on-error: continue
    input: {script: 'echo "no space for $F" >&2; exit 5', env: {F: "{{ item }}"}}
  - name: call
    action: ask.server
"""
ACTIONS = """\
import fanwise

@fanwise.action("ask.server")
def ask() -> None:
    data = {"status": 409, "body": "\\x1b[31marchived\\nyesterday"}
    raise fanwise.ActionError("refused", type="UnexpectedStatus", data=data)
"""
BUILD = """
build failed; the end of its standard error:
  fatal: no such header

build failed; the end of its standard output:
  21
  22
"""
EACH = """
each[0] a failed; the end of its standard error:
  no space for a
"""
CALL = """
call failed; it was answered with status 409:
  archived
  yesterday
"""


def test_the_ends_of_output_and_the_beginnings_of_answers_are_shown(fanwise, write):
    """At the end of a run and by `fanwise show`, once each, without what a terminal could obey."""
    write(**{"flow.yaml": SHELL, "actions.py": ACTIONS})
    ended = fanwise("run", "flow.yaml", "--run-id", "alpha").err
    shown = fanwise("show", "alpha").out
    for text in (ended, shown):
        assert all(text.count(part) == 1 for part in (BUILD, EACH, CALL)), text
        assert "  20\n" not in text


def test_items_show_what_their_commands_wrote_last_the_same_once(fanwise, write):
    """Below the table, as tracebacks are."""
    write(**{"flow.yaml": SHELL, "actions.py": ACTIONS})
    fanwise("run", "flow.yaml", "--run-id", "alpha")
    shown = fanwise("items", "alpha", "each").out
    assert shown.count("no space for a") == shown.count("no space for b") == 1
