"""Every way of driving a run records and masks what its actions print."""

import re

from source import PACKAGE


def test_runs_are_driven_in_one_place_and_captured_there():
    """No other module makes a run's driver; children are driven inside of their caller's run."""
    texts = {path: path.read_text() for path in PACKAGE.rglob("*.py")}
    driving = {str(path.relative_to(PACKAGE)): text for path, text in texts.items()}
    makers = {name for name, text in driving.items() if re.search(r"\bWorkflowDriver\(", text)}
    assert makers == {"engine/engine.py", "engine/children.py"}
    drive = driving["engine/engine.py"]
    assert len(re.findall(r"\bdriver\.drive\(", drive)) == 1
    assert re.search(r"with capturing\(\):\s+ended = await driver\.drive\(", drive)
