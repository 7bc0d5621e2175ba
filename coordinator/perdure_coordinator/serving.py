"""A coordinator process: database, engine and server from start to stop.

Prints one line when it is ready, stops gracefully on SIGTERM and SIGINT, and ends at once with
exit code 70 when it is unknown what is on disk (the next start reads the disk).
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from perdure_coordinator.config import Config
from perdure_coordinator.engine import Engine
from perdure_coordinator.metrics import MetricsServer, attach, detach
from perdure_coordinator.security import Security, check_address
from perdure_coordinator.server import Server
from perdure_coordinator.store import open_store
from perdure_coordinator.store.sqlite import SqliteStore
from perdure_runtime.own_process import settle
from perdure_runtime.real_loop import real_loop_factory

STOP_GRACE_S = 5.0


@dataclass(frozen=True, slots=True)
class Options:
    """What a server is started with.

    Args:
        database: path or URL, as `open_store` takes it.
        port: 0 takes a free one.
        insecure: whether an address that other machines reach is meant.
        port_file: gets the port when the server is ready.
        security: TLS and tokens.
        metrics_port: serves `/metrics`, 0 on a free port; None does not.
        metrics_host: its address.
    """

    database: str = "perdure.db"
    host: str = "127.0.0.1"
    port: int = 8080
    insecure: bool = False
    port_file: Path | None = None
    security: Security = field(default_factory=Security)
    metrics_port: int | None = None
    metrics_host: str = "127.0.0.1"
    config: Config = field(default_factory=Config)


def serve(options: Options) -> None:
    """Run a coordinator until SIGTERM or SIGINT, on uvloop when it is installed.

    Raises:
        InvalidArgumentError: a bad address or database URL.
        DatabaseInUseError: another process has the database; the message names it.
        SchemaVersionError: a newer version of Perdure wrote the database.
        PerdureError: the port is taken; the database cannot be opened.
    """
    settle()
    with asyncio.Runner(loop_factory=real_loop_factory()) as runner:
        runner.run(_serve(options))


async def _serve(options: Options) -> None:
    check_address(options.host, options.insecure, options.security)
    if options.metrics_port is not None:
        check_address(options.metrics_host, options.insecure)
    options.security.credentials()  # files that are none are told of before anything is opened
    options.security.interceptors()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    store = await open_store(options.database)
    try:
        engine = await Engine.open(store, options.config)
    except BaseException:
        await store.close()
        raise
    server = Server(engine, options.config.lease_ms / 3000, security=options.security)
    try:
        port = server.bind(options.host, options.port, insecure=options.insecure)
        with _metrics(engine, options) as metrics_port:
            await server.start()
            if isinstance(store, SqliteStore):
                scheme = "https" if options.security.encrypted else "http"
                store.say_where(f"{scheme}://{options.host}:{port}")
            _ready(options, port, metrics_port)
            await stop.wait()
    finally:
        await server.stop(STOP_GRACE_S)


@contextmanager
def _metrics(engine: Engine, options: Options) -> Iterator[int | None]:
    """The engine's counters are told for the duration of the block; gives the port, if any."""
    served = None
    if options.metrics_port is not None:
        served = MetricsServer(engine, options.metrics_host, options.metrics_port)
    attach(engine)
    try:
        yield None if served is None else served.port
    finally:
        detach(engine)
        if served is not None:
            served.close()


def _ready(options: Options, port: int, metrics_port: int | None) -> None:
    if options.port_file is not None:
        part = options.port_file.with_name(options.port_file.name + ".part")
        part.write_text(f"{port}\n", encoding="ascii")
        part.replace(options.port_file)
    limit_bytes = options.config.pending_limit_bytes
    sys.stdout.write(
        f"perdure: listening on {options.host}:{port}, database {options.database}, "
        f"pid {os.getpid()}, at most {limit_bytes:,} bytes wait for the disk\n"
    )
    if metrics_port is not None:  # after the line that everybody waits for
        host = options.metrics_host
        sys.stdout.write(f"perdure: metrics at http://{host}:{metrics_port}/metrics\n")
    sys.stdout.flush()
