"""Two flows that write to each other: an event each way, and a promise that a step settles."""

from perdure import DurableContext, ctx, durable
from perdure.client.ambient import ambient_client
from tests.integration.apps.witness import witness

correspondence = durable.service("correspondence", "1.0.0")


def write(number: int) -> int:
    """What the answer says."""
    witness("write")
    return number + 1


async def confirm(token: str) -> bool:
    """Settles a promise of its own execution, from outside as it were."""
    witness("confirm")
    await (await ambient_client()).complete_promise(token, ctx.execution_id)
    return True


@durable.flow
async def answers(ctx: DurableContext, asker: str) -> None:
    """The partner."""
    number = await ctx.wait_for_event(f"question of {asker}")
    await ctx.send_event("answer", await ctx.run(write, number), execution=asker)


@durable.flow
async def asks(ctx: DurableContext, number: int) -> list[object]:
    """Asks by an event that may come before its partner waits; a second answer would be one too
    many."""
    partner = ctx.call(answers, ctx.execution_id, id=f"{ctx.execution_id}/partner")
    await ctx.send_event(f"question of {ctx.execution_id}", number)
    answer = await ctx.wait_for_event("answer")
    await partner
    promise = ctx.promise("confirmed")
    confirmed = await ctx.run(confirm, promise.token)
    same = await promise == ctx.execution_id
    try:
        return [answer, confirmed, same, await ctx.wait_for_event("answer", timeout=0)]
    except TimeoutError:
        return [answer, confirmed, same, "once"]


correspondence.add_function(answers)
correspondence.add_function(asks)
