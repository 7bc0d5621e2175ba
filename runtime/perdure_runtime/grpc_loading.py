"""How gRPC is loaded where Perdure is the first to want it.

gRPC reads its settings from the environment when it is imported, and never again. What the user set
counts; an application that has imported gRPC itself has decided.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Final

SETTINGS: Final = {
    # Else a child that is forked while gRPC is busy dies of SIGSEGV in gRPC's own handlers, now and
    # then, even if it never uses gRPC.
    "GRPC_ENABLE_FORK_SUPPORT": "0",
    # The older way to poll sockets: a message takes a quarter less time from process to process
    # (`benchmarks --cases ping`). Names that gRPC does not know are ignored.
    "GRPC_EXPERIMENTS": "-event_engine_client,-event_engine_listener",
}


def load_grpc() -> None:
    """Import gRPC, if it is there, with settings that nobody else has made."""
    if "grpc" in sys.modules:
        return
    made = {name: value for name, value in SETTINGS.items() if name not in os.environ}
    os.environ.update(made)
    try:
        with contextlib.suppress(ModuleNotFoundError):
            import grpc.aio  # noqa: F401
    finally:
        for name in made:  # not for what is started from here
            del os.environ[name]
