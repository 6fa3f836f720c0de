"""Descriptions of TLS that failed."""

from __future__ import annotations


def tls_reason(error: BaseException | None) -> str:
    """Describe the failure, with the reason of a refused certificate, and without the host."""
    # After a comma OpenSSL names the host.
    reason: str = getattr(error, "verify_message", "").partition(",")[0]
    return f"the certificate is refused: {reason}" if reason else "TLS failed"
