"""The users' blocks as services, and all that they call, in a registry of their own.

Every body that is called leaves a line in the witness file. Those that are to fail for a while
fail in their first calls, not in their first runs: a run that a crash repeats fails again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FunctionType
from typing import Any, Final

from perdure import DurableContext, RetryPolicy, ctx, durable
from perdure.registry import REGISTRY, isolated_registry
from perdure.service import Service
from tests.integration.apps.witness import WITNESS, seen, witness
from tests.seeds.circuit_breaker import circuit_breaker_service_call
from tests.seeds.custom_retry import resilient_api_integration
from tests.seeds.durable_objects import (
    OrderProcessor,
    ShippingProcessor,
    enhanced_workflow,
    order_management_workflow,
)
from tests.seeds.durable_primitives import (
    advanced_service_integration,
    data_pipeline,
    process_data,
    stateful_processing,
)
from tests.seeds.event_handling import event_driven_workflow
from tests.seeds.parallel import parallel_data_processing
from tests.seeds.performance import high_performance_pipeline
from tests.seeds.saga import saga_transaction
from tests.seeds.tasks import advanced_task_processing

with isolated_registry():  # other tests have services of these names
    from tests.integration.apps.callees import CALLEES
    from tests.integration.apps.pattern_callees import PATTERN_CALLEES


def call_number(name: str) -> int:
    """Which call of this body that is, from 1; a run that a crash repeats is of the same call."""
    witness(name)
    lines = seen(Path(os.environ[WITNESS]))
    calls = list(dict.fromkeys(line.execution for line in lines if line.name == name))
    return calls.index(ctx.execution_id) + 1


def check_availability(request: dict[str, Any]) -> dict[str, Any]:
    """There is everything but what is rare."""
    witness("check_availability")
    return {"available": not request["items"][0]["id"].startswith("rare")}


def charge(request: dict[str, Any]) -> dict[str, Any]:
    """Takes the money of an order; some have none, and the bank is away for some at first."""
    number = call_number(f"charge {request['order_id']} {request['amount']}")
    if request["order_id"].startswith("flaky") and number == 1:
        raise ConnectionError("the bank is away")
    return {"success": not request["order_id"].startswith("broke")}


def schedule(request: dict[str, Any]) -> dict[str, Any]:
    """Books the fulfilment."""
    witness("schedule")
    return {"id": f"f-{len(request['items'])}"}


async def execute_approved(request: dict[str, Any]) -> str:
    """Does what was approved."""
    witness(f"execute {request['workflow_id']}")
    return f"executed for {request['approval_data']['by']}"


async def process_by_api(data: dict[str, Any]) -> dict[str, Any]:
    """Fails with one problem after the other."""
    number = call_number("process by api")
    if number <= len(data["problems"]):
        raise ConnectionError(data["problems"][number - 1])
    return {"number": number}


async def process_fast(item: dict[str, Any]) -> int:
    """The performance block's work."""
    witness(f"fast {item['n']}")
    return 2 * int(item["n"])


def combine_batches(parts: dict[str, Any]) -> dict[str, int]:
    """One result of all batches."""
    witness("combine_batches")
    assert [*range(len(parts["batches"]))] == [each["batch_index"] for each in parts["batches"]]
    found = sum(sum(batch["items"]) for batch in parts["batches"])
    return {"sum": found, "items": parts["total_items"]}


async def process_complex(data: dict[str, Any]) -> dict[str, Any]:
    """What the task's inner function calls."""
    witness("process complex")
    return {"processed": data["n"]}


def work(data: dict[str, Any]) -> str:
    """Weak at first."""
    if call_number("work") <= data["failures"]:
        raise ConnectionError("weak")
    return "strong"


def get_profile(user: str) -> str:
    """One of three calls of a spawn."""
    witness("get_profile")
    return f"profile of {user}"


def get_orders(user: str) -> list[str]:
    """Another one."""
    witness("get_orders")
    return [user, user]


