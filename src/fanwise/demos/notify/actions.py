"""The actions of the notification workflow; fanwise finds them beside it."""

from typing import Any

import fanwise

_SUBJECTS = {
    "en": "What is new this month",
    "de": "Was es diesen Monat Neues gibt: für Sie zusammengefasst",
    "fr": "Les nouveautés du mois",
}
_TEXTS = {
    "en": "Dear {name},\n\nhere is what is new this month.\n\nYours\nThe fanwise people\n",
    "de": "Guten Tag {name},\n\nhier steht, was es Neues gibt.\n\nIhre\nLeute von fanwise\n",
    "fr": "Bonjour {name},\n\nvoici les nouveautés du mois.\n\nL'équipe de fanwise\n",
}


@fanwise.action("notify.prepare_messages")
def prepare_messages(users: list[Any]) -> list[dict[str, Any]]:
    """Write a message to each user, in the user's language; English where there is none in it.

    A user is `{"id", "name", "email", "language"}`, and may lack the last two. Gives
    `{"user", "to", "subject", "text"}` for each, where `to` is null for one without an address.
    """
    return [_message(user) for user in users]


def _message(user: dict[str, Any]) -> dict[str, Any]:
    language = user.get("language")
    if language not in _TEXTS:
        language = "en"
    return {
        "user": user["id"],
        "to": user.get("email"),
        "subject": _SUBJECTS[language],
        "text": _TEXTS[language].format(name=user["name"]),
    }
