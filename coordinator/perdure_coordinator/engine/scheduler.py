"""The schedules of a shard: all in memory, each change of one in the batch that makes it durable.

A due tick goes into its schedule's queue in one commit, and from there into an execution in a later
one, together with its removal from the queue. After a crash between the two the queue says what is
still to be started; after the second the execution is there. The rules are
`perdure_runtime.core.schedules`; times come from the same heap as all durable timers.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Any, Final

import msgspec

from perdure_coordinator.engine.asking import Asking
from perdure_coordinator.engine.shard import Shard
from perdure_coordinator.engine.spans import root_trace
from perdure_coordinator.engine.ticks import make_ticks
from perdure_runtime.core import requests
from perdure_runtime.core import schedules as rules
from perdure_runtime.core.errors import (
    AlreadyExistsError,
    DataLossError,
    InvalidArgumentError,
    NotFoundError,
    PerdureError,
)
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.lifecycle import is_end
from perdure_runtime.core.limits import (
    MAX_REASON_CHARS,
    check_execution_id,
    check_labels,
    check_name,
    check_payload_bytes,
)
from perdure_runtime.core.payload import NULL
from perdure_runtime.core.rows import Timer, TimerKey, TimerKind
from perdure_runtime.core.schedules import (
    Schedule,
    ScheduleName,
    ScheduleOperation,
    ScheduleReply,
    ScheduleRequest,
    ScheduleSpec,
    Ticks,
)
from perdure_runtime.failpoints import failpoint
from perdure_runtime.storage import ScheduleRow

_LOG = logging.getLogger("perdure.coordinator")
PAGE: Final = 200
MAX_SCHEDULES: Final = 100_000  # they are all in memory


class NoTicks:
    """Of a schedule that cannot be computed here, say because its time zone is not installed."""

    def after(self, time_ms: int) -> int:
        """None."""
        return 0

    def latest(self, from_ms: int, to_ms: int) -> int:
        """Only the given one."""
        return from_ms


class Scheduler:
    """Starts what is due. `request` is what clients ask of it."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._asking = Asking(shard)
        self._schedules: dict[ScheduleName, Schedule] = {}
        self._ticks: dict[ScheduleName, Ticks] = {}
        self._active: dict[ScheduleName, ExecutionKey] = {}
        self._active_names: dict[ExecutionKey, ScheduleName] = {}
        self._starting: set[ScheduleName] = set()
        shard.on_ended = self._ended
        shard.on_schedule = self._due
        shard.timers.sources.append(self._near)

    async def recover(self) -> None:
        """Read the schedules and which of their executions have not ended; start what is queued."""
        store = self._shard.store
        for row in await store.schedules():
            schedule = msgspec.msgpack.decode(row.data, type=Schedule)
            self._schedules[schedule.name] = schedule
            try:
                self._ticks[schedule.name] = make_ticks(schedule.spec, schedule.created_ms)
            except InvalidArgumentError as error:
                _LOG.error("schedule %s stands still: %s", schedule.name.id, error)
                self._ticks[schedule.name] = NoTicks()
        last = {
            ExecutionKey(name.namespace, schedule.last_id): name
            for name, schedule in self._schedules.items()
            if schedule.last_id
        }
        rows = await store.load_rows(list(last)) if last else {}
        for key, found in rows.items():
            if not is_end(found.status):
                self._activate(last[key], key)
        for name in self._schedules:
            self._start(name)

    # --- ticks ---------------------------------------------------------------------------------

    def _near(self, until_ms: int) -> list[Timer]:
        due = ((schedule, rules.due_ms(schedule)) for schedule in self._schedules.values())
        return [_timer(schedule.name, at_ms) for schedule, at_ms in due if 0 < at_ms <= until_ms]

    def _due(self, timer: Timer) -> None:
        failpoint("schedule-due")
        name = _name_of(timer.key)
        schedule = self._schedules.get(name)
        if schedule is None:
            return
        active = self._active.get(name)
        turn = rules.take_in(
            schedule, active is not None, self._ticks[name], self._shard.clock.now_ms()
        )
        if turn.schedule is schedule:
            self._arm(schedule)
            return
        self._put(turn.schedule)
        if turn.cancels and active is not None:
            self._shard.submit(active, self._cancel)
        self._start(name)
        self._shard.committer.kick()

    def _cancel(self, execution: Execution | None) -> None:
        if execution is not None and not is_end(execution.row.status):
            shard = self._shard
            decision = requests.cancel(
                execution,
                "the next tick of its schedule is due",
                shard.clock.now_ms(),
                shard.config.cancel_grace_ms,
            )
            shard.decided(execution, decision)

    def _ended(self, key: ExecutionKey) -> None:
        name = self._active_names.pop(key, None)
        if name is not None:
            self._active.pop(name, None)
            self._start(name)

    def _start(self, name: ScheduleName) -> None:
        """Start the head of the queue, as soon as it is known that its id is free."""
        schedule = self._schedules[name]
        if schedule.paused or not schedule.queued:
            return
        if name in self._active or name in self._starting:
            return
        self._starting.add(name)
        key = ExecutionKey(name.namespace, rules.execution_id(name, schedule.queued[0]))
        self._shard.submit(key, partial(self._found, name, key), partial(self._damaged, name))

    def _damaged(self, name: ScheduleName, error: DataLossError) -> None:
        """What this tick started earlier is in quarantine: it is not started again."""
        self._starting.discard(name)
        schedule = self._schedules.get(name)
        if schedule is not None and not schedule.paused and schedule.queued:
            self._put(rules.started(schedule, str(error)))
            self._start(name)

    def _found(self, name: ScheduleName, key: ExecutionKey, existing: Execution | None) -> None:
        self._starting.discard(name)
        schedule = self._schedules.get(name)
        if schedule is None or schedule.paused or not schedule.queued or name in self._active:
            return
        if key.id == rules.execution_id(name, schedule.queued[0]):
            self._start_tick(schedule, key, existing)
        self._start(name)

    def _start_tick(
        self, schedule: Schedule, key: ExecutionKey, existing: Execution | None
    ) -> None:
        failpoint("schedule-start")
        name = schedule.name
        if existing is None:
            try:
                self._create(schedule, key)
            except PerdureError as error:
                _LOG.warning("schedule %s cannot start %s: %s", name.id, key.id, error)
                self._put(rules.started(schedule, str(error)))
                return
        elif not _is_of(existing, schedule):
            problem = f"execution {key.id!r} exists and is not of this schedule"
            self._put(rules.started(schedule, problem))
            return
        self._put(rules.started(schedule))
        if existing is None or not is_end(existing.row.status):
            self._activate(name, key)

    def _create(self, schedule: Schedule, key: ExecutionKey) -> None:
        shard, target = self._shard, schedule.spec.target
        now_ms = shard.clock.now_ms()
        run = shard.loader.first_run(key)
        created, decision = requests.create(
            key,
            target,
            schedule.spec.input,
            rules.options_of(schedule),
            now_ms,
            trace=root_trace(key, run, f"{target.service}/{target.method}", now_ms, {}),
            event_sequence=shard.mailboxes.last_sequence,
            run=run,
        )
        shard.create(created, decision)

    def _activate(self, name: ScheduleName, key: ExecutionKey) -> None:
        self._active[name] = key
        self._active_names[key] = name

    def _put(self, schedule: Schedule) -> None:
        """The schedule from now on: in memory, in this batch, and in the heap of timers."""
        name = schedule.name
        self._schedules[name] = schedule
        row = ScheduleRow(*name, msgspec.msgpack.encode(schedule))
        self._shard.pending.schedule(name, row)
        self._arm(schedule)

    def _arm(self, schedule: Schedule) -> None:
        due_ms = rules.due_ms(schedule)
        timer = _timer(schedule.name, due_ms)
        if due_ms:
            self._shard.timers.set(timer)
        else:
            self._shard.timers.clear(TimerKey(timer.key, timer.kind, timer.path))

    # --- what clients ask ----------------------------------------------------------------------

    async def request(self, request: ScheduleRequest) -> ScheduleReply:
        """Create, describe, list, pause, resume or delete; answered when it is on disk.

        Raises:
            InvalidArgumentError: a name, the expression or the time zone is none.
            AlreadyExistsError: a schedule of this id has another spec.
            NotFoundError: there is no such schedule.
        """
        check_name("namespace", request.namespace)
        if request.operation is ScheduleOperation.LIST:
            await self._shard.committer.flushed()
            return self._list(request)
        check_execution_id(request.id)
        if request.operation is ScheduleOperation.DESCRIBE:
            await self._shard.committer.flushed()
            return ScheduleReply((self._known(request),))
        check_name("request id", request.request_id)
        name = (request.namespace, request.request_id)

        async def carry_out() -> ScheduleReply:
            try:
                reply = self._carry_out(request)
                self._asking.remember(name, reply)
            finally:
                self._shard.committer.kick()
                await self._shard.committer.flushed()
            return reply

        return await self._asking.once(name, ScheduleReply, carry_out)

    def _carry_out(self, request: ScheduleRequest) -> ScheduleReply:
        if request.operation is ScheduleOperation.CREATE:
            return self._set_up(request)
        schedule = self._known(request)
        name = schedule.name
        match request.operation:
            case ScheduleOperation.PAUSE if not schedule.paused:
                if len(request.reason) > MAX_REASON_CHARS:
                    raise InvalidArgumentError(f"the reason is longer than {MAX_REASON_CHARS}")
                self._put(rules.paused(schedule, request.reason))
            case ScheduleOperation.RESUME if schedule.paused:
                now_ms = self._shard.clock.now_ms()
                self._put(rules.resumed(schedule, self._ticks[name], now_ms))
                self._start(name)
            case ScheduleOperation.DELETE:
                self._arm(msgspec.structs.replace(schedule, next_ms=0))
                del self._schedules[name], self._ticks[name]
                key = self._active.pop(name, None)
                if key is not None:
                    self._active_names.pop(key, None)
                self._shard.pending.schedule(name, None)
                return ScheduleReply((schedule,), True)
            case _:
                return ScheduleReply((schedule,), False)
        return ScheduleReply((self._schedules[name],), True)

    def _set_up(self, request: ScheduleRequest) -> ScheduleReply:
        spec, now_ms = request.spec, self._shard.clock.now_ms()
        name = ScheduleName(request.namespace, request.id)
        if spec is None:
            raise InvalidArgumentError("a schedule needs a spec")
        _check_spec(name, spec)
        existing = self._schedules.get(name)
        if existing is not None and _same(existing.spec, spec):
            return ScheduleReply((existing,), False)
        if existing is not None and not request.replace:
            raise AlreadyExistsError(
                f"schedule {name.id!r} exists with another target, input, time or option; "
                "replace it by saying so, or choose another id"
            )
        if existing is None and len(self._schedules) >= MAX_SCHEDULES:
            raise InvalidArgumentError(f"there are {MAX_SCHEDULES} schedules; delete some")
        created_ms = existing.created_ms if existing is not None else now_ms
        ticks = self._ticks[name] = make_ticks(spec, created_ms)
        if existing is not None:
            self._put(rules.replaced(existing, spec, ticks, now_ms))
        else:
            self._put(Schedule(name, spec, now_ms, ticks.after(now_ms)))
        return ScheduleReply((self._schedules[name],), True)

    def _list(self, request: ScheduleRequest) -> ScheduleReply:
        names = sorted(
            name
            for name in self._schedules
            if name.namespace == request.namespace and name.id > request.id
        )
        page = [_without_input(self._schedules[name]) for name in names[:PAGE]]
        return ScheduleReply(tuple(page), False, page[-1].name.id if len(names) > PAGE else "")

    def _known(self, request: ScheduleRequest) -> Schedule:
        schedule = self._schedules.get(ScheduleName(request.namespace, request.id))
        if schedule is None:
            raise NotFoundError(f"no schedule {request.id!r} in namespace {request.namespace!r}")
        return schedule


