"""Addresses of pages, as links have them."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote, urlencode


class Addresses(NamedTuple):
    """Makes addresses of pages under a `base`: `address('runs', run.id, within='check[17]')`."""

    base: str

    def __call__(self, *parts: object, **query: object) -> str:
        """Return the address of these parts; what is None or empty in the query is left out."""
        path = self.base + "/".join(quote(str(part), safe="") for part in parts)
        given = {key: value for key, value in query.items() if value not in (None, "")}
        return f"{path}?{urlencode(given, quote_via=quote)}" if given else path
