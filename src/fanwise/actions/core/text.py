"""Bytes from outside as text that fanwise can store."""


def decoded(data: bytes, encoding: str = "utf-8") -> str:
    """The text, with U+FFFD for what isn't text in this encoding and for NUL.

    An encoding that Python doesn't know is read as UTF-8.
    """
    try:
        text = data.decode(encoding, "replace")
    except LookupError:
        text = data.decode("utf-8", "replace")
    return text.replace("\0", "\ufffd")
