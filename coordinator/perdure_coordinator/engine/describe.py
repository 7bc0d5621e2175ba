"""What people see of executions, workers and methods."""

from __future__ import annotations

from difflib import get_close_matches

import msgspec

from perdure_coordinator.engine.shard import Shard
from perdure_coordinator.engine.workers import Workers
from perdure_runtime.core.client import Description, MethodInfo, WorkerInfo
from perdure_runtime.core.errors import DataLossError
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.lifecycle import Status, is_end
from perdure_runtime.core.rows import ExecutionRow, last_progress
from perdure_runtime.integrity import ADVICE


class Describer:
    """Reads, never changes."""

    def __init__(self, shard: Shard, workers: Workers) -> None:
        self._shard = shard
        self._workers = workers

    def execution(self, execution: Execution) -> Description:
        """An execution in memory."""
        session = self._shard.sessions.by_id.get(execution.session_id)
        return msgspec.structs.replace(
            self.row(execution.row),
            journal_length=execution.length,
            worker=session.worker_id if session else "",
            waiting_for=tuple(self._waiting_for(execution)),
        )

    def row(self, row: ExecutionRow) -> Description:
        """An execution as its row knows it, and whom it waits for in a lane."""
        waiting_for = self._shard.objects.waiting_for(row) if row.lane_order else ""
        return Description(
            id=row.key.id,
            namespace=row.key.namespace,
            target=row.target,
            kind=row.kind,
            status=row.status,
            run=row.run,
            attempt=row.attempt,
            priority=row.priority,
            created_ms=row.created_ms,
            started_ms=row.started_ms,
            ended_ms=row.ended_ms,
            version=row.build_id,
            error=f"{DataLossError.__name__}: {row.damage}" if row.damage else row.error,
            detail=ADVICE if row.damage else row.detail,
            progress=last_progress(row),
            parent_id=row.parent.key.id if row.parent else "",
            labels=row.labels,
            task=row.task,
            task_status=row.task_status,
            waiting_for=(waiting_for,)
            if waiting_for
            else tuple(f"execution {id}" for id in row.after),
        )

    def workers(self, namespace: str) -> list[WorkerInfo]:
        """The connected workers of a namespace."""
        return [
            WorkerInfo(
                s.worker_id,
                s.id,
                s.namespace,
                tuple(sorted(s.services)),
                s.slots,
                len(s.active),
                len(s.leases),
                s.build_id,
            )
            for s in self._shard.sessions.by_id.values()
            if s.namespace == namespace
        ]

    def methods(self, namespace: str) -> list[MethodInfo]:
        """Every method that was ever registered, with how many workers offer it now."""
        sessions = self._shard.sessions
        return [
            MethodInfo(
                service,
                method,
                spec.kind,
                spec.version,
                len(sessions.offering(namespace, service, method)),
                spec.input_schema,
                spec.output_schema,
            )
            for (space, service, method), spec in sorted(self._workers.catalog.methods.items())
            if space == namespace
        ]

    def _waiting_for(self, execution: Execution) -> list[str]:
        if execution.row.status is Status.QUEUED and execution.row.task is not None:
            return ["somebody who claims it"]
        if execution.row.status is Status.QUEUED:
            in_lane = self._shard.objects.waiting_for(execution.row)
            if in_lane:
                return [in_lane]
            return self._waiting_for_worker(execution.key, execution.row)
        if is_end(execution.row.status):
            return []
        calls = [f"call {call.target} ({call.child.id})" for call in execution.calls.values()]
        timers = [f"timer {path}" for path in execution.timers]
        waits = [f"event {wait.event_id!r}" for wait in execution.waits.values()]
        promises = [f"promise {promise.name!r}" for promise in execution.promises.values()]
        others = [f"execution {id}" for id in execution.dependencies]
        return (others + calls + waits + promises + timers)[:100]

    def _waiting_for_worker(self, key: ExecutionKey, row: ExecutionRow) -> list[str]:
        target = row.target
        sessions = self._shard.sessions
        if sessions.offering(key.namespace, target.service, target.method):
            for_place = self._shard.places.waiting_for(row)
            if for_place:
                return [for_place]
            return ["a free slot"]
        services = {s for n, s, _ in self._workers.catalog.methods if n == key.namespace}
        if sessions.serving(key.namespace, target.service):
            return [f"method {target.method} of service {target.service}"]
        known = ", ".join(sorted(services)) or "none"
        nearest = get_close_matches(target.service, services - {target.service}, 1)
        hint = f"; nearest: {nearest[0]}" if nearest else ""
        return [f"service {target.service}; known: {known}{hint}"]
