"""From what is recorded of a run back to a run: its events, its starting point, its rerun."""
