"""The users of the demo: who wants news, and how each one's mailbox takes mail.

They follow from the number of messages and a seed alone, so that both servers know the same ones,
and the demo can compare what the workflow did with what is true. Of every thousand users who are
active and subscribed 4 have no address, 6 have a mailbox that is gone and 40 one that is busy at
first. For each thousand of them there are 250 more who are inactive or unsubscribed.
"""

from __future__ import annotations

from random import Random

import msgspec


class Person(msgspec.Struct, frozen=True):
    """A user. `busy_tries` is how many of the first mails the mailbox puts off."""

    id: int
    name: str
    email: str | None
    language: str
    active: bool = True
    subscribed: bool = True
    busy_tries: int = 0
    is_gone: bool = False


_GIVEN_NAMES = ("Ada", "Alan", "Barbara", "Edsger", "Frances", "Grace", "Jürgen", "Zoë")
_FAMILY_NAMES = ("Allen", "Dijkstra", "Hopper", "Liskov", "Lovelace", "Núñez", "Šimić", "Turing")
_LANGUAGES = ("en", "en", "de", "fr")

_UNINTERESTED = 0.25
_WITHOUT_ADDRESS = 0.004
_GONE = 0.006
_BUSY = 0.04


def make_people(messages: int, seed: int) -> tuple[Person, ...]:
    """So many users who are active and subscribed, and a quarter as many who aren't, mixed."""
    random = Random(seed)
    kinds: list[dict[str, object]] = [{"email": None}] * round(messages * _WITHOUT_ADDRESS)
    kinds += [{"is_gone": True}] * round(messages * _GONE)
    kinds += [{"busy_tries": random.randint(1, 2)} for _ in range(round(messages * _BUSY))]
    kinds += [{}] * (messages - len(kinds))
    uninterested = round(messages * _UNINTERESTED)
    kinds += [{"active": False}] * (uninterested // 2)
    kinds += [{"subscribed": False}] * (uninterested - uninterested // 2)
    random.shuffle(kinds)
    return tuple(_person(number, random, kind) for number, kind in enumerate(kinds, start=1))


def _person(number: int, random: Random, kind: dict[str, object]) -> Person:
    usual = Person(
        id=number,
        name=f"{random.choice(_GIVEN_NAMES)} {random.choice(_FAMILY_NAMES)}",
        email=f"user{number}@example.org",
        language=random.choice(_LANGUAGES),
    )
    return msgspec.structs.replace(usual, **kind)
