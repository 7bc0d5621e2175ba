"""What stands for the outside world: a file to which each effect appends a line, synced.

`ORDERS_LEDGER` names it. The engine knows nothing of it, so tests count effects with it.
"""

from __future__ import annotations

import os

from perdure import ctx


def record(effect: str, order_id: str) -> str:
    """Have an effect outside; returns the idempotency key it was done under."""
    key = ctx.idempotency_key
    if path := os.environ.get("ORDERS_LEDGER"):
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, f"{effect} {order_id} {key}\n".encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    return key
