"""The demos: folders of workflows with the means to run them on real input, for `fanwise demo`.

The folder of a demo holds what `--copy` takes (README.md, workflow.yaml, actions.py and prepare.py,
which makes the input) and a module `play` with a function `play(stage: DemoStage) -> Played`, which
prepares real input, runs the workflow on it, and measures the outcome.
"""

from typing import Final

DEMOS: Final = {
    "monitor": 1_000,
    "logs": 10_000,
    "notify": 5_000,
}
"""The demos in the order in which they are played, each with its usual size."""
