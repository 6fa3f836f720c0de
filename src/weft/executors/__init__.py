"""Where actions run."""
