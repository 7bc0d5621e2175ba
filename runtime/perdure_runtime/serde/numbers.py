"""How numbers print in canonical JSON (proto/spec/payloads.md, "Numbers").

Integers print all their digits. Floats print as ECMAScript's Number::toString (and RFC 8785) prints
them, so that every language with a JSON library can make the same bytes.
"""

from __future__ import annotations

from decimal import Decimal
from math import isfinite
from typing import Final

_MAX_POSITIONAL: Final = 21
_MIN_POSITIONAL: Final = -6


def is_ordinary_float(value: float) -> bool:
    """Whether msgspec prints `value` canonically: finite, not integral, without an exponent."""
    return 1e-4 <= abs(value) < 1e16 and value % 1 != 0


def canonical_float(value: float) -> str:
    """The canonical text of a finite float: 1.0 -> "1", -0.0 -> "0", 1e21 -> "1e+21".

    Raises:
        ValueError: NaN or an infinity, which JSON cannot hold.
    """
    if not isfinite(value):
        raise ValueError(f"JSON has no {value!r}")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    shortest = Decimal(repr(abs(value)))
    digits = "".join(map(str, shortest.as_tuple().digits)).rstrip("0")
    point = shortest.adjusted() + 1
    if len(digits) <= point <= _MAX_POSITIONAL:
        return sign + digits + "0" * (point - len(digits))
    if 0 < point <= _MAX_POSITIONAL:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if _MIN_POSITIONAL < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    mantissa = digits if len(digits) == 1 else f"{digits[0]}.{digits[1:]}"
    return f"{sign}{mantissa}e{point - 1:+d}"
