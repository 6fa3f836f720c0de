"""For authors of workflows, actions and stores: a clock that jumps, stores for tests, contracts."""
