"""A visit's call as data: what it holds, and that another process makes the same attempts of it."""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys
from pathlib import Path

import far_side
import msgspec
import pytest
from far_side import Around

from fanwise.context import WorkflowContext
from fanwise.engine.attempt import VisitCall, restore_call
from fanwise.engine.pages import PagedOutput
from fanwise.engine.visit import Visit
from fanwise.errors import AttemptError, TemplateError
from fanwise.model import Limits, Status, TaskResult
from fanwise.plan import Plan
from fanwise.ports import CallSpec, PortableCall
from fanwise.trace_ids import traceparent
from fanwise.values import decode, encode
from fanwise.wiring import load_plan, read_settings

ACTIONS = '''
import dataclasses
from pathlib import Path

import fanwise
import helpers

@dataclasses.dataclass
class Server:
    name: str
    port: int = 80

@fanwise.action("pack.describe")
async def describe(context: fanwise.ActionContext, name: str, base: str, server: Server, path: Path,
                   token: str = "", tags: list[str] = [], note: object = None) -> object:
    """Gives back what it was given."""
    server.port += 1
    return {"name": name, "base": base, "server": dataclasses.asdict(server), "path": str(path),
            "token": helpers.length(token), "tags": tags, "note": note, "folder": context.folder,
            "key": context.idempotency_key, "deadline": context.deadline, "task": context.task,
            "trace": context.traceparent}

@fanwise.action("pack.block")
def block(value: object) -> object:
    return helpers.length(value)
'''
HELPERS = "def length(value):\n    return len(value)\n"
INPUT = """{
      name: "{{ item.name }}-{{ index }}",
      base: "{{ vars.base }}/{{ run.id }}",
      server: {name: "{{ parameters.servers[0] }}"},
      path: "{{ parameters.file }}",
      token: "{{ secrets.TOKEN }}",
      tags: ["{{ task.fetch.output.tag }}", "{{ item.name }}"],
      note: "{{ item.note.deep }}"
    }"""
SECRET = "CANARY-7"


def planned(folder: Path, text: str) -> Plan:
    """The plan of a workflow with the pack beside it."""
    (folder / "packs" / "pack").mkdir(parents=True, exist_ok=True)
    (folder / "packs" / "pack" / "actions.py").write_text(ACTIONS)
    (folder / "packs" / "pack" / "helpers.py").write_text(HELPERS)
    (folder / "flow.yaml").write_text(text)
    return load_plan(folder / "flow.yaml", read_settings(environment={}))


def call_of(folder: Path, given_input: str = INPUT, action: str = "pack.describe") -> VisitCall:
    """The call of a visit in a context with a bit of everything, without a run around it."""
    plan = planned(
        folder,
        f"""
parameters: {{file: {{type: string, default: a.txt}}, servers: {{default: []}}, hidden: {{}}}}
vars: {{base: x, derived: y}}
tasks:
  - {{name: fetch, action: core.noop}}
  - {{name: fan, action: core.noop, with-items: [1]}}
  - name: work
    action: {action}
    with-items: "{{{{ parameters.servers }}}}"
    timeout: 30s
    input: {given_input}
""",
    )
    context = WorkflowContext(
        {"file": "a.txt", "servers": ["web-1", "LISTED"], "hidden": SECRET},
        {"base": "https://x", "derived": f"Bearer {SECRET}", "unnamed": "UNNAMED"},
        run={"id": "run-1"},
        secrets={"TOKEN": SECRET},
    )
    context = context.with_result("fetch", {"tag": "t", "body": "UNNAMED"})
    paged = PagedOutput(Pages(), 1, 1, 3)
    context = context.with_result("fan", TaskResult(Status.SUCCEEDED, output=paged))
    surroundings = Around(
        limits=Limits(result_bytes=2_000),
        secrets=(SECRET,),
        workflow_folder=str(folder),
        caller_folder="/caller",
        given=frozenset({"file"}),
        traceparent=f"00-{7:032x}-{9:016x}-01",
    )
    task = next(task for task in plan.tasks if task.name == "work")
    visit = Visit("run-1", 5, 7, "work", 2)
    return VisitCall(task.spec, task.inputs, visit, context, surroundings, timeout_s=30.0)


