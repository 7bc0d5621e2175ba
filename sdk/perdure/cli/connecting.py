"""Running the asynchronous part of a command with a client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from perdure.cli.failures import failures_shown
from perdure_runtime.core.errors import CoordinatorUnavailableError

if TYPE_CHECKING:
    from perdure.client.client import Client

DEFAULT_ENDPOINT = "http://localhost:8080"
ANSWER_SECONDS = 5.0


def with_client(
    work: Callable[[Client], Coroutine[Any, Any, int | None]],
    endpoint: str | None,
    namespace: str | None,
    token: str | None,
    *,
    interrupted: str = "interrupted",
) -> None:
    """Connect, run `work` and end with the exit code that it returns.

    A coordinator that does not answer at the beginning is reported soon; one that goes away later
    is waited for, as the client does.

    Args:
        interrupted: what Ctrl-C says.
    """

    async def connected() -> int | None:
        from perdure.client.connection import connect
        from perdure.settings import load_settings

        place = load_settings(endpoint=endpoint).endpoint or DEFAULT_ENDPOINT
        async with connect(place, namespace=namespace, token=token, ambient=False) as client:
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    await client.health()
            except TimeoutError:
                raise CoordinatorUnavailableError(
                    f"no coordinator answers at {place}; start one with `perdure server`, or name "
                    "another with --endpoint or PERDURE_ENDPOINT"
                ) from None
            return await work(client)

    with failures_shown(interrupted):
        code = asyncio.run(connected())
    if code:
        raise SystemExit(code)
