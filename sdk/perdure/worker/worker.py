"""`Worker`: offers services to a coordinator and runs what it hands over.

Ties definitions, executor, lifespans and link together and owns their life. What happens inside of
executions is the executor's part, how bytes travel the link's.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import platform
import signal
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from perdure.definition import Definition
from perdure.option_checks import check_count, check_seconds
from perdure.service import Service, service
from perdure.settings import load_settings
from perdure.worker.executor import Executor
from perdure.worker.lifespans import Lifespans
from perdure.worker.link import WorkerLink
from perdure.worker.threads import StepThreads
from perdure.worker.watch import SliceWatch
from perdure_runtime.core.entries import Target
from perdure_runtime.core.errors import InvalidArgumentError, PerdureError
from perdure_runtime.core.limits import check_name
from perdure_runtime.core.messages import Hello, Welcome
from perdure_runtime.grpc_loading import load_grpc
from perdure_runtime.serde import Serializers

if TYPE_CHECKING:
    from perdure.client.security import Tls

_LOG = logging.getLogger("perdure.worker")
DEFAULT_SLOTS: Final = 200
DEFAULT_MAX_CACHED: Final = 10_000
_CLOSE_GRACE_S: Final = 30.0


class Worker:
    """Made by `durable.get_worker`; the embedded runtime has one too.

    Args:
        services: what it offers; asked for again at each connect.
        make_link: how it reaches its coordinator.
        slots: executions with a slice or step in progress at a time.
        max_cached: suspended executions kept alive; others are replayed when they go on.
        worker_id: unique among all worker processes; made up when empty.
        make_threads, make_watch: see `Executor`; simulations have no threads.
    """

    def __init__(
        self,
        services: Callable[[], Iterable[Service]],
        make_link: Callable[[], WorkerLink],
        *,
        primary: Service | None = None,
        namespace: str = "default",
        slots: int = DEFAULT_SLOTS,
        max_cached: int = DEFAULT_MAX_CACHED,
        worker_id: str = "",
        make_threads: Callable[[int], StepThreads] = StepThreads,
        make_watch: Callable[[], SliceWatch] = SliceWatch,
    ) -> None:
        self.worker_id = worker_id or f"{platform.node()}:{os.getpid()}:{uuid4().hex[:8]}"
        self._make_threads = make_threads
        self._make_watch = make_watch
        self._services = services
        self._primary = primary
        self._more: dict[str, Service] = {}
        self._make_link = make_link
        self._namespace = check_name("namespace", namespace)
        self._slots = check_count("get_worker()", "slots", slots, minimum=1)
        self._max_cached = check_count("get_worker()", "max_cached", max_cached, minimum=0)
        self._methods: dict[tuple[str, str], Definition] = {}
        self._executor: Executor | None = None
        self._link: WorkerLink | None = None
        self._lifespans: Lifespans | None = None
        self._registered: asyncio.Future[None] | None = None
        self._stopped: asyncio.Future[None] | None = None
        self._state = "new"

    # --- what it offers ------------------------------------------------------------------------

    async def register_function(
        self, function: Callable[..., Any], *, name: str | None = None
    ) -> None:
        """Offer a function, flow, step or plain callable; see `Service.add_function`."""
        if self._primary is None:
            raise PerdureError("this worker has no service of its own; add to a durable.service")
        self._check_not_started("register_function")
        self._primary.add_function(function, name=name)

    async def register_service(self, service: Service) -> None:
        """Offer one more service.

        Raises:
            InvalidArgumentError: another service of this name is offered already.
        """
        self._check_not_started("register_service")
        for known in self._offered():
            if known.name == service.name and known is not service:
                raise InvalidArgumentError(
                    f"the worker offers another service named {service.name!r} already"
                )
        self._more[service.name] = service

    async def register_object(self, cls: type) -> None:
        """Offer a durable object; see `Service.add_object`."""
        if self._primary is None:
            raise PerdureError("this worker has no service of its own; add to a durable.service")
        self._check_not_started("register_object")
        self._primary.add_object(cls)

    # --- life ----------------------------------------------------------------------------------

    async def start(self) -> None:
        """Connect and register; returns when the coordinator has acknowledged it.

        Waits for a coordinator that is not there yet.

        Raises:
            ProtocolError, InvalidArgumentError, PerdureError: it does not want this worker.
            what a service's `lifespan` raises.
        """
        self._check_not_started("start")
        loop = asyncio.get_running_loop()
        self._state = "starting"
        self._registered = loop.create_future()
        self._stopped = loop.create_future()
        serializers = Serializers()
        self._link = self._make_link()
        self._executor = Executor(
            self._link,
            lambda: self._methods,
            self._describe,
            slots=self._slots,
            max_cached=self._max_cached,
            serializers=serializers,
            connected=self._connected,
            refused=self._refused,
            make_threads=self._make_threads,
            make_watch=self._make_watch,
        )
        self._lifespans = Lifespans(self._executor.host.resources)
        try:
            self._describe()  # a bad registration is told before any lifespan is entered
            await self._lifespans.enter(self._offered())
            self._executor.open()
            await self._registered
        except BaseException:
            await self._end(0.0)
            raise

    async def offer_again(self) -> None:
        """Tell the coordinator what is offered now, after something was added to a service.

        Returns when that is acknowledged; what runs goes on.

        Raises:
            PerdureError: it does not want this worker any more.
        """
        if self._link is not None and self._state == "running":
            self._registered = asyncio.get_running_loop().create_future()
            self._link.connect_again()
            await asyncio.shield(self._registered)

    async def wait(self) -> None:
        """Wait until it was stopped. Raises what ended it, if the coordinator refused it."""
        if self._stopped is None:
            raise PerdureError("the worker was not started")
        await asyncio.shield(self._stopped)

    async def stop(self, grace: float = _CLOSE_GRACE_S) -> None:
        """Take no new work, let running steps end, hand executions back, disconnect.

        Args:
            grace: seconds for running steps; those that take longer are cut off and run again
                elsewhere. Twice is once.
        """
        check_seconds("stop()", "grace", grace, zero=True)
        if self._state in ("new", "stopped"):
            self._state = "stopped"
            return
        if self._state != "stopping":
            await self._end(grace)
        assert self._stopped is not None
        await asyncio.wait([self._stopped])

    async def abandon(self) -> None:
        """Go as a killed process does: hand nothing back, tell nothing, cut running steps off.

        For tests; what it ran goes on elsewhere as after a crash. Threads end when they return.
        """
        if self._executor is not None:
            self._executor.abandon()
        await self._end(0.0)

    async def run(self) -> None:
        """Start, and stop on SIGTERM or SIGINT."""
        await self.start()
        with _signals(self._interrupted):
            await self.wait()

    def get_status(self) -> dict[str, Any]:
        """What it is doing, as plain data."""
        executor = self._executor
        return {
            "state": self._state,
            "worker_id": self.worker_id,
            "session_id": executor.session_id if executor else "",
            "namespace": self._namespace,
            "services": sorted(each.name for each in self._offered()),
            "methods": sorted("/".join(method) for method in self._methods),
            "slots": self._slots,
            "active": executor.active if executor else 0,
            "cached": executor.cached if executor else 0,
        }

    def _interrupted(self) -> None:
        task = asyncio.ensure_future(self.stop())
        task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())

    async def _end(self, grace: float) -> None:
        self._state = "stopping"
        try:
            if self._executor is not None:
                await self._executor.close(grace)
        finally:
            try:
                if self._lifespans is not None:
                    await self._lifespans.leave()
            finally:
                self._state = "stopped"
                if self._stopped is not None and not self._stopped.done():
                    self._stopped.set_result(None)

    def serves(self, target: Target) -> bool:
        """Whether the last registration offered this."""
        return (target.service, target.method) in self._methods

    @property
    def outdated(self) -> bool:
        """Whether something was defined since the last registration."""
        offered = {(each.name, name) for each in self._offered() for name in each.methods}
        return offered != self._methods.keys()

    # --- for the executor ----------------------------------------------------------------------

    def _offered(self) -> list[Service]:
        offered = {each.name: each for each in self._services()}
        if self._primary is not None:
            offered[self._primary.name] = self._primary
        return [*{**offered, **self._more}.values()]

    def _describe(self) -> Hello:
        offered = self._offered()
        self._methods = {
            (each.name, name): definition
            for each in offered
            for name, definition in each.methods.items()
        }
        return Hello(
            worker_id=self.worker_id,
            namespace=self._namespace,
            methods=tuple(spec for each in offered for spec in each.method_specs()),
            slots=self._slots,
            build_id=os.environ.get("PERDURE_BUILD_ID", ""),
        )

    def _connected(self, welcome: Welcome) -> None:
        self._state = "running"
        if self._registered is not None and not self._registered.done():
            self._registered.set_result(None)

    def _refused(self, error: PerdureError) -> None:
        _LOG.error("the coordinator refused this worker: %s", error)
        if self._registered is not None and not self._registered.done():
            self._registered.set_exception(error)
        elif self._stopped is not None and not self._stopped.done():
            self._stopped.set_exception(error)
            self._stopped.exception()  # seen, also if nobody waits

    def _check_not_started(self, what: str) -> None:
        if self._state != "new":
            raise PerdureError(f"{what}: the worker is {self._state}; register before start()")


def get_worker(
    service_name: str,
    version: str | None = None,
    coordinator_endpoint: str | None = None,
    *,
    namespace: str | None = None,
    token: str | None = None,
    tls: Tls | None = None,
    slots: int = DEFAULT_SLOTS,
    max_cached: int = DEFAULT_MAX_CACHED,
) -> Worker:
    """A worker that offers what `durable.service(service_name)` holds, and what is registered.

    Args:
        version: of the service.
        coordinator_endpoint: `http://host:port`; `PERDURE_ENDPOINT` or the settings when None.
        slots: executions with a slice or step in progress at a time.
        max_cached: suspended executions kept alive in memory.

    Raises:
        InvalidArgumentError: no endpoint is named, or the service has another version.
    """
    settings = load_settings(endpoint=coordinator_endpoint, namespace=namespace, token=token)
    endpoint = settings.endpoint
    if endpoint is None:
        raise InvalidArgumentError(
            "get_worker() needs coordinator_endpoint, for instance http://localhost:8080; pass it "
            "or set PERDURE_ENDPOINT"
        )

    def make_link() -> WorkerLink:
        load_grpc()
        from perdure.worker.session import GrpcLink

        return GrpcLink(endpoint, token=settings.token, tls=tls or settings.tls())

    return Worker(
        tuple,
        make_link,
        primary=service(service_name, version),
        namespace=settings.namespace,
        slots=slots,
        max_cached=max_cached,
    )


@contextlib.contextmanager
def _signals(interrupted: Callable[[], None]) -> Any:
    """Call `interrupted` on SIGTERM and SIGINT for the duration of a block."""
    loop = asyncio.get_running_loop()
    added = []
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(NotImplementedError):  # Windows
                loop.add_signal_handler(number, interrupted)
                added.append(number)
    try:
        yield
    finally:
        for number in added:
            loop.remove_signal_handler(number)
