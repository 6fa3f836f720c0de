"""Sizes, spans of time and ratios with units, for people. Sizes are in bytes, times in seconds."""

from __future__ import annotations


def show_bytes(size: float) -> str:
    """Return a size with three digits; its units are powers of 1,000."""
    return _scaled(size, ["B", "KB", "MB", "GB", "TB"])


def show_seconds(span: float) -> str:
    """Return a measured span of time with three digits."""
    return _scaled(span * 1e9, ["ns", "µs", "ms", "s"])


def show_span(span_s: float | None) -> str:
    """Return a span of time in the unit that suits it, up to hours; an empty text for None."""
    if span_s is None:
        return ""
    if span_s < 0.9995:
        return f"{span_s * 1000:.0f} ms"
    if span_s < 59.995:
        return f"{span_s:.2f} s"
    minutes, seconds = divmod(round(span_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {seconds:02} s"


def show_ratio(ratio: float) -> str:
    """Return a ratio with three digits, or as a whole number."""
    return f"{_digits(ratio)}x"


def _scaled(value: float, units: list[str]) -> str:
    *smaller, largest = units
    for unit in smaller:
        if abs(value) < 999.5:  # Above it would be shown as 1,000.
            return f"{_digits(value)} {unit}"
        value /= 1000
    return f"{_digits(value)} {largest}"


def _digits(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 99.95 else f"{value:.3g}"
