"""A worker that is the users' block on registering services, at the endpoint of the test."""

import ast
import asyncio
import os
import sys
from typing import Any

from perdure import durable
from tests.seeds.durable_objects import OrderProcessor
from tests.seeds.durable_primitives import data_pipeline, process_data
from tests.seeds.service_registration import BLOCK

ENDPOINT = "http://localhost:8080"


async def main() -> None:
    """Run the block, say that its worker works, and wait."""
    text = BLOCK.replace(ENDPOINT, os.environ["PERDURE_ENDPOINT"])
    code = compile(text, "block", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    names: dict[str, Any] = {
        "durable": durable,
        "process_data": process_data,
        "data_pipeline": data_pipeline,
        "OrderProcessor": OrderProcessor,
    }
    await eval(code, names)
    offered = [each["name"] for each in names["config"]["functions"] + names["config"]["flows"]]
    assert ["data_processor", "data_pipeline"] == offered
    (described,) = names["config"]["objects"]
    assert "OrderProcessor" == described["name"]
    assert ["add_item", "process_order"] == [each["name"] for each in described["methods"]]
    sys.stdout.write(f"registered at {os.environ['PERDURE_ENDPOINT']}\n")
    sys.stdout.flush()
    await names["worker"].wait()


if __name__ == "__main__":
    asyncio.run(main())
