"""Methods that nobody has: what waits for one on a live, unchanged service fails (semantics, 5)."""

from __future__ import annotations

import time
from difflib import get_close_matches
from functools import partial

from perdure_coordinator.engine.shard import Shard
from perdure_coordinator.engine.workers import Workers
from perdure_runtime.core import requests
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.payload import Failure, FailureCode


def refuse_unknown_methods(shard: Shard, workers: Workers) -> None:
    """Fail what is queued for a method that its service never registered.

    A service without a live worker, or whose set of sessions changed within `lease_ms`, may still
    bring the method: restarts and rolling deploys fail nothing.
    """
    now_s, lease_s = time.monotonic(), shard.config.lease_ms / 1000
    for space, service, method in shard.dispatcher.methods():
        if (space, service, method) in workers.catalog.methods:
            continue
        changed_s = shard.sessions.changed_s.get((space, service))
        served = shard.sessions.serving(space, service)
        if not served or changed_s is None or now_s - changed_s < lease_s:
            continue
        failure = _no_method(workers, space, service, method)
        for key in shard.dispatcher.queued((space, service, method)):
            shard.submit(key, partial(_refuse, shard, failure))


def refuse_unserved(shard: Shard, workers: Workers) -> None:
    """Fail what is queued for a service or method that no connected worker offers.

    For users' tests, where nobody is about to come; a real coordinator waits (semantics, 5).
    """
    for space, service, method in shard.dispatcher.methods():
        if shard.sessions.offering(space, service, method):
            continue
        served = shard.sessions.serving(space, service)
        made = _no_method if served else _no_service
        failure = made(workers, space, service, method)
        for key in shard.dispatcher.queued((space, service, method)):
            shard.submit(key, partial(_refuse, shard, failure))


def _no_method(workers: Workers, space: str, service: str, method: str) -> Failure:
    known = sorted(m for n, s, m in workers.catalog.methods if (n, s) == (space, service))
    nearest = get_close_matches(method, known, 1)
    hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
    message = f"service {service!r} has no method {method!r} (known: {', '.join(known)}){hint}"
    return Failure("MethodNotFoundError", message, FailureCode.METHOD_NOT_FOUND, retryable=False)


def _no_service(workers: Workers, space: str, service: str, method: str) -> Failure:
    known = sorted({s for n, s, _ in workers.catalog.methods if n == space})
    nearest = get_close_matches(service, known, 1)
    hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
    message = f"no worker offers service {service!r} (known: {', '.join(known)}){hint}"
    return Failure("ServiceUnavailableError", message, FailureCode.UNAVAILABLE, retryable=False)


def _refuse(shard: Shard, failure: Failure, execution: Execution | None) -> None:
    if execution is None or execution.row.status is not Status.QUEUED:
        return
    shard.decided(execution, requests.refuse(execution, failure, shard.clock.now_ms()))
