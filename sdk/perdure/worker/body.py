"""An activation of a function or flow: a driver, and the steps that its body runs.

The one place of the SDK that knows the driver's life. Bodies run in slices inside `advance`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import msgspec

from perdure.context import DurableContext
from perdure.context.ambient import enter_body
from perdure.context.run import StepSpec
from perdure.context.step_context import StepContext
from perdure.context.step_notes import StepNotes
from perdure.context.surroundings import Surroundings
from perdure.definition import Definition
from perdure.objects.definition import MethodDefinition
from perdure.worker.host import Host
from perdure.worker.method import MethodRun, held_in
from perdure.worker.spans import StepSpans, step_spans
from perdure.worker.tries import Try
from perdure_runtime.core.errors import ProtocolError
from perdure_runtime.core.messages import (
    Activate,
    Adopt,
    Cached,
    Entries,
    Journal,
    Progress,
    WorkerMessage,
)
from perdure_runtime.core.payload import Failure, Payload
from perdure_runtime.core.retry import retry_delay_ms
from perdure_runtime.driver import Body, Driver, DriverOptions, StartStep, as_it_is
from perdure_runtime.failpoints import failpoint
from perdure_runtime.loop import outside_of_slice
from perdure_runtime.serde import Serializers, encode_exception

_LOG = logging.getLogger("perdure.worker")
MAX_DELIVERIES = 200


def make_driver(
    activate: Activate,
    definition: Definition,
    serializers: Serializers,
    warn: Callable[[str], None],
) -> Driver:
    """A driver for an attempt of a definition; workers and replays use the same.

    Raises:
        ProtocolError: the journal is broken.
    """
    options = definition.options
    method = None
    if isinstance(definition, MethodDefinition):
        method = MethodRun(definition, serializers, warn)
    return Driver(
        activate,
        partial(_run, definition, serializers, method),
        DriverOptions(
            encode_result=partial(definition.signature.bind_result, serializer=serializers),
            encode_failure=partial(_encode_failure, definition, serializers),
            conclude=as_it_is if method is None else method.conclude,
            max_concurrent_steps=options.max_concurrent_steps,
            checkpoint_interval=options.checkpoint_interval,
            deterministic=options.deterministic,
            warn=warn,
        ),
    )


async def _run(
    definition: Definition, serializers: Serializers, method: MethodRun | None, body: Body
) -> Any:
    options = definition.options
    around = Surroundings(
        body, options, serializers, options.max_concurrent_steps, definition.signature
    )
    context = DurableContext(around)
    enter_body(context)
    if method is not None:
        injected = method.begin(context)
    else:
        injected = (context,) if definition.takes_context else ()
    args, kwargs = definition.signature.unbind(body.input, injected, serializers)
    return await _to_its_end(context, definition.function(*args, **kwargs))


def _encode_failure(
    definition: Definition, serializers: Serializers, error: BaseException
) -> Failure:
    failure = encode_exception(error, serializers)
    policy = definition.options.retry
    if policy is not None and failure.retryable and not policy.retries(error):
        return msgspec.structs.replace(failure, retryable=False)
    return failure


class BodyActivation:
    """See `Activation`."""

    def __init__(self, host: Host, activate: Activate, definition: Definition) -> None:
        self._host = host
        self._definition = definition
        self._tries: dict[str, Try] = {}
        self._checkpoints: dict[tuple[str, int], asyncio.Future[None]] = {}
        self._progress_before = activate.progress
        self._id = activate.key.id
        self._spans: StepSpans | None = None
        self._asked_for_spans = False
        self._driver = make_driver(activate, definition, host.serializers, self._warn)

    @property
    def epoch(self) -> int:
        """See `Activation`."""
        return self._driver.epoch

    @property
    def can_leave(self) -> bool:
        """See `Activation`."""
        driver = self._driver
        if driver.replaying:  # pages are to come: a body that leaves now would never get to its end
            return False
        return not (driver.running_steps or driver.ended or driver.blocked)

    @property
    def is_idle(self) -> bool:
        """See `Activation`."""
        return self._driver.idle

    @property
    def is_over(self) -> bool:
        """See `Activation`."""
        return self._driver.blocked

    def receive(self, message: Journal | Entries | Adopt) -> None:
        """See `Activation`."""
        self._driver.receive(message)

    def advance(self, outbox: list[WorkerMessage]) -> bool:
        """See `Activation`."""
        watch = self._host.watch
        watch.begin(self._id)
        try:
            output = self._driver.advance(MAX_DELIVERIES)
        finally:
            watch.end()
        outbox.extend(output.messages)
        for path in output.abandon:
            running = self._tries.get(path)
            if running is not None:
                running.cancel()
        for address in output.checkpoints:
            recorded = self._checkpoints.pop(address, None)
            if recorded is not None and not recorded.done():
                recorded.set_result(None)
        for start in output.start:
            self._start(start)
        return output.more

    @property
    def awaits_records(self) -> bool:
        """See `Activation`."""
        return self._spans is not None and self._spans.awaits_records

    def recorded_late(self, message: Entries) -> None:
        """See `Activation`."""
        with contextlib.suppress(ProtocolError):
            self._driver.receive(message)

    def cached(self) -> Cached | None:
        """See `Activation`."""
        return None if self._driver.replaying else self._driver.cached()

    def evict(self) -> None:
        """See `Activation`."""
        tries, self._tries = self._tries, {}
        for running in tries.values():
            running.drop()
        self._driver.evict()

    def _warn(self, text: str) -> None:
        with outside_of_slice():
            _LOG.warning("execution %s: %s", self._id, text)

    # --- its steps -----------------------------------------------------------------------------

    def _start(self, start: StartStep) -> None:
        host, spec, body = self._host, start.spec, self._driver.body
        assert isinstance(spec, StepSpec)
        assert body is not None
        running = Try(
            start.name, spec.timeout_ms, partial(self._step_ended, start, spec), host.loop
        )
        self._tries[start.path] = running
        step = StepContext(
            idempotency_key=start.key.hex(),
            execution_id=self._id,
            attempt=body.attempt,
            report=self._progress,
            is_cancelled=lambda: running.cancelled or body.cancelled,
            resources=host.resources.get(body.target.service),
            held=held_in(self._definition, body),
            notes=StepNotes(
                start.checkpoints,
                partial(self._checkpoint, start.path),
                host.serializers,
                self._progress_before,
            ),
        )
        variables = spec.variables.copy() if start.tries else spec.variables
        spans = self._spans if self._asked_for_spans else self._ask_for_spans(body)
        if spans is not None:
            spans.started(start.path, start.name, variables)
        running.start(spec.function, spec.args, spec.kwargs, variables, step, host.threads)

    def _checkpoint(self, path: str, name: str, value: Payload) -> asyncio.Future[None]:
        recorded: asyncio.Future[None] = self._host.loop.create_future()
        number = self._driver.step_checkpoint(path, name, value)
        if number is None:
            recorded.cancel("nobody wants this run of the step any more")
        else:
            self._checkpoints[path, number] = recorded
            self._host.ready(self)
        return recorded

    def _ask_for_spans(self, body: Body) -> StepSpans | None:
        self._asked_for_spans = True
        created_ms = self._driver.created_ms
        spans = self._spans = step_spans(body.created, body.key, body.attempt, created_ms)
        if spans is not None:
            self._driver.watch_recorded(spans.recorded)
        return spans

    def _step_ended(
        self, start: StartStep, spec: StepSpec, result: Any, error: BaseException | None
    ) -> None:
        failpoint("after-step-body")
        host, driver = self._host, self._driver
        running = self._tries.pop(start.path, None)
        host.reports += 1
        if error is None:
            try:
                payload = host.serializers.encode(result, what=f"result of step {start.name}")
            except Exception as problem:
                error = problem
            else:
                if self._spans is not None:
                    self._spans.ended(start.path, None)
                driver.step_finished(start.path, result=payload)
                host.ready(self)
                return
        failure = encode_exception(error, host.serializers)
        if self._spans is not None:
            self._spans.ended(start.path, failure)
        again = start.tries < spec.retry.max_retries and failure.retryable
        if again and spec.retry.retries(error) and not (running and running.cancelled):
            policy = spec.retry.core()
            delay_ms = retry_delay_ms(policy, start.tries + 1, 0.0, failure.retry_after_ms)
            driver.step_failed(start.path, failure, delay_ms)
        else:
            driver.step_finished(start.path, failure=failure)
        host.ready(self)

    def _progress(self, progress: Progress) -> None:
        def report() -> None:
            body = self._driver.body
            if body is not None and not body.closed:
                body.progress(progress.done, progress.total, progress.message)
                self._host.ready(self)

        self._host.loop.call_soon_threadsafe(report)


async def _to_its_end(context: DurableContext, body: Coroutine[Any, Any, Any]) -> Any:
    """The body, and what it wanted to be done when it is cancelled."""
    hooks = context.surroundings.cancel_hooks
    try:
        result = await body
    except (Exception, asyncio.CancelledError):
        await hooks.run(context)
        raise
    await hooks.run(context)
    return result


__all__ = ["MAX_DELIVERIES", "BodyActivation"]
