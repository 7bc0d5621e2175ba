"""The demo's job in one process: run it, kill it, run it again; it goes on where it stopped."""

from __future__ import annotations

import asyncio
import json
import sys

import perdure
from examples.demo.tree import files, measure_tree, reports


async def main(root: str, database: str) -> None:
    """Start the job, or attach to the one that an earlier run began."""
    async with perdure.embedded(database, services=[files, reports]) as runtime:
        handle = await runtime.client.start(measure_tree, root, id="demo")
        print(json.dumps(await handle.result(), default=vars))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
