"""`perdure history`: the journal of one execution."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from perdure.cli.arguments import Endpoint, ExecutionId, Format, Namespace, Output, Token
from perdure.cli.connecting import with_client
from perdure.cli.output import print_json, shown

if TYPE_CHECKING:
    from perdure.client.client import Client
    from perdure.client.history import HistoryEntry

Follow = Annotated[
    bool, typer.Option("--follow", "-f", help="Go on with new entries until it ends.")
]


def history(
    id: ExecutionId,
    follow: Follow = False,
    endpoint: Endpoint = None,
    namespace: Namespace = None,
    token: Token = None,
    output: Output = Format.TABLE,
) -> None:
    """Print the journal of an execution, one entry a line (JSON: what `replay` reads)."""

    async def work(client: Client) -> None:
        if output is Format.JSON:
            await _export(client, id, follow)
            return
        async for entry in client.get(id).history(follow=follow):
            sys.stdout.write(_line(entry) + "\n")
            sys.stdout.flush()

    with_client(work, endpoint, namespace, token)


async def _export(client: Client, id: str, follow: bool) -> None:
    """What `perdure replay` reads: each entry readable, and exact in `record`."""
    from perdure.client.history import history_entry
    from perdure.testing.journal import journal_line
    from perdure_runtime.core.ids import ExecutionKey
    from perdure_runtime.serde import Serializers

    key, serializers = ExecutionKey(client.namespace, id), Serializers()
    async for recorded in client.transport.history(client.namespace, id, 0, follow):
        print_json(journal_line(key, recorded, history_entry(recorded, serializers)))


def _line(entry: HistoryEntry) -> str:
    text = f"{entry.index:>5}  {shown(entry.time)}  {entry.path:<8} {entry.summary}"
    return text.encode("utf-8", "backslashreplace").decode().replace("\n", "\\n")
