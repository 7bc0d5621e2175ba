"""Retry policies and their delays (semantics, section 3). Random draws are arguments."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

JITTER: Final = 0.2


class Retry(Struct, frozen=True):
    """How often and how fast something is tried again; `max_retries` excludes the first try.

    `delays_ms`, when there are any, are the exact delays before the first retry, the second and so
    on, instead of the other three; the last one holds for all that follow.
    """

    max_retries: int = 3
    delay_ms: int = 1_000
    factor: float = 2.0
    max_delay_ms: int = 60_000
    delays_ms: tuple[int, ...] = ()


NO_RETRY: Final = Retry(max_retries=0)


def retry_delay_ms(
    policy: Retry, retry: int, draw: float, retry_after_ms: int | None = None
) -> int:
    """Delay before the given retry (1 = the first), never shorter than the policy says.

    Args:
        draw: a random number in [0, 1); adds up to 20 % so that retries spread out.
        retry_after_ms: what the failure itself asked for; replaces the policy's delay.
    """
    if retry_after_ms is not None:
        return max(0, retry_after_ms)
    if policy.delays_ms:
        return max(0, of_attempt(policy.delays_ms, retry))
    try:
        delay = policy.delay_ms * policy.factor ** (retry - 1)
    except OverflowError:
        delay = policy.max_delay_ms
    delay = max(0.0, min(policy.max_delay_ms, delay))  # in this order: NaN gives the maximum
    return int(delay * (1 + JITTER * draw))


def of_attempt(table: tuple[int, ...], number: int) -> int:
    """The entry for the given attempt or retry (1 = the first); the last one holds for the rest."""
    return table[min(max(number, 1), len(table)) - 1]
