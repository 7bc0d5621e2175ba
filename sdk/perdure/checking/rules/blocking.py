"""PD102: real I/O and blocking calls in a body."""

from __future__ import annotations

from typing import Final

from perdure.checking.finding import Rule
from perdure.checking.rules.naming import calls_of

BLOCKING: Final = Rule(
    "PD102",
    "blocks, or does real I/O",
    "a replay does it again: put it into a step (@durable.step, ctx.run), or sleep with ctx.sleep",
    calls_of(
        "time.sleep",
        "open",
        "io.open",
        "input",
        "os.system",
        "os.popen",
        "asyncio.open_connection",
        "asyncio.start_server",
        "asyncio.create_subprocess_exec",
        "asyncio.create_subprocess_shell",
        "aiohttp.",
        "httpx.",
        "requests.",
        "shutil.",
        "socket.",
        "sqlite3.",
        "subprocess.",
        "urllib.request.",
    ),
    determinism=True,
)
