"""Settings of the processes that are Perdure's own: `perdure server` and `perdure worker`.

Never of an application that embeds Perdure or is a client: those decide for themselves.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from typing import Final

_VARIABLE: Final = "GRPC_EXPERIMENTS"
_POLLING: Final = "-event_engine_client,-event_engine_listener"
_YOUNG: Final = 20_000  # objects between two looks for young cycles; CPython's own is 700


def load_grpc() -> None:
    """Import gRPC with the older of its two ways to poll sockets, unless the user chose one.

    A message then takes a quarter less time from process to process (`benchmarks --cases ping`).
    gRPC reads the choice when it is imported, and ignores names that it does not know.
    """
    if "grpc" in sys.modules or _VARIABLE in os.environ:
        return
    os.environ[_VARIABLE] = _POLLING
    try:
        with contextlib.suppress(ModuleNotFoundError):
            import grpc.aio  # noqa: F401
    finally:
        del os.environ[_VARIABLE]  # not for what is started from here


def settle() -> None:
    """Look for garbage cycles less often, and never among what is there for good.

    Journals and bodies are freed by reference counts; the collector's passes over all that is alive
    cost a tenth of a busy process. Call it when everything is imported.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, 20, 50)