class Pages:
    """Pages of a task with three items."""

    def outputs(self, run_no, visit_no, start, stop, *, limit_bytes):
        return [(index, encode(f"page-{index}")) for index in range(start, stop)]


def far_results(folder: Path, call: VisitCall, items: list[object]) -> list[object]:
    """What a new process makes of a call of which it has nothing but bytes."""
    (folder / "call.json").write_bytes(msgspec.json.encode(call.portable()))
    (folder / "secrets.json").write_bytes(call.secret_values())
    (folder / "items.json").write_bytes(encode(items))
    done = subprocess.run(
        [sys.executable, far_side.__file__, str(folder)], capture_output=True, check=True
    )
    return msgspec.json.decode(done.stdout)


def near_results(call: VisitCall, items: list[object]) -> list[object]:
    return asyncio.run(far_side.attempts(call, decode(encode(items))))


def near_copy(call: VisitCall) -> VisitCall:
    """The call as it comes back from its data, in this process."""
    portable = call.portable()
    secrets = call.secret_values()
    return restore_call(portable, secrets, call.action, far_side.around(portable.spec))


def test_another_process_makes_the_same_attempts(tmp_path: Path) -> None:
    """It renders, checks, calls and encodes as this one, down to the words of its errors."""
    call = call_of(tmp_path)
    items = [
        {"name": "a", "note": {"deep": [1, None, 2.5]}},
        {"name": "b", "note": {"shallow": 1}},
        {"name": 7, "note": {"deep": 1}},
        {"name": "c", "note": {"deep": "x" * 3_000}},
        {"nam": "c"},
    ]
    far = far_results(tmp_path, call, items)
    assert far == near_results(call, items)
    first, *failed = far
    assert first == {
        "name": "a-0",
        "base": "https://x/run-1",
        "server": {"name": "web-1", "port": 81},
        "path": "/caller/a.txt",
        "token": len(SECRET),
        "tags": ["t", "a"],
        "note": [1, None, 2.5],
        "folder": str(tmp_path),
        "key": "run-1/work[0]/2",
        "deadline": 1_030.0,
        "task": "work",
        "trace": traceparent("run-1", "run-1/work/2", parent=call.around.traceparent),
    }
    assert [text.partition(":")[0] for text in failed] == [
        "TemplateError",
        "InputError",
        "LimitError",
        "TemplateError",
    ]
    assert "flow.yaml:" in failed[0]


def test_an_action_in_a_thread_is_called_there_too(tmp_path: Path) -> None:
    """A `def` of a folder that imports the file beside it."""
    call = call_of(tmp_path, '{value: "{{ item }}"}', action="pack.block")
    assert far_results(tmp_path, call, [[1, 2], "abc"]) == [2, 3]


def test_a_path_in_the_workflow_starts_at_its_folder_everywhere(tmp_path: Path) -> None:
    """And one of a given parameter at the caller's, also if it is rendered by the worker."""
    text = INPUT.replace('"{{ parameters.file }}"', '"logs/{{ index }}.txt"')
    item = {"name": "a", "note": {"deep": 1}}
    (result,) = near_results(near_copy(call_of(tmp_path, text)), [item])
    assert result["path"] == f"{tmp_path}/logs/0.txt"


