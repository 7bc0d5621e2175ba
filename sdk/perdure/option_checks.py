"""Checks of single option values, each with one message, and their units.

Every check raises `InvalidArgumentError` (a `ValueError`) that names the decorator or call, the
option and what is allowed. Which options there are is not known here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal, TypeGuard

from perdure_runtime.core.dependencies import Dependency, OnDependency
from perdure_runtime.core.errors import InvalidArgumentError
from perdure_runtime.core.limits import check_name

OnExhausted = Literal["fail", "pause"]
StateScope = Literal["execution", "function"]
Errors = tuple[type[BaseException], ...]

MAX_SECONDS: Final = 100 * 366 * 86_400.0  # a hundred years: what is longer is a slip of units
MAX_COUNT: Final = 1_000_000


def error_classes(where: str, name: str, value: object) -> Errors:
    """One exception class, or several, as a tuple."""
    classes = value if isinstance(value, (tuple, list, set, frozenset)) else (value,)
    for each in classes:
        if not (isinstance(each, type) and issubclass(each, BaseException)):
            raise InvalidArgumentError(f"{where}: {name} takes exception classes, not {each!r}")
    return tuple(classes)


def check_count(where: str, name: str, value: object, *, minimum: int) -> int:
    """Return `value` if it is an int of at least `minimum`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidArgumentError(f"{where}: {name} must be an int, not {value!r}")
    if not minimum <= value <= MAX_COUNT:
        raise InvalidArgumentError(f"{where}: {name} must be {minimum} to {MAX_COUNT}, not {value}")
    return value


def check_flag(where: str, name: str, value: object) -> bool:
    """Return `value` if it is True or False."""
    if not isinstance(value, bool):
        raise InvalidArgumentError(f"{where}: {name} must be True or False, not {value!r}")
    return value


def check_on_exhausted(where: str, value: object) -> OnExhausted:
    """Return `value` if it is "fail" or "pause"."""
    if value == "fail":
        return "fail"
    if value == "pause":
        return "pause"
    raise InvalidArgumentError(f"{where}: on_exhausted must be 'fail' or 'pause', not {value!r}")


def check_state_scope(where: str, value: object) -> StateScope:
    """Return `value` if it is "execution" or "function"."""
    if value == "execution":
        return "execution"
    if value == "function":
        return "function"
    raise InvalidArgumentError(
        f"{where}: state_scope must be 'execution' or 'function', not {value!r}"
    )


def check_factor(where: str, name: str, value: object) -> float:
    """Return `value` if it is a number of at least 1."""
    if not _is_number(value) or not 1 <= value <= MAX_COUNT:
        raise InvalidArgumentError(f"{where}: {name} must be 1 to {MAX_COUNT}, not {value!r}")
    return float(value)


def check_number(where: str, name: str, value: object) -> float:
    """Return `value` if it is a finite number."""
    if not _is_number(value) or not math.isfinite(value):
        raise InvalidArgumentError(f"{where}: {name} must be a number, not {value!r}")
    return float(value)


def check_seconds(where: str, name: str, value: object, *, zero: bool = False) -> float:
    """`value` as seconds: finite, positive (or `zero`), and less than a hundred years."""
    least = "0 or more" if zero else "more than 0"
    if not _is_number(value):
        raise InvalidArgumentError(f"{where}: {name} must be {least} seconds, not {value!r}")
    seconds = float(value)
    if not math.isfinite(seconds) or seconds < 0 or (seconds == 0 and not zero):
        raise InvalidArgumentError(f"{where}: {name} must be {least} seconds, not {value!r}")
    if seconds > MAX_SECONDS:
        raise InvalidArgumentError(f"{where}: {name} is {value!r} seconds; that is over 100 years")
    return seconds


def optional_milliseconds(where: str, name: str, value: object) -> int | None:
    """A timeout in milliseconds, at least 1; None stays None."""
    return None if value is None else max(1, milliseconds(check_seconds(where, name, value)))


def milliseconds(seconds: float) -> int:
    """Seconds as whole milliseconds, never less than asked for."""
    return math.ceil(round(seconds * 1000, 6))


def start_at_ms(when: object) -> int | None:
    """A point in time in milliseconds since the epoch; None stays None.

    Raises:
        InvalidArgumentError: a datetime without a time zone, or not a time at all.
    """
    if when is None:
        return None
    if isinstance(when, datetime):
        if when.tzinfo is None:
            raise InvalidArgumentError(
                f"options: start_at {when} has no time zone; use datetime.now(UTC) or .astimezone()"
            )
        return milliseconds(max(0.0, when.timestamp()))
    return milliseconds(check_seconds("options", "start_at", when, zero=True))


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def dependencies(ids: Sequence[str], on_failed: str, on_cancelled: str) -> tuple[Dependency, ...]:
    """Dependencies with their policies.

    Raises:
        InvalidArgumentError: there is no such policy.
    """
    if isinstance(ids, str):
        raise InvalidArgumentError(f"give a list of ids to wait for, not the text {ids!r}")
    if on_failed not in ("block", "fail", "ignore"):
        raise InvalidArgumentError(f'on failure it is "block", "fail" or "ignore": {on_failed!r}')
    if on_cancelled not in ("block", "cancel", "ignore"):
        raise InvalidArgumentError(
            f'on cancellation it is "block", "cancel" or "ignore": {on_cancelled!r}'
        )
    failed, cancelled = OnDependency(on_failed), OnDependency(on_cancelled)
    return tuple(Dependency(check_name("execution id", id), failed, cancelled) for id in ids)
