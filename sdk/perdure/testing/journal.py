"""`RecordedJournal`: the journal of one execution outside of any store, in files and in tests.

A file holds JSON lines as `perdure history ID -o json` prints them. Each line has the entry in
readable form and, as `record`, exactly as it rests in the journal; only `record` is read back.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perdure_runtime.core.entries import ExecutionCreated, Recorded, Target
from perdure_runtime.core.errors import InvalidArgumentError, PerdureError
from perdure_runtime.core.ids import ExecutionKey

if TYPE_CHECKING:
    from perdure.client.client import Client
    from perdure.client.history import HistoryEntry


@dataclass(frozen=True, slots=True)
class RecordedJournal:
    """The entries of one execution, from the first one on.

    Raises:
        InvalidArgumentError: the first entry is not there, or one in between.
    """

    key: ExecutionKey
    entries: tuple[Recorded, ...]

    def __post_init__(self) -> None:
        indices = [recorded.index for recorded in self.entries]
        if not indices or indices != [*range(len(indices))]:
            raise InvalidArgumentError(
                f"the journal of {self.key.id!r} has no beginning or a gap; export it whole, with "
                "`perdure history ID -o json`"
            )

    @property
    def target(self) -> Target:
        """What the execution runs."""
        created = self.entries[0].entry
        if not isinstance(created, ExecutionCreated):
            raise InvalidArgumentError(
                f"the journal of {self.key.id!r} does not begin with a start"
            )
        return created.target

    @classmethod
    async def fetch(cls, client: Client, id: str) -> RecordedJournal:
        """The journal of an execution as it is now. Raises `NotFoundError`."""
        entries = [
            recorded async for recorded in client.transport.history(client.namespace, id, 0, False)
        ]
        return cls(ExecutionKey(client.namespace, id), tuple(entries))

    def write(self, path: str | PathLike[str]) -> None:
        """Write it as `perdure history ID -o json` does."""
        from perdure.client.history import history_entry
        from perdure_runtime.serde import Serializers

        serializers = Serializers()
        lines = (
            json.dumps(journal_line(self.key, recorded, history_entry(recorded, serializers)))
            for recorded in self.entries
        )
        Path(path).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def journal_line(key: ExecutionKey, recorded: Recorded, shown: HistoryEntry) -> dict[str, Any]:
    """One entry as JSON: readable, and exact in `record`."""
    from perdure_runtime.wire.v1.entries import encode_entry

    readable = dataclasses.asdict(shown)
    readable["time"] = shown.time.isoformat()
    return {
        "namespace": key.namespace,
        "execution": key.id,
        **json.loads(json.dumps(readable, default=str)),
        "time_ms": recorded.time_ms,
        "record": base64.b64encode(encode_entry(recorded.entry)).decode(),
    }


def read_journals(path: str | PathLike[str]) -> list[RecordedJournal]:
    """The journals in a file, one or several, each with its lines in order.

    Raises:
        InvalidArgumentError: the file cannot be read, or is no exported history; it says where.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidArgumentError(f"cannot read {path}: {error}") from None
    found: dict[ExecutionKey, list[Recorded]] = {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                key, recorded = _read_line(line)
            except (ValueError, TypeError, KeyError, PerdureError) as error:
                raise InvalidArgumentError(
                    f"{path}:{number} is no line of `perdure history ID -o json`: {error!r}"
                ) from None
            found.setdefault(key, []).append(recorded)
    if not found:
        raise InvalidArgumentError(f"{path} holds no journal")
    return [RecordedJournal(key, tuple(entries)) for key, entries in found.items()]


def _read_line(line: str) -> tuple[ExecutionKey, Recorded]:
    from perdure_runtime.wire.v1.entries import decode_entry

    fields: dict[str, Any] = json.loads(line)
    entry = decode_entry(base64.b64decode(fields["record"], validate=True))
    key = ExecutionKey(str(fields["namespace"]), str(fields["execution"]))
    return key, Recorded(int(fields["index"]), int(fields["time_ms"]), entry)


def journals_of(
    source: RecordedJournal | str | PathLike[str] | Iterable[Any],
) -> list[RecordedJournal]:
    """What a journal, a file or a directory of `*.json` and `*.jsonl` files holds."""
    if isinstance(source, RecordedJournal):
        return [source]
    if isinstance(source, str | PathLike):
        return [journal for _, journals in files_of(source) for journal in journals]
    return [journal for each in source for journal in journals_of(each)]


def files_of(place: str | PathLike[str]) -> list[tuple[Path, list[RecordedJournal]]]:
    """The journals of a file, or of every `*.json` and `*.jsonl` file of a directory, by file.

    Raises:
        InvalidArgumentError: there is nothing to read there.
    """
    path = Path(place)
    if not path.is_dir():
        return [(path, read_journals(path))]
    files = sorted(each for each in path.rglob("*.json*") if each.suffix in (".json", ".jsonl"))
    if not files:
        raise InvalidArgumentError(f"{path} holds no *.json and no *.jsonl files")
    return [(file, read_journals(file)) for file in files]
