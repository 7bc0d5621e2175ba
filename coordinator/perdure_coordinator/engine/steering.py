"""What clients do to executions: cancel, retry, pause, resume, delete, fork; one, many, by filter.

A filter goes page by page, newest first: what is started meanwhile is newer than the first page and
is left alone. Every execution has its own result; one that cannot is no error of the whole.
"""

from __future__ import annotations

import asyncio
from typing import Final

from perdure_coordinator.engine.asking import Asking, checked_key, not_found
from perdure_coordinator.engine.deleting import erase, take_out
from perdure_coordinator.engine.listing import load_page, rows_of
from perdure_coordinator.engine.shard import Shard
from perdure_runtime.core import requests
from perdure_runtime.core.client import (
    ControlOperation,
    ControlReply,
    ControlRequest,
    ControlResult,
)
from perdure_runtime.core.effects import Decision
from perdure_runtime.core.entries import Forked, Recorded
from perdure_runtime.core.errors import (
    AlreadyExistsError,
    DataLossError,
    InvalidArgumentError,
    InvalidTransitionError,
    NotFoundError,
    PerdureError,
)
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.limits import (
    MAX_PATH_CHARS,
    MAX_REASON_CHARS,
    check_execution_id,
    check_name,
    check_payload_bytes,
)
from perdure_runtime.core.rows import ExecutionRow
from perdure_runtime.integrity import JournalCheck, data_loss
from perdure_runtime.storage import RequestRow
from perdure_runtime.wire.v1.entries import decode_entry

MAX_IDS: Final = 1_000


class Steering:
    """The engine's side of `Control`."""

    def __init__(self, shard: Shard, asking: Asking) -> None:
        self._shard = shard
        self._asking = asking

    async def control(self, request: ControlRequest) -> ControlReply:
        """Carry out one operation on each execution that the request names or selects.

        Raises:
            InvalidArgumentError: the request makes no sense, whatever the executions are.
        """
        _check(request)
        name = (request.namespace, request.request_id)

        async def carry_out() -> ControlReply:
            ids, cursor = request.ids, ""
            if request.filter is not None:
                page = await rows_of(self._shard, request.filter, MAX_IDS)
                ids, cursor = tuple(row.key.id for row in page.rows), page.next_cursor
            reply = ControlReply(await self._all(request, ids), cursor)
            self._asking.remember(name, reply)
            await self._shard.committer.flushed()
            return reply

        return await self._asking.once(name, ControlReply, carry_out)

    async def _all(
        self, request: ControlRequest, ids: tuple[str, ...]
    ) -> tuple[ControlResult, ...]:
        taken_out: dict[ExecutionKey, RequestRow | None] = {}
        try:
            results = await asyncio.gather(*(self._one(request, id, taken_out) for id in ids))
        finally:
            if taken_out:
                await erase(self._shard, taken_out)
        return tuple(results)

    async def _one(
        self, request: ControlRequest, id: str, taken_out: dict[ExecutionKey, RequestRow | None]
    ) -> ControlResult:
        try:
            key = checked_key(request.namespace, id)
            if request.operation is ControlOperation.FORK:
                return ControlResult(id, await self._fork(request, key))

            # With the change itself: a crash right after it, and the same request once more, must
            # neither change it twice nor say that it cannot be.
            name = (request.namespace, f"{request.request_id}\n{id}")
            deletes = request.operation is ControlOperation.DELETE

            def operate(execution: Execution | None) -> bool:
                if execution is None:
                    raise not_found(key)
                if not deletes:
                    return self._operate(execution, request)
                take_out(self._shard, execution)
                taken_out[key] = self._asking.answer(name, True)
                return True

            def in_quarantine(error: DataLossError) -> bool | DataLossError:
                if not deletes:
                    return error
                self._shard.quarantine.take_out(key)
                taken_out[key] = self._asking.answer(name, True)
                return True

            kept = None if deletes else name
            effect = await self._asking.once(
                name, bool, lambda: self._asking.ask(key, operate, kept, damaged=in_quarantine)
            )
            return ControlResult(id, effect)
        except (
            DataLossError,
            NotFoundError,
            InvalidTransitionError,
            InvalidArgumentError,
            AlreadyExistsError,
        ) as error:
            return ControlResult(id, False, type(error).__name__, str(error))

    def _operate(self, execution: Execution, request: ControlRequest) -> bool:
        now_ms = self._shard.clock.now_ms()
        decision: Decision
        match request.operation:
            case ControlOperation.CANCEL:
                grace_ms = request.grace_ms
                if grace_ms is None:
                    grace_ms = self._shard.config.cancel_grace_ms
                decision = requests.cancel(
                    execution, request.reason, now_ms, grace_ms, trace=request.trace
                )
            case ControlOperation.RETRY:
                decision = requests.retry(execution, request.input, now_ms)
            case ControlOperation.PAUSE:
                decision = requests.pause(execution, request.reason, now_ms)
            case ControlOperation.RESUME:
                decision = requests.resume(execution, now_ms)
            case _:
                raise InvalidArgumentError(f"unknown operation {request.operation!r}")
        self._shard.decided(execution, decision)
        return bool(decision.reply)

    # --- fork ----------------------------------------------------------------------------------

    async def _fork(self, request: ControlRequest, source: ExecutionKey) -> bool:
        shard = self._shard
        await shard.committer.flushed()
        row, journal, problem = await self._intact(source)
        key = ExecutionKey(source.namespace, request.new_id)

        def create(existing: Execution | None) -> bool:
            if existing is not None:
                return _is_this_fork(existing, source, request.at)
            try:
                now_ms, run = shard.clock.now_ms(), shard.loader.first_run(key)
                copy, entries, decision = requests.fork(row, journal, request.at, key, now_ms, run)
            except PerdureError as error:
                if not problem:
                    raise
                text = f"{problem}; its intact beginning has {len(journal)} entries: {error}"
                raise data_loss(source, text) from error
            shard.copy(copy, entries)
            shard.decided(copy, decision)
            return True

        made: bool = await self._asking.ask(key, create)
        return made

    async def _intact(self, source: ExecutionKey) -> tuple[ExecutionRow, list[Recorded], str]:
        """Row and journal, up to where it is damaged, and what is wrong there."""
        journal: list[Recorded] = []
        check = JournalCheck()
        while True:
            stored = await load_page(self._shard, source, check.index)
            if stored is None:
                raise not_found(source)
            entries = check.take(stored)
            journal += [Recorded(e.index, e.time_ms, decode_entry(e.data)) for e in entries]
            if check.problem or check.index >= stored.length:
                return stored.row, journal, check.problem


