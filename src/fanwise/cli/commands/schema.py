"""`fanwise schema`: prints the JSON Schema of workflows, for editors."""

from __future__ import annotations

from fanwise.cli.text.output import as_json, print_results


def schema() -> None:
    """Print the JSON Schema of workflow files.

    Editors complete and check workflows with it.
    """
    from fanwise.definition import workflow_json_schema

    print_results([as_json(workflow_json_schema(), pretty=True)])
