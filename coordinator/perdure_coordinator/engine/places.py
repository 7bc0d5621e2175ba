"""Limits per name: how many executions of a method are under way, and how many begin per second.

An execution takes its place, and a token of the rate, when it first reaches a worker; it keeps the
place over suspensions, back-offs and crashes, until it ends, is paused or blocked. Its row says
that it has one, so that a new owner of the store counts the same. What was under way before its
method had a limit has no place. Methods without limits cost nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from perdure_coordinator.engine.clock import Clock
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.messages import MethodSpec
from perdure_runtime.core.rates import Bucket
from perdure_runtime.core.rows import ExecutionRow, Timer, TimerKind

MethodKey = tuple[str, str, str]  # namespace, service, method


class Places:
    """The limits of one shard's methods and who holds a place."""

    def __init__(self, clock: Clock, set_timer: Callable[[Timer], None]) -> None:
        self._clock = clock
        self._set_timer = set_timer
        self._most: dict[MethodKey, int] = {}  # 0: any number
        self._buckets: dict[MethodKey, Bucket] = {}
        self._holders: dict[MethodKey, set[ExecutionKey]] = {}
        self._due: dict[MethodKey, int] = {}  # when a rate lets the next one begin

    def learn(self, namespace: str, spec: MethodSpec, *, earlier: bool = False) -> bool:
        """The limits of a method from now on; whether it has any.

        Args:
            earlier: it was registered in an earlier owner's time, who may have used up its rate.
        """
        method = (namespace, spec.service, spec.method)
        if not spec.max_concurrency and spec.rate is None:
            self._most.pop(method, None)
            self._buckets.pop(method, None)
            return False
        self._most[method] = spec.max_concurrency
        bucket = self._buckets.get(method)
        now_ms = self._clock.now_ms()
        if spec.rate is None:
            self._buckets.pop(method, None)
        elif bucket is None:
            self._buckets[method] = Bucket(spec.rate, now_ms, full=not earlier)
        else:
            bucket.change(spec.rate, now_ms)
        return True

    def seeks(self, method: MethodKey, key: ExecutionKey) -> bool:
        """Whether this execution has to get a place before it runs."""
        return method in self._most and key not in self._holders.get(method, ())

    def admits(self, method: MethodKey, more: int = 0) -> bool:
        """Whether one execution may begin, beside `more` that are about to."""
        most = self._most.get(method, 0)
        if most and len(self._holders.get(method, ())) + more >= most:
            return False
        bucket = self._buckets.get(method)
        if bucket is None:
            return True
        now_ms = self._clock.now_ms()
        if more < bucket.rate.burst and bucket.has(1 + more, now_ms):
            return True
        self._wake(method, bucket.due_ms(1 + more, now_ms))
        return False

    def take(self, row: ExecutionRow) -> bool:
        """The execution reaches a worker; whether it takes a place by that."""
        target = row.target
        method = (row.key.namespace, target.service, target.method)
        if not self.seeks(method, row.key):
            return False
        self._holders.setdefault(method, set()).add(row.key)
        bucket = self._buckets.get(method)
        if bucket is not None:
            bucket.take(self._clock.now_ms())
        return True

    def restore(self, row: ExecutionRow) -> None:
        """A row that has a place, as an earlier owner left it."""
        method = (row.key.namespace, row.target.service, row.target.method)
        self._holders.setdefault(method, set()).add(row.key)

    def give_back(self, row: ExecutionRow) -> None:
        """The execution ended, or is parked."""
        method = (row.key.namespace, row.target.service, row.target.method)
        holders = self._holders.get(method)
        if holders is not None:
            holders.discard(row.key)
            if not holders:
                del self._holders[method]

    def waiting_for(self, row: ExecutionRow) -> str:
        """What people read of a queued execution that waits for a place; "" for others."""
        method = (row.key.namespace, row.target.service, row.target.method)
        if not self.seeks(method, row.key):
            return ""
        most, taken = self._most[method], len(self._holders.get(method, ()))
        if most and taken >= most:
            return f"a place: {taken} of {most} are taken (max_concurrency)"
        if not self.admits(method):
            rate = self._buckets[method].rate
            return f"its turn: {rate.per_second:g} per second begin (rate_limit)"
        return ""

    def near(self, until_ms: int) -> Iterable[Timer]:
        """When rates let the next ones begin; a source of the timers, in no store."""
        return [
            _timer(method, due_ms) for method, due_ms in self._due.items() if due_ms <= until_ms
        ]

    def due(self, timer: Timer) -> None:
        """A timer of `near` fired: whoever waits is looked at anew."""
        self._due.pop(_method_of(timer), None)

    def _wake(self, method: MethodKey, due_ms: int) -> None:
        known = self._due.get(method)
        if known is None or due_ms < known:
            self._due[method] = due_ms
            self._set_timer(_timer(method, due_ms))


def _timer(method: MethodKey, due_ms: int) -> Timer:
    namespace, service, name = method
    return Timer(ExecutionKey(namespace, f"~rate/{service}"), 0, TimerKind.RATE, name, due_ms)


def _method_of(timer: Timer) -> MethodKey:
    return timer.key.namespace, timer.key.id.removeprefix("~rate/"), timer.path
