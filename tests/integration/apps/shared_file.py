"""One of several processes that open one file: it serves, and does what its standard input says.

    python -m tests.integration.apps.shared_file DATABASE

Says `open PID host=PID` when it is ready. Lines of its input: `start N` starts so many orders under
ids that all processes share, and waits for them; `host` says who hosts the file; `end` ends it.
Each answer is one line; `done` comes with the sum of all results.
"""

import asyncio
import os
import sys

import perdure
from perdure import DurableContext, durable
from tests.integration.apps.witness import witness

service = durable.service("shared", "1.0.0")


@durable.step
async def reserve(order: str) -> int:
    """An effect outside the engine."""
    witness("reserve")
    return len(order)


@durable.step
def charge(order: str, cents: int) -> int:
    """Another one, on a thread."""
    witness("charge")
    return cents


@durable.function
async def child(ctx: DurableContext, number: int) -> int:
    """Runs in any of the processes."""
    witness_of_child: int = await ctx.run("child", lambda: number + 1)
    return witness_of_child


@durable.flow
async def order(ctx: DurableContext, number: int) -> int:
    """Steps, a timer and a call: the journal has all kinds of entries."""
    await reserve(f"order-{number}")
    await ctx.sleep(0.01)
    added = await ctx.call(child, number)
    return await charge(f"order-{number}", added * 100)


service.add_function(order)
service.add_function(child)


def say(text: str) -> None:
    """One line of answer."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def main(database: str) -> None:
    """See the module."""
    async with perdure.embedded(database, services=[service]) as runtime:
        client = runtime.client

        async def one(number: int) -> int:
            handle = await client.start(order, number, id=f"order-{number}")
            return await handle.result()

        say(f"open {os.getpid()} host={(await client.health())['host']}")
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        while (line := (await reader.readline()).decode().split()) and line[0] != "end":
            if line[0] == "start":
                sums = await asyncio.gather(*(one(number) for number in range(int(line[1]))))
                say(f"done {sum(sums)}")
            else:
                say(f"host={(await client.health())['host']}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
