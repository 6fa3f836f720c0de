"""Lets the tests in this folder read the documentation, and have mail servers."""

import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS / "docs"), str(TESTS / "actions")]
