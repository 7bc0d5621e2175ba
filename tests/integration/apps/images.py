"""What the page on actions leaves open: what processes an image, and what makes a record."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from perdure import actions
from perdure.actions import ActionContext

PROCESSED: list[str] = []


async def process_image(image: str) -> None:
    """Note it, in this process and in the witness file."""
    PROCESSED.append(image)
    witness = os.environ.get("PERDURE_TEST_WITNESS")
    if witness:
        with Path(witness).open("a", encoding="utf-8") as file:
            file.write(f"{image}\n")
            file.flush()
            os.fsync(file.fileno())
    await asyncio.sleep(0)


async def make_record(kind: str, number: int, data: Mapping[str, Any]) -> dict[str, Any]:
    """A record of the seed's type."""
    return {"title": f"{kind} {number} on {data['topic']}"}


@actions.define("images one by one")
async def one_by_one(images: Any, context: ActionContext) -> int:
    """Each image once; waits to be killed where the environment says so."""
    async for image in context.each(images):
        if image == os.environ.get("PERDURE_TEST_HANG_AT"):
            await asyncio.get_running_loop().create_future()
        await process_image(image)
    return len(images)
