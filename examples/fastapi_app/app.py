"""The web side: any number of these processes on one coordinator. They keep nothing themselves.

    PERDURE_ENDPOINT=http://localhost:8080 uvicorn examples.fastapi_app.app:app --port 8000

Or without a coordinator and without workers of its own, all processes on one file:

    PERDURE_DB=orders.db uvicorn examples.fastapi_app.app:app --port 8000 --workers 2

`POST /orders` answers 202 when the order is on the coordinator's disk. An answer that was lost, or
a 503, means "unknown": send the same order again, to any web process; it attaches to what exists.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

import perdure
from examples.fastapi_app.service import Order, Receipt, place_order, service
from perdure.errors import InvalidArgumentError, LimitExceededError, OverloadedError


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """One client for the life of the process: of PERDURE_ENDPOINT, else of the embedded runtime."""
    if os.environ.get("PERDURE_ENDPOINT"):
        async with perdure.connect() as client:
            app.state.durable = client
            yield
    else:
        async with perdure.embedded(services=[service]) as runtime:
            app.state.durable = runtime.client
            yield


def durable_client(request: Request) -> perdure.Client:
    """The process' client, for handlers that ask for it; tests may override it."""
    client: perdure.Client = request.app.state.durable
    return client


DurableClient = Annotated[perdure.Client, Depends(durable_client)]

app = FastAPI(title="Orders", lifespan=lifespan)


class OrderStatus(BaseModel):
    """Where an order is."""

    id: str
    status: str
    receipt: Receipt | None = None
    error: str = ""


@app.post("/orders", status_code=202)
async def post_order(order: Order, client: DurableClient) -> OrderStatus:
    """Accept an order. The same order again is the same execution; another one of its id is 409."""
    handle = await client.start(place_order, order, id=order.id)
    return await status_of(handle)


@app.get("/orders/{id}")
async def get_order(id: str, client: DurableClient) -> OrderStatus:
    """Where the order is now."""
    return await status_of(client.get(id))


@app.get("/orders/{id}/receipt")
async def get_receipt(id: str, client: DurableClient) -> Receipt:
    """Wait for the receipt; the coordinator pushes it."""
    return Receipt.model_validate(await client.get(id).result())


async def status_of(handle: perdure.ExecutionHandle[Receipt]) -> OrderStatus:
    """What the coordinator knows of an order, with its receipt when there is one."""
    info = await handle.describe()
    status = OrderStatus(id=info.id, status=info.status, error=info.error)
    if info.status == "completed":
        status.receipt = Receipt.model_validate(await handle.result())
    return status


# Perdure's errors as HTTP statuses, in one table. The client has repeated what it could before.
STATUS_CODES: dict[type[perdure.PerdureError], int] = {
    perdure.AlreadyExistsError: 409,
    perdure.NotFoundError: 404,
    InvalidArgumentError: 422,
    LimitExceededError: 413,
    OverloadedError: 503,
    perdure.CoordinatorUnavailableError: 503,
    perdure.ExecutionCancelledError: 409,
    perdure.ExecutionTimedOut: 409,
    perdure.ExecutionFailed: 409,
}


@app.exception_handler(perdure.PerdureError)
async def on_error(_: Request, error: Exception) -> JSONResponse:
    """Name and text of the error, under the status of its class."""
    code = next((STATUS_CODES[kind] for kind in type(error).__mro__ if kind in STATUS_CODES), 500)
    headers = {"Retry-After": "1"} if code == 503 else None
    return JSONResponse({"error": type(error).__name__, "message": str(error)}, code, headers)
