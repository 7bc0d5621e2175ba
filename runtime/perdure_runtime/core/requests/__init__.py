"""`decide`: what each request does to an execution. Pure: time, draws and epochs are arguments.

One small file per family of requests; the engine calls the functions by name. Every function takes
the execution's state as it is and returns a `Decision`; none changes the state.
"""

from __future__ import annotations

from perdure_runtime.core.requests.append import append
from perdure_runtime.core.requests.call import call_completed
from perdure_runtime.core.requests.control import cancel, pause, resume, retry
from perdure_runtime.core.requests.create import check_attach, create
from perdure_runtime.core.requests.dependency import dependency_ended
from perdure_runtime.core.requests.event import consumed_events, deliver_events, subscription
from perdure_runtime.core.requests.finish import finish, refuse
from perdure_runtime.core.requests.fork import fork
from perdure_runtime.core.requests.lease import adopt, grant, lease_lost, mismatch, release
from perdure_runtime.core.requests.promise import heartbeat, settle_promise
from perdure_runtime.core.requests.task import claim_task
from perdure_runtime.core.requests.task import release as release_task
from perdure_runtime.core.requests.task_operation import operate as operate_task
from perdure_runtime.core.requests.timer import timer_due

__all__ = [
    "adopt",
    "append",
    "call_completed",
    "cancel",
    "check_attach",
    "claim_task",
    "consumed_events",
    "create",
    "deliver_events",
    "dependency_ended",
    "finish",
    "fork",
    "grant",
    "heartbeat",
    "lease_lost",
    "mismatch",
    "operate_task",
    "pause",
    "refuse",
    "release",
    "release_task",
    "resume",
    "retry",
    "settle_promise",
    "subscription",
    "timer_due",
]
