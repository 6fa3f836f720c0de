"""How the command line plays each demo.

A demo is a module here with a function `play(stage: Stage) -> Played`, which prepares real input,
runs the workflow on it, and measures what came of it. Its folder in `fanwise.demos` holds what
`--copy` takes: README.md, workflow.yaml, actions.py and prepare.py, which makes the input.
"""

from typing import Final

DEMOS: Final = {
    "monitor": 1_000,
    "logs": 10_000,
    "notify": 5_000,
}
"""The demos in the order in which they are played, each with its usual size."""
