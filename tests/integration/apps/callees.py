"""The services that the users' blocks call, each body witnessed.

`perdure worker tests.integration.apps.callees` serves them.
"""

from typing import Any

from perdure import durable
from tests.integration.apps.witness import witness

processing_service = durable.service("processing_service")
enrichment_service = durable.service("enrichment_service")
processor_service = durable.service("processor_service")
report_service = durable.service("report_service")
service_a = durable.service("service_a")
service_b = durable.service("service_b")
fallback_service = durable.service("fallback_service")
combiner_service = durable.service("combiner_service")
processor = durable.service("processor")


@processing_service.handler
async def transform(data: dict[str, Any]) -> list[int]:
    """The items, ten times as large."""
    witness("transform")
    return [10 * item for item in data["items"]]


@enrichment_service.handler
def enrich(items: list[int]) -> list[dict[str, int]]:
    """Each item with its square; a synchronous handler, so it runs in a thread."""
    witness("enrich")
    return [{"item": item, "square": item * item} for item in items]


@processor_service.handler
async def process(data: dict[str, Any]) -> dict[str, Any]:
    """A fetched source, processed."""
    witness(f"process {data['source']}")
    return {**data, "processed": True}


@report_service.handler
async def generate(request: dict[str, Any]) -> dict[str, Any]:
    """How many rows there were."""
    witness("generate")
    return {"rows": sum(each["rows"] for each in request["data"]), **request["metadata"]}


@service_a.handler
async def method1(data: dict[str, Any]) -> dict[str, Any]:
    """Always answers."""
    witness("method1")
    return {**data, "by": "a"}


@service_b.handler(name="method2")
async def failing_method2(data: dict[str, Any]) -> dict[str, Any]:
    """Never answers, so that the caller falls back."""
    witness("method2 of service_b")
    raise ConnectionError("service b is down")


@fallback_service.handler(name="method2")
async def fallback_method2(data: dict[str, Any]) -> dict[str, Any]:
    """What stands in for service b."""
    witness("method2 of fallback_service")
    return {**data, "by": "fallback"}


@combiner_service.handler
async def merge(parts: dict[str, Any]) -> dict[str, Any]:
    """Both results in one."""
    witness("merge")
    return {"merged": [parts["result1"]["by"], parts["result2"]["by"]]}


@processor.handler
async def process_item(item: dict[str, Any]) -> dict[str, Any]:
    """An item with its price doubled; a broken one is refused."""
    witness(f"process_item {item['id']}")
    if item.get("broken"):
        raise ValueError(f"item {item['id']} is broken")
    return {"id": item["id"], "price": 2 * item["price"]}


CALLEES = [
    processing_service,
    enrichment_service,
    processor_service,
    report_service,
    service_a,
    service_b,
    fallback_service,
    combiner_service,
    processor,
]
