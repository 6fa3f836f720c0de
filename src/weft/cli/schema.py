"""`weft schema`: prints the JSON Schema of workflows, for editors."""

from __future__ import annotations

from weft.cli.output import as_json, print_results


def schema() -> None:
    """Print the JSON Schema of workflow files, with which editors complete and check them."""
    from weft.definition import workflow_json_schema

    print_results([as_json(workflow_json_schema(), pretty=True)])
