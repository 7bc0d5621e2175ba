"""Writes the golden fixtures in proto/spec/fixtures: `python -m tests.unit.wire_fixtures`.

A fixture that changes means that what rests in journals, or what other programs send, is read
differently: write them anew only for additions. Binary forms come with protobuf's JSON mapping, so
that another language can check its generated code against either.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict

from perdure_proto.v1 import journal_pb2
from perdure_runtime.core.entries import Recorded
from perdure_runtime.core.ids import (
    CHAIN_START,
    ExecutionKey,
    child_id,
    child_run_key_base,
    command_key,
    next_chain,
    root_key_base,
    shard_of,
    unkeyed_command_key,
)
from perdure_runtime.wire.v1.entries import encode_entry, fill_recorded
from perdure_runtime.wire.v1.frames import encode_coordinator_frame, encode_worker_frame
from tests.unit.wire_journals import JOURNALS, digest, recorded
from tests.unit.wire_session import SESSIONS, Frame

FIXTURES = Path(__file__).resolve().parents[2] / "proto" / "spec" / "fixtures"


def entry_message(item: Recorded) -> journal_pb2.Entry:
    """The message of a recorded entry."""
    message = journal_pb2.Entry()
    fill_recorded(message, item)
    return message


def frame_message(frame: Frame) -> Any:
    """The message of a frame."""
    sender, messages = frame
    encode: Any = encode_worker_frame if sender == "worker" else encode_coordinator_frame
    return encode(messages)


def _row(message: Any) -> dict[str, Any]:
    binary = message.SerializeToString(deterministic=True)
    return {"message": MessageToDict(message), "hex": binary.hex()}


def journal_fixture(name: str) -> dict[str, Any]:
    """One journal: each entry as it travels (with index and time) and as it is stored."""
    about, entries = JOURNALS[name]
    rows = []
    chain = CHAIN_START
    for item in recorded(entries):
        stored = encode_entry(item.entry)
        chain = next_chain(chain, stored, item.time_ms)
        rows.append(
            _row(entry_message(item)) | {"stored_hex": stored.hex(), "chain_hex": chain.hex()}
        )
    return {"about": about, "type": "perdure.v1.Entry", "entries": rows}


def frames_fixture(name: str) -> dict[str, Any]:
    """One session: each frame with its sender."""
    about, frames = SESSIONS[name]
    rows = [{"from": frame[0]} | _row(frame_message(frame)) for frame in frames]
    return {
        "about": about,
        "types": {
            "worker": "perdure.v1.WorkerFrame",
            "coordinator": "perdure.v1.CoordinatorFrame",
        },
        "frames": rows,
    }


def keys_fixture() -> dict[str, Any]:
    """Test vectors of every formula in proto/spec/determinism.md."""
    key = ExecutionKey("default", "order-7")
    unicode_key = ExecutionKey("b\u00fcro", "\u6ce8\u6587-1")
    base = root_key_base(key, 1)
    order = digest(b'{"amount":12,"item":"tea"}')
    child = child_id(key, 1, 1, "0:2")
    return {
        "about": "Inputs and outputs of the formulas in determinism.md; bytes are hex.",
        "digest": [{"canonical": '{"amount":12,"item":"tea"}', "digest": order.hex()}],
        "shard_of": [
            {"namespace": n, "id": i, "shard": shard_of(ExecutionKey(n, i))}
            for n, i in (key, unicode_key, ExecutionKey("default", child))
        ],
        "root_key_base": [
            {"namespace": k.namespace, "id": k.id, "run": run, "key": root_key_base(k, run).hex()}
            for k, run in ((key, 1), (key, 2), (unicode_key, 1))
        ],
        "child_run_key_base": [
            {"base": base.hex(), "run": run, "key": child_run_key_base(base, run).hex()}
            for run in (2, 3)
        ],
        "child_id": [
            {
                "namespace": k.namespace,
                "id": k.id,
                "run": 1,
                "attempt": attempt,
                "path": path,
                "child_id": child_id(k, 1, attempt, path),
            }
            for k, attempt, path in ((key, 1, "0:2"), (key, 2, "0:2"), (unicode_key, 1, "0.1:3"))
        ],
        "command_key": [
            {
                "scope": base.hex(),
                "kind": kind,
                "name": name,
                "digest": order.hex(),
                "occurrence": occurrence,
                "generation": generation,
                "key": command_key(base, kind, name, order, occurrence, generation).hex(),
            }
            for kind, name, occurrence, generation in (
                ("step", "validate", 1, 0),
                ("step", "validate", 2, 0),
                ("step", "validate", 1, 1),
                ("call", "payments/charge", 1, 0),
                ("call", "counters/add/c-1", 1, 0),
            )
        ],
        "unkeyed_command_key": [
            {
                "scope": base.hex(),
                "kind": "step",
                "name": "load",
                "attempt": attempt,
                "path": "0:2",
                "key": unkeyed_command_key(base, "step", "load", attempt, "0:2").hex(),
            }
            for attempt in (1, 2)
        ],
        "next_chain": [
            {
                "chain": CHAIN_START.hex(),
                "data": "00ff",
                "time_ms": 1_700_000_000_123,
                "next": next_chain(CHAIN_START, b"\x00\xff", 1_700_000_000_123).hex(),
            }
        ],
    }


def fixtures() -> dict[str, dict[str, Any]]:
    """Every fixture by its path below `FIXTURES`."""
    return (
        {f"journals/{name}.json": journal_fixture(name) for name in JOURNALS}
        | {f"frames/{name}.json": frames_fixture(name) for name in SESSIONS}
        | {"keys.json": keys_fixture()}
    )


def as_text(fixture: dict[str, Any]) -> str:
    """How a fixture stands in its file."""
    return json.dumps(fixture, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Write all fixtures."""
    for path, fixture in fixtures().items():
        target = FIXTURES / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(as_text(fixture), encoding="utf-8")


if __name__ == "__main__":
    main()
