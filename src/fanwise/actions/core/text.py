"""Bytes from outside as text that fanwise can store."""

from fanwise.actions.core.encodings import charset


def decoded(data: bytes, encoding: str = "utf-8") -> str:
    """Return the text, with U+FFFD for bytes that aren't text in this encoding and for NUL.

    An encoding that isn't a charset is read as UTF-8.
    """
    return data.decode(charset(encoding) or "utf-8", "replace").replace("\0", "\ufffd")
