"""Commands over a server say what they say over its store."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from msgspec.structs import astuple

from fanwise.cli import main
from fanwise.model import EVENT, Role
from fanwise.reports.kinds import digest_items
from fanwise.server.token_making import new_token_text
from fanwise.system import SystemProcesses
from tests.cli.conftest import Fanwise, Told
from tests.server.served import Served, serving

FLOW = """\
name: checks
parameters: {hosts: {type: array, default: [web, db, mail]}}
tasks:
  - name: check
    with-items: "{{ parameters.hosts }}"
    label: "{{ item }}"
    action: core.shell
    input: {command: [sh, -c, "echo looked at {{ item }}; test {{ item }} != db"]}
    retry: {count: 1, delay: 0s}
    tolerate: 1
  - name: note
    needs: [check]
    action: core.echo
    input: {text: "{{ task.check.output | length }}"}
  - name: inner
    needs: [note]
    action: ./inner.yaml
    on-error: continue
output: "{{ task.note.output.text }}"
"""
INNER = """\
tasks:
  - {name: up, action: core.echo, input: {text: hello}}
  - {name: down, needs: [up], action: core.fail, input: {message: no way}}
"""
EACH = """\
name: each
tasks:
  - {name: child, with-items: [1, 2], action: ./inner.yaml, on-item-error: continue}
"""
ASKS = """\
name: asks
tasks:
  - name: sure
    action: core.ask
    input:
      prompt: Go on?
      options: [approve, reject]
      answer: {percent: {type: integer, default: 5}}
"""
TIMED = """\
name: timed
parameters: {of: {type: string, default: nobody}}
on:
  - {name: nightly, schedule: {cron: "0 2 * * *"}, parameters: {of: "{{ trigger.date }}"}}
  - name: sent
    event: {name: order}
    when: "{{ trigger.event is mapping }}"
    parameters: {of: "{{ trigger.event.id }}"}
tasks: [{name: a, action: core.echo, input: {text: "{{ parameters.of }}"}}]
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of a store with runs that have ended in several ways."""
    folder = tmp_path_factory.mktemp("served")
    for name, text in (
        ("checks", FLOW),
        ("inner", INNER),
        ("each", EACH),
        ("asks", ASKS),
        ("timed", TIMED),
    ):
        (folder / f"{name}.yaml").write_text(text)
    (folder / "order.json").write_text('{"id": "a1"}')
    store = ("--store", str(folder / "runs.db"))
    for name, *options in (
        ("checks", "--run-id", "checks-1", "--tag", "eu"),
        ("each", "--run-id", "each-1"),
        ("checks", "--run-id", "checks-2"),
        ("asks", "--run-id", "asks-1", "--no-input"),
    ):
        with pytest.raises(SystemExit):
            main(["run", str(folder / f"{name}.yaml"), *options, *store])
    with pytest.raises(SystemExit):
        main(["submit", str(folder / "checks.yaml"), "--run-id", "later-1", *store])
    with serving(folder) as made:
        assert len(made.store.runs()) == 5
        yield made


@pytest.fixture
def both(
    served: Served, fanwise: Fanwise, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Told, Told]]:
    """The same command over the store and over the server; where each is doesn't count."""
    monkeypatch.setenv("FANWISE_TOKEN", served.tokens["run"])
    monkeypatch.chdir(served.folder)

    def run(*words: str) -> tuple[Told, Told]:
        named = ["--store", "runs.db"], ["--server", served.origin]
        told = []
        for place in named:
            status, *texts = fanwise(*words, *place)
            texts = [text.replace(f"{served.folder}/", "") for text in texts]
            told.append(Told(status, *(text.replace(" ".join(place), "HERE") for text in texts)))
        return told[0], told[1]

    return run