def _is_this_fork(existing: Execution, source: ExecutionKey, at: str) -> bool:
    """The same fork was asked for twice; any other owner of the id is an error."""
    forked = existing.created.forked if existing.created else None
    if isinstance(forked, Forked) and (forked.id, forked.path) == (source.id, at):
        return True
    raise AlreadyExistsError(
        f"execution {existing.key.id!r} exists and is not this fork; choose another new_id"
    )


def _check(request: ControlRequest) -> None:
    check_name("namespace", request.namespace)
    check_name("request id", request.request_id)
    if len(request.reason) > MAX_REASON_CHARS:
        raise InvalidArgumentError(f"the reason is longer than {MAX_REASON_CHARS} characters")
    if request.input is not None:
        check_payload_bytes("the new input", len(request.input.data))
    if len(request.ids) > MAX_IDS:
        raise InvalidArgumentError(
            f"{len(request.ids)} ids in one request; the limit is {MAX_IDS}: send several, or use "
            "a filter"
        )
    if bool(request.ids) == (request.filter is not None):
        raise InvalidArgumentError("give ids or a filter, one of them")
    if request.filter is not None and request.filter.namespace != request.namespace:
        raise InvalidArgumentError("the filter is for another namespace than the request")
    if request.operation is ControlOperation.FORK:
        _check_fork(request)


def _check_fork(request: ControlRequest) -> None:
    if len(request.ids) != 1:
        raise InvalidArgumentError("a fork has one source: give one id and no filter")
    check_execution_id(request.new_id)
    if not request.at or len(request.at) > MAX_PATH_CHARS:
        raise InvalidArgumentError("a fork needs `at`, the path of a command, for example 0:7")
