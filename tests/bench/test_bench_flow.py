"""The benchmarks of children and of graphs run what they say, at a small size."""

from benchmarks import children, graph


def test_children_are_measured_in_processes_of_their_own() -> None:
    """Throughput is promised for many, and that memory doesn't grow with them."""
    figures = children.compare(rounds=1, sizes=(10, 200))

    assert [each.items for each in figures] == [10, 200]
    assert all(each.rate > 0 and each.peak_memory_bytes > 0 for each in figures)
    assert [budget.unit for budget in children.budgets(figures)] == ["number", "bytes"]


def test_each_shape_of_graph_is_checked_run_and_decided_upon() -> None:
    """Three shapes of the size asked for."""
    figures = graph.compare(rounds=1, scale=5)

    assert [each.tasks for each in figures] == [25, 25, 13]
    assert all(each.check_s > 0 and each.rate > 0 and each.decision_s > 0 for each in figures)
    assert len(graph.budgets(figures)) == 9
