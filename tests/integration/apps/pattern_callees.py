"""The services that the users' blocks on sagas and parallel execution call, each body witnessed.

What is to fail says so in its input.
"""

from typing import Any

from perdure import NonRetryableError, durable
from tests.integration.apps.witness import witness

inventory = durable.service("inventory")
payment = durable.service("payment")
orders = durable.service("orders")
report_generator = durable.service("report_generator")


def refuse(order: Any) -> None:
    """Fail for good if that is asked for."""
    if "fails" in order:
        raise NonRetryableError(f"{order['fails']} refused")


@inventory.handler
def reserve(items: list[dict[str, Any]]) -> dict[str, str]:
    """Reserves the items."""
    witness("reserve")
    refuse(items[0])
    return {"reservation_id": f"r-{items[0]['id']}"}


@inventory.handler
def release(request: dict[str, str]) -> None:
    """Gives the items back, unless they are stuck."""
    witness(f"release {request['reservation_id']}")
    if request["reservation_id"] == "r-stuck":
        raise NonRetryableError("the items are stuck")


@payment.handler
def charge(request: dict[str, Any]) -> dict[str, str]:
    """Takes the money."""
    witness("charge")
    refuse(request)
    return {"transaction_id": f"t-{request['amount']}"}


@payment.handler
def refund(request: dict[str, str]) -> None:
    """Gives the money back."""
    witness(f"refund {request['transaction_id']}")


@orders.handler
def create(order: dict[str, Any]) -> dict[str, str]:
    """Takes the order."""
    witness("create")
    refuse(order)
    return {"order_id": f"o-{order['name']}"}


@report_generator.handler
def combine(parts: dict[str, Any]) -> dict[str, Any]:
    """All analyses in one report."""
    witness("combine")
    return {"report": "; ".join(parts["analyses"]), "rows": parts["processed_count"]}


PATTERN_CALLEES = [inventory, payment, orders, report_generator]