def test_what_travels_holds_no_secret_and_nothing_that_is_not_named(tmp_path: Path) -> None:
    """Neither the list of the items nor what was made of a secret, in whatever form it travels."""
    text = INPUT.replace(
        '"{{ item.note.deep }}"', '["{{ vars.derived }}", "{{ parameters.hidden }}"]'
    )
    call = call_of(tmp_path, text)
    portable = call.portable()
    assert portable.spec.secrets == (
        ("parameters", "hidden"),
        ("secrets", "TOKEN"),
        ("vars", "derived"),
    )
    for data in (msgspec.json.encode(portable), msgspec.msgpack.encode(portable)):
        for hidden in (SECRET, "UNNAMED", "LISTED"):
            assert hidden.encode() not in data
    for part in (portable.snapshot, *(each.raw for each in portable.spec.shared)):
        for hidden in (SECRET, "UNNAMED", "LISTED"):
            assert hidden.encode() not in part
    assert SECRET.encode() not in pickle.dumps(portable)
    items = [{"name": "a"}]
    copied = near_results(near_copy(call), items)
    assert copied[0]["note"] == [f"Bearer {SECRET}", SECRET]  # masked where it is recorded
    assert near_results(call, items)[0]["note"] == ["Bearer ***", "***"]


def test_a_shared_input_is_rendered_once_and_one_that_names_a_secret_where_it_is_used(
    tmp_path: Path,
) -> None:
    """A rendered one would hold the secret, in whatever form its template gives it."""
    text = INPUT.replace("{{ secrets.TOKEN }}", "{{ secrets.TOKEN | reverse }}")
    spec = call_of(tmp_path, text).portable().spec
    assert [each.name for each in spec.shared] == ["base", "server", "path"]
    assert [each.name for each in spec.inputs] == ["name", "token", "tags", "note"]
    assert [each.raw for each in spec.shared] == [
        b'"https://x/run-1"',
        b'{"name":"web-1"}',
        b'"/caller/a.txt"',
    ]


def test_a_call_survives_pickling_json_and_msgpack(tmp_path: Path) -> None:
    """And the parts that name things are equal for equal visits."""
    call = call_of(tmp_path)
    portable = call.portable()
    assert pickle.loads(pickle.dumps(portable)) == portable
    for coder in (msgspec.json, msgspec.msgpack):
        assert coder.decode(coder.encode(portable), type=PortableCall) == portable
        assert coder.decode(coder.encode(portable.spec), type=CallSpec) == portable.spec
    assert call_of(tmp_path).portable().spec.snapshot == portable.spec.snapshot


def test_pages_are_read_here_for_all_items_and_refused_for_each(tmp_path: Path) -> None:
    """A shared input may name the output of a task with items; an item's own may not."""
    shared = INPUT.replace('"{{ vars.base }}/{{ run.id }}"', '"{{ task.fan.output | join }}"')
    item = {"name": "a", "note": {"deep": 1}}
    (result,) = near_results(near_copy(call_of(tmp_path, shared)), [item])
    assert result["base"] == "page-0page-1page-2"
    own = INPUT.replace("{{ item.note.deep }}", "{{ task.fan.output[index] }}")
    with pytest.raises(TemplateError, match="Zip it"):
        call_of(tmp_path, own).portable()


def test_a_workflow_and_a_function_stay_in_their_process(tmp_path: Path, loom) -> None:
    """No reference finds them anywhere else."""
    import fanwise

    @fanwise.action("test.given")
    async def given(value: object = None) -> None: ...

    (tmp_path / "child.yaml").write_text("tasks: [{name: a, action: core.noop}]")
    plans = {
        "a function of this process": loom.plan("tasks: [{name: a, action: test.given}]", given),
        "a workflow": planned(tmp_path, "tasks: [{name: a, action: ./child.yaml}]"),
    }
    for kind, plan in plans.items():
        task, visit = plan.tasks[0], Visit("run-1", 1, 1, "a", 1)
        call = VisitCall(task.spec, task.inputs, visit, WorkflowContext(), Around(), timeout_s=None)
        with pytest.raises(AttemptError, match=f"is {kind}, which no other process can call"):
            call.portable()


def test_what_is_printed_is_heard_without_a_run(tmp_path: Path) -> None:
    """A call hands its logs to whoever it was made for."""
    call = call_of(tmp_path)

    async def print_in_an_attempt() -> None:
        with call.open_log() as log:
            log.ticket = far_side.Ticket(call.context.for_item(1, 3), 3, 1)
            log.write("hello")
            log.keep(log.ticket)

    asyncio.run(print_in_an_attempt())
    assert call.around.logs == [(3, "work[3]", "hello")]
