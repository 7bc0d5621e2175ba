"""Running the asynchronous part of a command with a client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from perdure.cli.failures import failures_shown

if TYPE_CHECKING:
    from perdure.client.client import Client

DEFAULT_ENDPOINT = "http://localhost:8080"
RETRY_SECONDS = 5.0


def with_client(
    work: Callable[[Client], Coroutine[Any, Any, int | None]],
    endpoint: str | None,
    namespace: str | None,
    token: str | None,
    *,
    interrupted: str = "interrupted",
) -> None:
    """Connect, run `work` and end with the exit code that it returns.

    Args:
        interrupted: what Ctrl-C says.
    """

    async def connected() -> int | None:
        from perdure.client.connection import connect
        from perdure.settings import load_settings

        place = load_settings(endpoint=endpoint).endpoint or DEFAULT_ENDPOINT
        async with connect(
            place, namespace=namespace, token=token, ambient=False, retry_s=RETRY_SECONDS
        ) as client:
            return await work(client)

    with failures_shown(interrupted):
        code = asyncio.run(connected())
    if code:
        raise SystemExit(code)
