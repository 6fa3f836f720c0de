"""The demo's fleet follows from its size and seed."""

from collections import Counter

import pytest

from fanwise.demos.monitor.fleet import Behaviour, Fault, make_fleet


def test_a_seed_gives_the_same_fleet_each_time() -> None:
    """What the demo claims can be compared with a fleet that is made again."""
    assert make_fleet(1000, 7) == make_fleet(1000, 7)
    assert make_fleet(1000, 7) != make_fleet(1000, 8)


@pytest.mark.parametrize("seed", [0, 7, 12345])
def test_the_shares_of_the_behaviours_hold_for_every_seed(seed: int) -> None:
    """The failing servers stay within what the demo's workflow tolerates."""
    counts = Counter(server.behaviour for server in make_fleet(1000, seed))

    assert counts == {
        Behaviour.HEALTHY: 890,
        Behaviour.SLOW: 40,
        Behaviour.FAILING: 30,
        Behaviour.RECOVERING: 40,
    }


def test_a_behaviour_shows_in_what_a_server_does() -> None:
    """Only failing servers have a fault, only recovering ones are busy at first."""
    for server in make_fleet(1000, 7):
        assert (server.fault is not None) == (server.behaviour is Behaviour.FAILING)
        assert (server.busy_calls in (1, 2)) == (server.behaviour is Behaviour.RECOVERING)
        assert (0.3 <= server.delay_s <= 1.5) == (server.behaviour is Behaviour.SLOW)


def test_every_fault_occurs() -> None:
    """A thousand servers show all the ways of failing."""
    assert {server.fault for server in make_fleet(1000, 7)} == {None, *Fault}


@pytest.mark.parametrize("size", [1, 2, 99, 1000, 1234])
def test_names_are_unique_and_tell_the_role(size: int) -> None:
    """A fleet of any size has that many servers, each with a name of its own."""
    fleet = make_fleet(size, 7)

    assert len({server.name for server in fleet}) == size
    assert all(server.name.startswith(f"{server.role}-") for server in fleet)


def test_an_all_healthy_fleet_answers_at_once() -> None:
    """Measuring the client needs servers that add nothing of their own."""
    fleet = make_fleet(1000, 7, all_healthy=True)

    assert {(server.behaviour, server.delay_s) for server in fleet} == {(Behaviour.HEALTHY, 0.0)}