def _timer(name: ScheduleName, due_ms: int) -> Timer:
    key = ExecutionKey(name.namespace, f"~schedule/{name.id}")
    return Timer(key, 0, TimerKind.SCHEDULE, "", due_ms)


def _name_of(key: ExecutionKey) -> ScheduleName:
    return ScheduleName(key.namespace, key.id.removeprefix("~schedule/"))


def _is_of(existing: Execution, schedule: Schedule) -> bool:
    """A tick that an earlier schedule of the same name has started already."""
    created = existing.created
    named: Any = created.options.metadata.get(rules.METADATA_ID) if created else None
    return named == schedule.name.id and existing.row.target == schedule.spec.target


def _same(one: ScheduleSpec, other: ScheduleSpec) -> bool:
    inputs = (one.input.digest or one.input.data) == (other.input.digest or other.input.data)
    return inputs and msgspec.structs.replace(one, input=other.input) == other


def _without_input(schedule: Schedule) -> Schedule:
    spec = msgspec.structs.replace(schedule.spec, input=NULL)
    return msgspec.structs.replace(schedule, spec=spec)


def _check_spec(name: ScheduleName, spec: ScheduleSpec) -> None:
    if len(name.id) > rules.MAX_ID_CHARS:
        raise InvalidArgumentError(
            f"the schedule's id has {len(name.id)} characters; the limit is {rules.MAX_ID_CHARS}, "
            "since the ids of its executions are longer"
        )
    check_name("service", spec.target.service)
    check_name("method", spec.target.method)
    if spec.target.key:
        check_name("object id", spec.target.key)
    check_payload_bytes(f"the input of {spec.target.name()}", len(spec.input.data))
    for key in spec.options.metadata:
        check_name("metadata key", key)
    check_labels(spec.options.labels)
    if spec.jitter_ms < 0:
        raise InvalidArgumentError("jitter must not be negative")
    if spec.options.after:
        raise InvalidArgumentError("what a schedule starts cannot wait for other executions")
    if spec.options.start_at_ms is not None or spec.options.delay_ms:
        raise InvalidArgumentError("a schedule says itself when to start: no start_at, no delay")
