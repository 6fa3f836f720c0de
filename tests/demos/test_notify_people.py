"""The users of the notification demo."""

import pytest

from fanwise.demos.notify.people import make_people


def test_users_follow_from_their_number_and_the_seed() -> None:
    """Both servers know the same ones; another seed gives others."""
    assert make_people(300, 7) == make_people(300, 7) != make_people(300, 8)


@pytest.mark.parametrize("messages", [1, 84, 126, 1_000, 5_000])
def test_so_many_users_want_news(messages: int) -> None:
    """And fewer of them than the workflow tolerates can't get any."""
    people = make_people(messages, 7)
    interested = [person for person in people if person.active and person.subscribed]
    assert len(interested) == messages
    assert len(people) == messages + round(messages / 4)
    assert len({person.id for person in people}) == len(people)
    unreachable = sum(person.email is None or person.is_gone for person in interested)
    assert unreachable <= messages * 2 // 100


def test_users_are_of_every_kind() -> None:
    """What the demo is to show, it has to show."""
    people = make_people(1_000, 7)
    assert sum(person.email is None for person in people) == 4
    assert sum(person.is_gone for person in people) == 6
    assert {person.busy_tries for person in people} == {0, 1, 2}
    assert not all(person.active for person in people)
    assert not all(person.subscribed for person in people)
    assert {person.language for person in people} == {"en", "de", "fr"}
