"""One of the users' blocks in one process: run it, kill it, run it again; it goes on.

Ends with code 0 only if result, state and every journal are what they must be.
"""

import asyncio
import os
import sys

import perdure
from tests.integration.blocks import BLOCKS, PATTERNS, check_execution


async def main(name: str, database: str) -> None:
    """Run the block of this name in this database to its end, and check it."""
    block = next(block for block in (*BLOCKS, *PATTERNS) if block.name == name)
    if block in PATTERNS:
        from tests.integration.apps.patterns import SERVICES
    else:
        from tests.integration.apps.primitives import SERVICES
    max_cached = int(os.environ.get("PERDURE_TEST_MAX_CACHED", "1000"))
    async with perdure.embedded(database, services=SERVICES, max_cached=max_cached) as runtime:
        handle = await block.start(runtime.client, name)
        await check_execution(block, runtime.client, handle)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
