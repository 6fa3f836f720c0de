"""What is told of TLS that failed."""

from __future__ import annotations


def tls_reason(error: BaseException | None) -> str:
    """Why, if the certificate was refused. The host's name is left out."""
    # After a comma OpenSSL names the host.
    reason: str = getattr(error, "verify_message", "").partition(",")[0]
    return f"the certificate is refused: {reason}" if reason else "TLS failed"
