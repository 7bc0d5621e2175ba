"""What clients ask: start, wait, describe, list, history, control; answers wait for commits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from functools import partial
from typing import Final

from perdure_coordinator.engine.asking import Asking, checked_key, not_found
from perdure_coordinator.engine.checks import (
    MAX_PRIORITY,
    check_dependencies,
    check_send_event,
    check_settle,
    check_task_options,
)
from perdure_coordinator.engine.describe import Describer
from perdure_coordinator.engine.listing import load_page, rows_of
from perdure_coordinator.engine.shard import Shard
from perdure_coordinator.engine.spans import root_trace
from perdure_coordinator.engine.steering import Steering
from perdure_runtime.core import requests
from perdure_runtime.core.client import (
    ControlReply,
    ControlRequest,
    Description,
    IdPolicy,
    ListReply,
    ListRequest,
    Outcome,
    SendEventReply,
    SendEventRequest,
    SettlePromiseReply,
    SettlePromiseRequest,
    StartReply,
    StartRequest,
)
from perdure_runtime.core.entries import Recorded, ValueEmitted
from perdure_runtime.core.errors import (
    DataLossError,
    InvalidArgumentError,
    NotFoundError,
    OverloadedError,
    PerdureError,
    ReentrancyError,
)
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.ids import ExecutionKey, ObjectKey
from perdure_runtime.core.lifecycle import is_end
from perdure_runtime.core.limits import (
    MAX_NAME_CHARS,
    check_execution_id,
    check_labels,
    check_name,
    check_payload_bytes,
    check_text,
)
from perdure_runtime.core.lookup import HIDDEN, apply_write
from perdure_runtime.core.payload import NULL, Payload
from perdure_runtime.core.requests.wake import outcome_of
from perdure_runtime.core.trace import check_trace
from perdure_runtime.integrity import JournalCheck, data_loss, object_loss
from perdure_runtime.storage import EventName
from perdure_runtime.wire.v1.entries import decode_entry

MAX_PAGE: Final = 1_000
MAX_HELD: Final = 1_000


class Clients:
    """The engine's side of every client call."""

    def __init__(self, shard: Shard, describer: Describer) -> None:
        self._shard = shard
        self._describer = describer
        self._asking = asking = Asking(shard)
        self._ask, self._once = asking.ask, asking.once
        self._key = checked_key
        self._steering = Steering(shard, asking)
        self._starting_bytes = 0  # inputs of starts that are not answered

    async def start(self, request: StartRequest) -> StartReply:
        """Start an execution or attach to it.

        Raises:
            InvalidArgumentError, AlreadyExistsError, OverloadedError
        """
        self._check_start(request)
        size_bytes = len(request.input.data)
        self._starting_bytes += size_bytes
        try:
            return await self._start_or_attach(request)
        finally:
            self._starting_bytes -= size_bytes

    async def _start_or_attach(self, request: StartRequest) -> StartReply:
        key = ExecutionKey(request.namespace, request.id)
        if request.options.after:
            await self._check_dependencies(request)
        if request.id_policy is not IdPolicy.REJECT:
            attached: StartReply = await self._ask(key, partial(self._start, request))
            return attached
        name = (request.namespace, request.request_id)

        async def start() -> StartReply:
            reply: StartReply = await self._ask(key, partial(self._start, request), name)
            return reply

        return await self._once(name, StartReply, start)

    async def start_batch(self, batch: list[StartRequest]) -> list[StartReply | PerdureError]:
        """Several starts in one commit; each has its own answer."""
        answers = await asyncio.gather(*map(self.start, batch), return_exceptions=True)
        out: list[StartReply | PerdureError] = []
        for answer in answers:
            if isinstance(answer, BaseException) and not isinstance(answer, PerdureError):
                raise answer
            out.append(answer)
        return out

    async def send_event(self, request: SendEventRequest) -> SendEventReply:
        """Put an event into its mailbox; the answer comes when it is on disk.

        Raises:
            InvalidArgumentError, LimitExceededError, OverloadedError
        """
        check_send_event(request)
        self._check_room()
        shard = self._shard
        shard.stats.requests += 1
        # A request that is repeated because its answer was lost is one event too.
        own = f"d{request.dedupe_id}" if request.dedupe_id else f"r{request.request_id}"
        name = EventName(request.namespace, request.event_id)
        shard.mailboxes.send(name, request.payload, request.execution_id, own)
        future = shard.future()
        shard.reply(future, SendEventReply())
        reply: SendEventReply = await future
        return reply

    async def settle_promise(self, request: SettlePromiseRequest) -> SettlePromiseReply:
        """Complete or fail a promise, or say that whoever is to do so is alive.

        Raises:
            InvalidArgumentError: the token is damaged, or of another namespace.
            NotFoundError: its execution was deleted, or never made such a promise.
        """
        address = check_settle(request)
        key, run = address.key, address.run

        def settle(execution: Execution | None) -> SettlePromiseReply:
            if execution is None:
                raise not_found(key)
            if request.heartbeat:
                now_ms = self._shard.clock.now_ms()
                decision = requests.heartbeat(execution, run, address.promise, now_ms)
            else:
                result = request.result if request.failure is None else None
                if result is None and request.failure is None:
                    result = NULL
                decision = requests.settle_promise(
                    execution, run, address.promise, result, request.failure
                )
            self._shard.decided(execution, decision)
            return SettlePromiseReply(bool(decision.reply))

        if request.heartbeat:
            beaten: SettlePromiseReply = await self._ask(key, settle)
            return beaten
        name = (request.namespace, request.request_id)

        async def once() -> SettlePromiseReply:
            reply: SettlePromiseReply = await self._ask(key, settle, name)
            return reply

        return await self._once(name, SettlePromiseReply, once)

    def _check_start(self, request: StartRequest) -> None:
        check_name("namespace", request.namespace)
        check_execution_id(request.id)
        check_name("request id", request.request_id)
        check_name("service", request.target.service)
        check_name("method", request.target.method)
        if request.target.key:
            check_name("object id", request.target.key)
        check_payload_bytes(f"the input of {request.target.name()}", len(request.input.data))
        for key, value in request.options.metadata.items():
            check_name("metadata key", key)
            if len(value) > MAX_NAME_CHARS:
                raise InvalidArgumentError(f"metadata {key!r} is longer than {MAX_NAME_CHARS}")
            check_text(f"metadata {key!r}", value)
        check_labels(request.options.labels)
        check_trace(request.trace)
        if len(request.held) > MAX_HELD:
            raise InvalidArgumentError(f"more than {MAX_HELD} objects are held by the caller")
        for name in request.held:
            if "/" not in name or len(name) > 2 * MAX_NAME_CHARS + 1:
                raise InvalidArgumentError(f"{name[:100]!r} does not name a held object (Class/id)")
        check_dependencies(request.options.after)
        if request.options.task is not None:
            check_task_options(request.options.task)
        if abs(request.options.priority) > MAX_PRIORITY:
            raise InvalidArgumentError(f"the priority is beyond {MAX_PRIORITY}")
        self._check_room()

    async def _check_dependencies(self, request: StartRequest) -> None:
        """What is waited for has to exist: so no circle can be made of starts."""
        own = ExecutionKey(request.namespace, request.id)

        def look(execution: Execution | None) -> bool:
            return execution is not None

        if await self._ask(own, look):
            return
        for dependency in request.options.after:
            key = self._key(request.namespace, dependency.id)
            if key == own or not await self._ask(key, look):
                raise NotFoundError(f"no execution {key.id!r} to wait for: start it first")

    def _check_room(self) -> None:
        shard = self._shard
        config = shard.config
        if (
            shard.committer.congested
            or shard.loader.waiting >= config.max_queued_starts
            or self._starting_bytes >= config.pending_limit_bytes
        ):
            shard.stats.overloads += 1
            raise OverloadedError(
                "the coordinator has more to write than its bound allows; retry later",
                retry_after=0.2,
            )

    def _start(self, request: StartRequest, execution: Execution | None) -> StartReply:
        shard = self._shard
        shard.stats.requests += 1
        if execution is None or execution.ended is None:
            refused = shard.objects.reentrancy(request.namespace, request.target, request.held)
            if refused is not None:
                raise ReentrancyError(refused.message)
        if execution is not None:
            return requests.check_attach(
                execution.row, request.target, request.input, request.id_policy
            )
        key, target, now_ms = (
            ExecutionKey(request.namespace, request.id),
            request.target,
            shard.clock.now_ms(),
        )
        unnamed = shard.objects.missing_id(request.namespace, request.target)
        if unnamed is not None:
            raise InvalidArgumentError(unnamed.message)
        run = shard.loader.first_run(key)
        created, decision = requests.create(
            key,
            target,
            request.input,
            request.options,
            now_ms,
            trace=root_trace(key, run, f"{target.service}/{target.method}", now_ms, request.trace),
            event_sequence=shard.mailboxes.last_sequence,
            held=request.held,
            run=run,
        )
        shard.create(created, decision)
        reply: StartReply = decision.reply
        return reply

    async def wait(self, namespace: str, id: str) -> Outcome:
        """The outcome, as soon as there is one. Waiting costs nothing.

        Raises:
            NotFoundError: no such execution.
            DataLossError: it is damaged.
        """
        key = self._key(namespace, id)
        future: asyncio.Future[Outcome] = self._shard.future()

        def look(execution: Execution | None) -> None:
            if future.done():
                return
            if execution is None:
                self._shard.reply(future, not_found(key))
            elif execution.ended is not None and is_end(execution.row.status):
                self._shard.reply(future, outcome_of(execution, execution.ended))
            else:
                self._shard.waiters.setdefault(key, []).append(future)

        def refuse(error: DataLossError) -> None:
            if not future.done():
                self._shard.reply(future, error)

        self._shard.submit(key, look, refuse)
        try:
            return await future
        finally:
            waiting = self._shard.waiters.get(key)
            if waiting and future in waiting:
                waiting.remove(future)
                if not waiting:
                    del self._shard.waiters[key]

    async def describe(self, namespace: str, id: str) -> Description:
        """What is known of an execution now.

        Raises:
            NotFoundError: no such execution.
        """
        key = self._key(namespace, id)

        def look(execution: Execution | None) -> Description:
            if execution is None:
                raise not_found(key)
            return self._describer.execution(execution)

        def in_quarantine(_: DataLossError) -> Description:
            return self._describer.row(self._shard.quarantine.rows[key])

        description: Description = await self._ask(key, look, damaged=in_quarantine)
        return description

    async def list(self, request: ListRequest) -> ListReply:
        """A page of executions, newest first."""
        page = await rows_of(self._shard, request, MAX_PAGE)
        items = tuple(self._describer.row(row) for row in page.rows)
        return ListReply(items, page.next_cursor)

    async def history(
        self,
        namespace: str,
        id: str,
        from_index: int = 0,
        follow: bool = False,
        values_only: bool = False,
    ) -> AsyncGenerator[Recorded, None]:
        """The journal in index order; with `follow`, also what comes until the execution ends.

        Args:
            values_only: leave out all entries but emitted values.

        Raises:
            NotFoundError: no such execution.
            DataLossError: it is damaged; what is intact at its beginning has been yielded.
        """
        key = self._key(namespace, id)
        news = asyncio.Event()
        self._shard.followers.setdefault(key, []).append(news)
        check = JournalCheck(max(0, from_index))
        try:
            while True:
                news.clear()
                await self._shard.committer.flushed()
                stored = await load_page(self._shard, key, check.index)
                if stored is None:
                    raise not_found(key)
                for entry in check.take(stored):
                    decoded = decode_entry(entry.data)
                    if not values_only or isinstance(decoded, ValueEmitted):
                        yield Recorded(entry.index, entry.time_ms, decoded)
                if check.problem:
                    raise data_loss(key, check.problem)
                if check.index >= stored.length:
                    if stored.row.damage:
                        raise data_loss(key, stored.row.damage)
                    if not follow or is_end(stored.row.status):
                        return
                    await news.wait()
        finally:
            followers = self._shard.followers[key]
            followers.remove(news)
            if not followers:
                del self._shard.followers[key]

    async def read_state(self, namespace: str, id: str) -> dict[str, Payload]:
        """`ctx.state` as it is on disk, without what the engine keeps there."""
        state: dict[str, Payload] = {}
        async for recorded in self.history(namespace, id):
            for write in getattr(recorded.entry, "writes", ()):
                apply_write(state, write)
        return {key: value for key, value in state.items() if not key.startswith(HIDDEN)}

    async def read_object_state(self, namespace: str, class_name: str, key: str) -> Payload:
        """The last committed state of a durable object (semantics, section 6).

        Raises:
            NotFoundError: it was never saved.
            DataLossError: what is stored is not what was saved.
        """
        check_name("namespace", namespace)
        check_name("class name", class_name)
        check_name("object id", key)
        name = ObjectKey(namespace, class_name, key)
        await self._shard.committer.flushed()
        found = (await self._shard.store.load_objects([name])).get(name)
        if found is None:
            raise NotFoundError(
                f"object {name.name()!r} was never saved in namespace {namespace!r}: "
                "no exclusive method of it has ended yet"
            )
        if found.damage:
            raise object_loss(name, found.damage)
        return found.state

    async def control(self, request: ControlRequest) -> ControlReply:
        """Cancel, retry, pause, resume, delete or fork; see `Steering`."""
        return await self._steering.control(request)