@pytest.mark.parametrize(
    "words",
    [
        "runs",
        "runs --json",
        "runs --limit 2 --workflow checks --tag eu",
        "runs --limit 1 --before checks-2 --status succeeded",
        "runs --since 1d --status waiting",
        "runs --before nothing",
        "show checks-1",
        "show checks-1 --json",
        "show checks",
        "show each-1",
        "show later-1",
        "show asks-1",
        "show none",
        "show checks-1 --timeline",
        "show checks-1 --timeline --json",
        "show checks-1 --timeline --svg",
        "show each-1 --within child[1]",
        "show each-1 --within child[1] --timeline --svg",
        "show each-1 --within child[7]",
        "show checks-1 --follow",
        "items checks-1 check",
        "items checks-1 check --limit 1",
        "items checks-1 check --status failed --csv",
        "items checks-1 check 0 2 --json",
        "items checks-1 check --kind 0",
        "items checks-1 check --label mail --slower 0s",
        "items checks-1 note",
        "items checks-1 chek",
        "items each-1 child",
        "logs checks-1",
        "logs checks-1 check[1] --json",
        "logs checks-1 note",
        "logs checks-1 nothing",
        "logs checks-1 --follow",
        "export checks-1",
        "graph --run checks-1",
        "graph --run checks-1 --format svg",
        "asks",
        "asks --json --limit 1",
        "engines",
        "limits",
        "limits --json",
        "pause checks-1",
        "pause later-1",
        "pause asks-1",
        "cancel checks-1",
        "cancel none",
        "approve checks-1 sure",
        "answer asks-1 shure approve",
        "answer asks-1 sure maybe",
        "answer asks-1 sure approve -p percent=many -p more=1",
        "answer asks-1 sure approve -p percent",
        "signal checks-1 paid",
        "signal asks-1 paid --payload {",
        "prune nothing",
        "prune later-1",
        "prune checks-1 each --dry-run",
        "prune",
        "retry checks-1 --items-of check",
        "retry checks-1 --kind 0 --from check",
        "emit fanwise.asked",
        "emit order --data {",
        "emit order --lines none.jsonl",
        "emit order --lines order.json --id a",
        "triggers",
        "triggers --json",
        "triggers --check",
        "triggers fires nightly",
        "triggers fires nightl",
        "triggers fires timed/nightly --status gone",
        "triggers pause timed/nightly --note moving",
        "triggers resume nothing",
        "triggers resume sent --json",
        "trigger nightly --at 2026-03-05T02:00 --dry-run",
        "trigger nightly --at tomorrow",
        "trigger sent --event order.json --dry-run",
        "trigger sent --event each.yaml",
        "trigger sent",
        "trigger checks/sent",
        "backfill nightly --from 2026-03-01 --to 2026-03-03 --dry-run",
        "backfill nightly --from 2026-03-01 --to 2026-03-03 --dry-run --json",
        "backfill nightly --from 2026-03-01 --to 2999-03-03",
        "backfill sent --from 2026-03-01 --to 2026-03-03",
    ],
)
def test_a_command_says_the_same_of_a_server(
    both: Callable[..., tuple[Told, Told]], words: str
) -> None:
    """Results, remarks and exit status, to the last byte."""
    store, server = both(*words.split())
    assert server == store


@pytest.mark.parametrize(
    "words", ["run flow.yaml", "kv list", "prune --keep 1", "work", "db check", "recover"]
)
def test_a_command_that_needs_the_store_itself_says_so(
    fanwise: Fanwise, write: Callable[..., None], words: str
) -> None:
    """In one line, with what to do."""
    write(**{"flow.yaml": "tasks: [{name: a, action: core.echo, input: {text: a}}]"})
    told = fanwise("--server", "http://127.0.0.1:1", *words.split())
    assert told.status == 2
    assert "works on a store itself, and the URL is that of a server" in told.err
    assert told.err.count("\n") == 1


