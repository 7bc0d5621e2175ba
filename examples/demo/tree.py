"""The demo's application: two services and one flow, ordinary code.

`files` measures every file of a directory tree in recorded steps, batch by batch; `reports`
combines a batch's figures and is called from the flow. A witness file outside the engine gets a
synced line for every step body that ran, with its idempotency key.
"""

from __future__ import annotations

import hashlib
import io
import os
import tokenize
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perdure import DurableContext, ctx, durable

BATCH_FILES = 50

files = durable.service("files", "1.0.0")
reports = durable.service("reports", "1.0.0")


@dataclass
class FileFacts:
    """What is known of one file."""

    path: str
    size_bytes: int
    sha256: str
    lines: int
    tokens: int


@dataclass
class Totals:
    """Figures over many files; `digest` covers every path and hash in order."""

    files: int = 0
    size_bytes: int = 0
    lines: int = 0
    tokens: int = 0
    digest: str = ""


def witness(what: str) -> None:
    """One synced line outside the engine: this body ran, under this idempotency key."""
    path = os.environ.get("DEMO_WITNESS")
    if path:
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        os.write(descriptor, f"{what}\t{ctx.idempotency_key}\n".encode())
        os.fsync(descriptor)
        os.close(descriptor)


@durable.step
def list_files(root: str) -> list[str]:
    """Every Python file below `root`, sorted."""
    found = (p for p in Path(root).rglob("*.py") if "site-packages" not in p.parts)
    return sorted(str(p.relative_to(root)) for p in found)


@durable.step
def measure(root: str, path: str) -> FileFacts:
    """Size, hash, lines and tokens of one file."""
    data = (Path(root) / path).read_bytes()
    facts = FileFacts(
        path, len(data), hashlib.sha256(data).hexdigest(), data.count(b"\n"), count_tokens(data)
    )
    witness(path)
    return facts


def count_tokens(data: bytes) -> int:
    """Python tokens; 0 for a file that is not valid Python (the standard library has some)."""
    try:
        return sum(1 for _ in tokenize.tokenize(io.BytesIO(data).readline))
    except (tokenize.TokenError, SyntaxError, UnicodeDecodeError):
        return 0


@reports.handler
def combine(batch: list[FileFacts]) -> Totals:
    """Totals of one batch."""
    joined = "".join(f"{facts.path}:{facts.sha256}\n" for facts in batch)
    return Totals(
        files=len(batch),
        size_bytes=sum(facts.size_bytes for facts in batch),
        lines=sum(facts.lines for facts in batch),
        tokens=sum(facts.tokens for facts in batch),
        digest=hashlib.sha256(joined.encode()).hexdigest(),
    )


@durable.flow(max_concurrent_steps=8)
async def measure_tree(ctx: DurableContext, root: str) -> dict[str, Any]:
    """Measure all files of a tree and report the totals and every file's hash."""
    paths = await list_files(root)
    total = Totals()
    hashes: dict[str, str] = {}
    for start in range(0, len(paths), BATCH_FILES):
        batch = paths[start : start + BATCH_FILES]
        measured = await ctx.spawn([("measure", measure, root, path) for path in batch])
        part = Totals(**await ctx.call("reports", "combine", measured))
        hashes.update((facts.path, facts.sha256) for facts in measured)
        total.files += part.files
        total.size_bytes += part.size_bytes
        total.lines += part.lines
        total.tokens += part.tokens
        total.digest = hashlib.sha256((total.digest + part.digest).encode()).hexdigest()
        ctx.progress(total.files, len(paths), batch[-1])
    return {"totals": total, "hashes": hashes}


files.add_function(measure_tree)