@durable.function(max_retries=3, retry_delay=2.0)
async def flaky_operation(ctx: DurableContext, data: dict[str, Any]) -> dict[str, Any]:
    """The state outlives the attempts."""
    attempt_count = await ctx.state.get("attempt_count", 0) + 1
    await ctx.state.set("attempt_count", attempt_count)
    if attempt_count < 3:
        raise ConnectionError(f"attempt {attempt_count} failed")
    return {"attempts": attempt_count, "data": data}


@durable.function(max_retries=0)
async def three_services(ctx: DurableContext, user: str) -> list[Any]:
    """A spawn of calls, and a wait with a timeout by position."""
    results = await ctx.spawn(
        [
            ("user_service", "get_profile", user),
            ("user_service", "get_orders", user),
            ("fast_processor", "process", {"n": 4}),
        ]
    )
    try:
        await ctx.wait_for_event(f"never-{user}", 5.0)
    except TimeoutError:
        results.append("nothing")
    return results


@durable.object
class ShoppingCart:
    """An object without the base class that saves in its methods."""

    def __init__(self, cart_id: str) -> None:
        self.cart_id = cart_id
        self.items: dict[str, int] = {}

    async def add_item(self, name: str, quantity: int = 1) -> dict[str, int]:
        """Some of an item."""
        self.items[name] = self.items.get(name, 0) + quantity
        await self.save()  # type: ignore[attr-defined] # given by the decorator
        return self.items


def _copy(name: str) -> FunctionType:
    """The circuit breaker under another name: one function has one definition."""
    plain = circuit_breaker_service_call.definition.function
    assert isinstance(plain, FunctionType)
    made = FunctionType(plain.__code__, plain.__globals__, name)
    made.__qualname__ = name
    return made


of_execution: Any = durable.function(retry=RetryPolicy(9, delay=60, factor=1))(
    _copy("of_execution")
)
of_function: Any = durable.function(max_retries=0, state_scope="function")(_copy("of_function"))

_HANDLERS: Final[dict[str, dict[str, Callable[..., Any]]]] = {
    "inventory_service": {"check_availability": check_availability},
    "payment_service": {"charge": charge},
    "fulfillment_service": {"schedule": schedule},
    "processor": {"execute_approved": execute_approved},
    "external_api": {"process": process_by_api},
    "fast_processor": {"process": process_fast},
    "aggregator": {"combine_batches": combine_batches},
    "complex_service": {"process": process_complex},
    "weak": {"work": work},
    "user_service": {"get_profile": get_profile, "get_orders": get_orders},
}
_FUNCTIONS: Final = (
    *(process_data, data_pipeline, advanced_service_integration, stateful_processing),
    *(parallel_data_processing, event_driven_workflow, order_management_workflow),
    *(resilient_api_integration, high_performance_pipeline, advanced_task_processing),
    *(enhanced_workflow, of_execution, of_function, saga_transaction),
    *(flaky_operation, three_services),
)


def _services() -> list[Service]:
    blocks = durable.service("blocks")
    for function in _FUNCTIONS:
        blocks.add_function(function)
    for cls in (OrderProcessor, ShippingProcessor, ShoppingCart):
        blocks.add_object(cls)
    for name, handlers in _HANDLERS.items():
        for method, handler in handlers.items():
            durable.service(name).handler(name=method)(handler)
    for callee in (*CALLEES, *PATTERN_CALLEES):
        for definition in callee.methods.values():
            durable.service(callee.name).add_definition(definition)
    return list(REGISTRY.services.values())


with isolated_registry():
    SERVICES: Final = _services()
    _HOME: Final = dict(vars(REGISTRY))


@contextmanager
def registered() -> Iterator[None]:
    """Have this application, and nothing else, in the registry."""
    with isolated_registry():
        vars(REGISTRY).update(_HOME)
        yield
