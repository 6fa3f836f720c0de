"""Lets the tests in this folder draw templates as those of expressions do."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "expressions"))