@pytest.fixture
def worked(served: Served, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of the server, while an engine takes runs of its store."""
    monkeypatch.setenv("FANWISE_TOKEN", served.tokens["run"])
    store = str(served.folder / "runs.db")
    command = [sys.executable, "-m", "fanwise", "work", "--until-eof", "--store", store]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as engine:
        try:
            yield served.origin
        finally:
            engine.communicate()


def test_a_question_is_answered_and_its_run_resumed_over_a_server(
    worked: str, served: Served, fanwise: Fanwise
) -> None:
    """Fields are read by their types there; an engine drives the run, watched from here."""
    told = fanwise(
        "approve", "asks-1", "sure", "-p", "percent=20", "--by", "ada", "--server", worked
    )
    assert (told.out, told.err) == (
        "Run asks-1 has its answer at sure.\n",
        f"No process drives the run. To go on: fanwise resume asks-1 --server {worked}\n",
    )
    assert told.err.endswith(f"fanwise resume asks-1 --server {worked}\n")
    resumed = fanwise("resume", "asks-1", "--server", worked, "--json")
    assert (resumed.status, json.loads(resumed.out)["status"]) == (0, "succeeded")
    (visit,) = served.store.tasks(served.store.run("asks-1").run_no)
    assert json.loads(visit.output)["answer"] == {"percent": 20}
    assert json.loads(visit.output)["by"] == "ada"
    late = fanwise("approve", "asks-1", "sure", "--server", worked)
    assert late.status == 2
    assert "run asks-1 is over" in late.err


def test_a_run_is_retried_over_a_server(worked: str, served: Served, fanwise: Fanwise) -> None:
    """The exit status is that of its end, as if it were driven here."""
    file = served.folder / "each.yaml"
    told = fanwise("retry", "each-1", "--server", worked)
    assert told.status == 1
    assert "Run each-1 of each  failed" in told.err
    assert f"More: fanwise show each-1 --server {worked}" in told.err
    repaired = fanwise("retry", "each-1", "--server", worked, "--file", str(file))
    assert (repaired.status, repaired.err.count("\n")) == (2, 1)
    assert 'This needs the role "admin"' in repaired.err
    refused = fanwise("retry", "each-1", "--server", worked, "--grace", "1s")
    assert (refused.status, refused.err.count("\n")) == (2, 1)
    assert refused.err.startswith("--grace is for a run that this process drives")


def test_a_signal_is_sent_and_a_run_cancelled_over_a_server(
    worked: str, served: Served, fanwise: Fanwise
) -> None:
    """An engine brings a run to its end that nobody drives."""
    flow = str(served.folder / "asks.yaml")
    store = str(served.folder / "runs.db")
    assert fanwise("run", flow, "--run-id", "asks-2", "--no-input", "--store", store).status == 3
    kept = fanwise("signal", "asks-2", "paid", "--payload", "1", "--server", worked, "--json")
    assert json.loads(kept.out) == {"run_id": "asks-2", "signal": "paid", "path": None}
    told = fanwise("cancel", "asks-2", "--server", worked, "--json")
    assert json.loads(told.out) == {"run_id": "asks-2", "status": "cancelled"}
    assert fanwise("cancel", "asks-2", "--packs", "p", "--server", worked).status == 2


def test_a_trigger_is_fired_paused_and_resumed_over_a_server(
    served: Served, fanwise: Fanwise, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its runs are recorded there, in the name of the token."""
    monkeypatch.setenv("FANWISE_TOKEN", served.tokens["run"])
    there = ("--server", served.origin, "--json")
    span = ("--from", "2026-03-01", "--to", "2026-03-03")
    fired = json.loads(fanwise("trigger", "nightly", "--at", "2026-03-05T02:00", *there).out)
    made = json.loads(fanwise("backfill", "nightly", *span, *there).out)
    assert {key: fired[key] for key in ("workflow", "trigger")} == {
        "workflow": "timed",
        "trigger": "nightly",
    }
    assert len(made["runs"]) == 2
    runs = [served.store.run(run_id) for run_id in (*fired["runs"], *made["runs"])]
    assert [run.origin.trigger["scheduled_at"] for run in runs] == [
        f"2026-03-{day}T02:00:00+00:00" for day in ("05", "01", "02")
    ]
    assert runs[0].origin.trigger["by"] == "run"
    none = fanwise("backfill", "nightly", *span, "--server", served.origin)
    assert none == (0, "", "No run was made: no time of the span is without one.\n")
    fires = fanwise("triggers", "fires", "nightly", *there).out.splitlines()
    assert {json.loads(line)["run_id"] for line in fires} == {run.id for run in runs}
    assert fanwise("triggers", "fires", "nightly", "--limit", "1", *there).out == fires[0] + "\n"
    assert fanwise("triggers", "pause", "nightly", "--note", "moving", *there).status == 0
    (row,) = (
        each
        for each in json.loads(fanwise("triggers", *there).out)["triggers"]
        if each["trigger"] == "nightly"
    )
    assert row["note"] == "moving"
    resumed = json.loads(fanwise("triggers", "resume", "nightly", *there).out)
    assert resumed["done"] == "is resumed"


def test_what_is_wrong_with_a_servers_project_is_told_to_a_token_of_all_workflows(
    folder: Path, fanwise: Fanwise, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by the project itself: the others don't know those files."""
    (folder / "timed.yaml").write_text(TIMED)
    (folder / "wrong.yaml").write_text("on: [{schedule: {cron: often}}]\ntasks: []\n")
    with serving(folder) as served:
        for role, workflows in ((Role.READ, ()), (Role.READ, ("timed",))):
            token = new_token_text(served.store, "some", role, workflows=workflows)
            monkeypatch.setenv("FANWISE_TOKEN", str(token))
            told = fanwise("triggers", "--server", served.origin)
            assert "nightly" in told.out
            assert (told.status, "wrong.yaml" in told.err) == (
                (0, False) if workflows else (2, True)
            )


def test_the_items_of_one_kind_are_retried_over_a_store_and_a_server(
    worked: str, served: Served, fanwise: Fanwise
) -> None:
    """The others of the task stay as they are."""
    flow = served.folder / "kinds.yaml"
    flow.write_text(
        "name: kinds\ntasks:\n  - {name: a, action: core.shell, with-items: [1, 1, 2, 0], "
        'input: {command: [sh, -c, "exit {{ item }}"]}}\n'
    )
    store = ("--store", str(served.folder / "runs.db"))
    for run_id, place in (("kinds-1", store), ("kinds-2", ("--server", worked))):
        assert fanwise("run", str(flow), "--run-id", run_id, *store).status == 1
        run_no = served.store.run(run_id).run_no
        (visit,) = served.store.tasks(run_no)
        before = served.store.items(run_no, visit.visit_no)
        digest = digest_items(served.store, run_no, visit.visit_no)
        (kind,) = (each for each in digest.kinds if each.count == 2)
        words = ("retry", run_id, "--items-of", "a", "--kind")
        assert fanwise(*words, str(kind.number), *place).status == 1
        after = served.store.items(run_no, served.store.tasks(run_no)[-1].visit_no)
        changed = [one != two for one, two in zip(before, after, strict=True)]
        assert changed == [True, True, False, False]
        none = fanwise(*words, "99", *place)
        assert (none.status, none.out) == (2, "")
        assert "has failed with the kind 99" in none.err


def test_runs_are_deleted_by_a_server(
    served: Served, fanwise: Fanwise, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a token that may; others are refused in one line."""
    store = ("--store", str(served.folder / "runs.db"))
    for run_id in ("gone-1", "gone-2", "gone-3"):
        fanwise("run", str(served.folder / "timed.yaml"), "--run-id", run_id, *store)
    monkeypatch.setenv("FANWISE_TOKEN", served.tokens["run"])
    assert_refused(fanwise("prune", "gone-1", "--server", served.origin), "role")
    monkeypatch.setenv("FANWISE_TOKEN", served.tokens["admin"])
    told = fanwise("prune", "gone-1", "gone-2", "--server", served.origin)
    assert told == (0, "Deleted 2 runs (2 succeeded).\n", "")
    kept = fanwise("prune", "gone-3", "--dry-run", "--json", "--server", served.origin)
    assert json.loads(kept.out) == {"dry_run": True, "runs": ["gone-3"]}
    listed = [run.id for run in served.store.runs()]
    assert "gone-3" in listed
    assert not {"gone-1", "gone-2"} & set(listed)


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("--server URL show later", ["later-1"]),
        ("show --server URL later", ["later-1"]),
        ("retry --server URL checks", ["checks-2", "checks-1"]),
        ("pause --server URL ", []),
        ("items checks-1 --server URL ", ["check"]),
        ("logs checks-1 --server URL i", ["inner"]),
        ("runs --server URL --tag e", ["eu"]),
        ("runs --server URL --workflow as", ["asks"]),
        ("submit --server URL ti", ["timed"]),
        ("submit --server URL timed -p ", ["of="]),
        ("submit --server URL none -p ", []),
        ("answer --server URL asks-3 ", ["sure"]),
        ("answer --server URL asks-3 sure ", ["approve", "reject"]),
        ("approve --server URL asks-3 sure -p ", ["percent="]),
        ("trigger --server URL n", ["nightly"]),
        ("triggers pause --server URL timed/s", ["timed/sent"]),
        ("resume --server URL checks-1 -p ", []),
        ("runs --server http://127.0.0.1:1 --workflow as", []),
    ],
)
def test_what_a_server_knows_is_completed(
    served: Served,
    fanwise: Fanwise,
    monkeypatch: pytest.MonkeyPatch,
    line: str,
    offered: list[str],
) -> None:
    """Ids, tasks, workflows, tags, questions and parameters, as those of a store."""
    if "asks-3" in line:  # other tests answer the others
        flow, store = str(served.folder / "asks.yaml"), str(served.folder / "runs.db")
        fanwise("run", flow, "--run-id", "asks-3", "--no-input", "--store", store)
    words = ["fanwise", *line.replace("URL", served.origin).split(" ")]
    monkeypatch.setenv("FANWISE_TOKEN", served.tokens["read"])
    monkeypatch.setenv("_FANWISE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "\n".join(words))
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    told = fanwise()
    assert (told.out.split(), told.err) == (offered, "")


def test_events_are_emitted_over_a_server(
    served: Served, fanwise: Fanwise, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the name of the token, unless another sender is named; an id is taken once."""
    monkeypatch.setenv("FANWISE_TOKEN", served.tokens["run"])
    monkeypatch.chdir(served.folder)
    there = ("--server", served.origin)
    words = ("emit", "paid", "--data", '{"sum": 30}', "--key", "k", "--id", "p-1", *there)
    assert fanwise(*words) == (0, "p-1\n", "")
    assert fanwise(*words).out == "Its id is known already: p-1\n"
    sent = served.store.arrival(EVENT, "paid", "p-1")
    assert (sent.data, sent.key, sent.by) == (b'{"sum":30}', "k", "run")
    made = json.loads(fanwise("emit", "paid", "--by", "ada", "--json", *there).out)
    other = served.store.arrival(EVENT, "paid", made["id"])
    assert (other.data, other.by, made["is_new"]) == (b"null", "ada", True)
    assert fanwise("emit", "paid", "--lines", "order.json", *there) == (
        0,
        "1 events paid are recorded.\n",
        "",
    )


def test_a_workflow_of_the_servers_project_is_submitted(
    served: Served, fanwise: Fanwise, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parameters are read by their types there; a key makes one run."""
    monkeypatch.setenv("FANWISE_TOKEN", served.tokens["run"])
    monkeypatch.chdir(served.folder)
    (served.folder / "given.yaml").write_text("hosts: [x]\n")
    there = ("--server", served.origin)
    words = ("--params", "given.yaml", "--once", "k", "--tag", "us", "--queue", "slow")
    told = fanwise("submit", "checks", *words, "-p", 'hosts=["a", "b"]', *there)
    assert (told.status, told.err) == (0, "")
    run = served.store.run(told.out.strip())
    assert (run.parameters, run.tags, run.origin.by) == (b'{"hosts":["a","b"]}', ("us",), "run")
    assert served.store.submissions([run.run_no])[run.run_no].queue == "slow"
    again = fanwise("submit", "checks", *words, "-p", 'hosts=["a", "b"]', "--json", *there)
    assert json.loads(again.out) == {"run_id": run.id, "is_new": False, "skipped": None}
    other = fanwise("submit", "checks", *words, *there)
    assert (other.status, "key-reused" in other.err) == (2, True)
    for words, cause in (
        (("checks.yaml",), 'has no workflow "checks.yaml". Did you mean "checks"?'),
        (("checks", "-p", "hosts=x", "-p", "more=1"), 'the parameter "hosts" takes'),
        (("checks", "-p", "hosts"), "-p takes NAME=VALUE"),
        (("checks", "--packs", "."), "--packs is for"),
        (("checks", "--priority", "1000"), "priority"),
        (("checks", "--once", ""), "idempotency_key"),
    ):
        refused = fanwise("submit", *words, *there)
        assert (refused.status, refused.out) == (2, "")
        assert cause in refused.err


def test_an_engine_that_gives_a_run_back_is_told_with_its_reason(
    served: Served, fanwise: Fanwise, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line, with the status 2: nothing has happened to the run."""
    monkeypatch.setenv("FANWISE_TOKEN", served.tokens["run"])
    store = served.store
    engine_no = store.enroll(SystemProcesses().this())

    def decline() -> None:
        while True:
            for run_id, lease, _ in map(astuple, store.claim(engine_no, ["default"], 10)):
                if run_id == "each-1":
                    store.decline(lease.run_no, "its file has changed.")
                    store.release(lease.run_no, lease.token)
                    return
                store.put_back(lease.run_no, lease.token, "not this one", counts=False)
            store.await_change(0.1)

    with ThreadPoolExecutor() as threads:
        declining = threads.submit(decline)
        told = fanwise("retry", "each-1", "--server", served.origin)
        declining.result()
    store.leave(engine_no)
    assert (told.status, told.out) == (2, "")
    cause = "an engine has taken run each-1, and given it back: its file has changed."
    assert told.err.splitlines()[-1] == cause


def test_a_token_of_some_workflows_sees_no_run_of_others(
    served: Served, fanwise: Fanwise, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither in a list nor by its id, nor by how that begins."""
    some = new_token_text(served.store, "some", Role.RUN, workflows=("each",))
    monkeypatch.setenv("FANWISE_TOKEN", str(some))
    listed = fanwise("runs", "--json", "--server", served.origin).out.splitlines()
    assert [json.loads(line)["run_id"] for line in listed] == ["each-1"]
    for words in (
        "show checks-1",
        "show checks",
        "logs checks-1",
        "pause later-1",
        "export asks-1",
    ):
        told = fanwise(*words.split(), "--server", served.origin)
        assert (told.status, told.out) == (2, "")
        assert "the store has no run" in told.err
    assert fanwise("asks", "--json", "--server", served.origin).out == ""
    assert "the token sees some" in fanwise("engines", "--server", served.origin).err
    assert fanwise("triggers", "--server", served.origin) == (0, "No triggers.\n", "")


def test_a_server_is_named_before_the_command_behind_it_or_in_the_environment(
    served: Served, fanwise: Fanwise, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that the command names goes before it."""
    monkeypatch.setenv("FANWISE_TOKEN", served.tokens["read"])
    expected = fanwise("runs", "--json", "--server", served.origin)
    assert "checks-1" in expected.out
    assert fanwise("--server", served.origin, "runs", "--json") == expected
    monkeypatch.setenv("FANWISE_SERVER", served.origin)
    assert fanwise("runs", "--json") == expected
    told = fanwise("show", "nothing-1")
    assert (told.status, told.err.count("\n")) == (2, 1)
    assert f"`fanwise runs --server {served.origin}` lists" in told.err
    assert "can't be opened" not in fanwise("runs", "--store", "other.db").err
    assert fanwise("runs", "--store", "other.db").status == 2


def test_the_token_may_be_in_a_file(
    served: Served, fanwise: Fanwise, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that neither an argument nor the environment has it."""
    monkeypatch.delenv("FANWISE_TOKEN", raising=False)
    told = fanwise("runs", "--server", served.origin)
    assert (told.status, told.err.count("\n")) == (2, 1)
    assert "FANWISE_TOKEN" in told.err
    monkeypatch.setenv("FANWISE_TOKEN_FILE", str(folder / "token"))
    assert "can't be read" in fanwise("runs", "--server", served.origin).err
    (folder / "token").write_text(f"{served.tokens['read']}\n")
    assert fanwise("runs", "--server", served.origin).status == 0


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://", "isn't the address of a server"),
        ("http://ada:pw@127.0.0.1/", "isn't the address of a server"),
        ("http://127.0.0.1:99999", "isn't the address of a server"),
        ("http://fanwise.example.com", "would travel to fanwise.example.com without https"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(
    fanwise: Fanwise, monkeypatch: pytest.MonkeyPatch, url: str, told: str
) -> None:
    """Before anything is sent; a `0` allows nothing."""
    monkeypatch.setenv("FANWISE_INSECURE_HTTP", "0")
    monkeypatch.setenv("FANWISE_TOKEN", "t")
    answer = fanwise("runs", "--server", url)
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert told in answer.err


def test_what_a_server_refuses_is_one_line(
    served: Served, fanwise: Fanwise, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong token, address, prefix or scheme, a server that isn't there, another version."""
    monkeypatch.setenv("FANWISE_TOKEN", "wrong")
    assert_refused(fanwise("runs", "--server", served.origin), "The token isn't valid.")
    monkeypatch.setenv("FANWISE_TOKEN", served.tokens["read"])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nobody = f"http://127.0.0.1:{listener.getsockname()[1]}"
    assert_refused(fanwise("runs", "--server", nobody), "doesn't answer: ")
    assert_refused(
        fanwise("runs", "--server", f"{served.origin}/x"), "no API of fanwise at this path"
    )
    tls = served.origin.replace("http:", "https:")
    assert_refused(fanwise("runs", "--server", tls), "doesn't answer in TLS")
    for url in (served.host, "ftp://127.0.0.1", "fanwise"):
        assert_refused(fanwise("--server", url, "runs"), "names no server by its URL")
    monkeypatch.setattr("fanwise.client.backend.version", lambda name: "0.0.1")
    assert_refused(fanwise("runs", "--server", served.origin), "and the command line 0.0.1")


def assert_refused(told: Told, cause: str) -> None:
    assert (told.status, told.out, told.err.count("\n")) == (2, "", 1)
    assert cause in told.err
