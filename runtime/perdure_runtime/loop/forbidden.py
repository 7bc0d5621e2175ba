"""What a deterministic body may not do, and what to write instead (semantics, section 4).

`NoRealIO` is an event loop whose sockets, threads, processes and signals all raise. The audit
hook catches the same deeds done without asyncio, on the thread of a slice only. `open` is left
alone: imports need it.
"""

from __future__ import annotations

import asyncio
import functools
import sys
import threading
from typing import Any, Final

from perdure_runtime.core.errors import NotDeterministicError
from perdure_runtime.loop.slices import current

_STEP: Final = (
    "A replay cannot repeat it. Move it into a function with @durable.step, "
    "or run it as: await ctx.run(function, *args)."
)


def refuse(what: str, advice: str = _STEP) -> NotDeterministicError:
    """Return the error for a deed that a replay cannot repeat."""
    return NotDeterministicError(f"{what} is not possible inside a deterministic body. {advice}")


def _forbidden(name: str, advice: str = _STEP) -> Any:
    def method(self: asyncio.AbstractEventLoop, *args: Any, **kwargs: Any) -> Any:
        raise refuse(f"loop.{name}()", advice)

    method.__name__ = method.__qualname__ = name
    return method


_SLICES: Final = (
    "The loop of an execution runs in slices, by its driver; just `await` what you need."
)
_SIGNALS: Final = "Handle signals in the program around the worker; a body is cancelled by asyncio."


class NoRealIO(asyncio.AbstractEventLoop):
    """An event loop without a world outside."""

    run_forever: Any = _forbidden("run_forever", _SLICES)
    run_until_complete: Any = _forbidden("run_until_complete", _SLICES)
    stop: Any = _forbidden("stop", _SLICES)
    add_signal_handler: Any = _forbidden("add_signal_handler", _SIGNALS)
    remove_signal_handler: Any = _forbidden("remove_signal_handler", _SIGNALS)
    set_default_executor: Any = _forbidden("set_default_executor")

    run_in_executor: Any = _forbidden("run_in_executor")
    getaddrinfo: Any = _forbidden("getaddrinfo")
    getnameinfo: Any = _forbidden("getnameinfo")
    create_connection: Any = _forbidden("create_connection")
    create_server: Any = _forbidden("create_server")
    create_unix_connection: Any = _forbidden("create_unix_connection")
    create_unix_server: Any = _forbidden("create_unix_server")
    create_datagram_endpoint: Any = _forbidden("create_datagram_endpoint")
    connect_accepted_socket: Any = _forbidden("connect_accepted_socket")
    connect_read_pipe: Any = _forbidden("connect_read_pipe")
    connect_write_pipe: Any = _forbidden("connect_write_pipe")
    start_tls: Any = _forbidden("start_tls")
    sendfile: Any = _forbidden("sendfile")
    subprocess_shell: Any = _forbidden("subprocess_shell")
    subprocess_exec: Any = _forbidden("subprocess_exec")
    add_reader: Any = _forbidden("add_reader")
    remove_reader: Any = _forbidden("remove_reader")
    add_writer: Any = _forbidden("add_writer")
    remove_writer: Any = _forbidden("remove_writer")
    sock_recv: Any = _forbidden("sock_recv")
    sock_recv_into: Any = _forbidden("sock_recv_into")
    sock_recvfrom: Any = _forbidden("sock_recvfrom")
    sock_recvfrom_into: Any = _forbidden("sock_recvfrom_into")
    sock_sendall: Any = _forbidden("sock_sendall")
    sock_sendto: Any = _forbidden("sock_sendto")
    sock_connect: Any = _forbidden("sock_connect")
    sock_accept: Any = _forbidden("sock_accept")
    sock_sendfile: Any = _forbidden("sock_sendfile")


_FORBIDDEN_EVENTS: Final = {
    "socket.connect": "Connecting a socket",
    "socket.bind": "Binding a socket",
    "socket.sendto": "Sending on a socket",
    "socket.getaddrinfo": "Looking up a host name",
    "socket.gethostbyname": "Looking up a host name",
    "socket.gethostbyaddr": "Looking up a host name",
    "subprocess.Popen": "Starting a process",
    "os.system": "Starting a process",
    "os.exec": "Replacing the process",
    "os.fork": "Forking the process",
    "os.forkpty": "Forking the process",
    "os.spawn": "Starting a process",
    "os.posix_spawn": "Starting a process",
    "_thread.start_new_thread": "Starting a thread",
    "_thread.start_joinable_thread": "Starting a thread",
}


def _audit(event: str, args: tuple[object, ...]) -> None:
    if event in _FORBIDDEN_EVENTS and current.virtual is not None:
        raise refuse(_FORBIDDEN_EVENTS[event])


def install() -> None:
    """Watch for blocking I/O in slices; for the life of the process (audit hooks cannot go)."""
    sys.addaudithook(_audit)
    start = threading.Thread.start

    # Before Python 3.12 the start of a thread is no audit event.
    @functools.wraps(start)
    def checked_start(self: threading.Thread) -> None:
        if current.virtual is not None:
            raise refuse("Starting a thread")
        start(self)

    threading.Thread.start = checked_start  # type: ignore[method-assign] # see above
