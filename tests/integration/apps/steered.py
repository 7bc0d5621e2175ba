"""What the commands that steer executions are tried on."""

from __future__ import annotations

from perdure import DurableContext, durable

service = durable.service("steered", "1.0.0")


@durable.step
def first() -> str:
    return "first"


@durable.function
async def tells(ctx: DurableContext, upto: int) -> int:
    await first()
    for number in range(upto):
        ctx.emit({"number": number})
    return upto


@durable.function
async def sleeps(ctx: DurableContext) -> None:
    await ctx.sleep(3600)


service.add_function(tells)
service.add_function(sleeps)
