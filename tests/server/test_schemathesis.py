"""Requests that follow from the document of the API, right and wrong ones, break no route."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

import fanwise
from fanwise.model import Role
from fanwise.server.openapi import document
from fanwise.server.table import TABLE
from fanwise.server.token_making import new_token_text
from tests.server.served import Served, serving

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
_EXAMPLES = 4
_STREAM = "GET /api/v1/events"
FLOW = """\
name: one
tasks:
  - name: a
    with-items: [0, 1]
    action: core.shell
    input: {command: [sh, -c, "exit {{ item }}"]}
"""


def operations() -> dict[str, Any]:
    """The operations of the document by their names, but for the stream, which has no end."""
    found = schemathesis.openapi.from_dict(document(TABLE, "0"))
    made = [each.ok() for each in found.get_all_operations()]
    return {each.label: each for each in made if each.label != _STREAM}


OPERATIONS = operations()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    (folder / "one.yaml").write_text(FLOW)
    store = str(folder / "runs.db")
    fanwise.run(str(folder / "one.yaml"), run_id="0", store=store)
    with serving(folder, store) as made:
        yield made


NAMES = {"run_id": "0", "task": "a", "index": "0", "name": "one", "workflow": "one"}


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.name.lower())
@pytest.mark.parametrize("label", OPERATIONS)
def test_every_answer_is_as_the_document_says(
    served: Served, label: str, mode: GenerationMode
) -> None:
    """By its status, its type and its form, and none is a fault of the server."""
    token = str(new_token_text(served.store, "tests", Role.ADMIN))  # it has its own rate
    operation = OPERATIONS[label]
    deletes = operation.method.lower() == "delete"
    session = requests.Session()
    session.trust_env = False

    @settings(
        max_examples=_EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case) -> None:
        if mode is GenerationMode.POSITIVE and not deletes:
            case.path_parameters |= {
                name: NAMES.get(name, value) for name, value in case.path_parameters.items()
            }
        headers = {"Authorization": f"Bearer {token}"}
        response = case.call(base_url=served.origin, session=session, headers=headers)
        case.validate_response(response, checks=CHECKS)

    with session:
        ask()
