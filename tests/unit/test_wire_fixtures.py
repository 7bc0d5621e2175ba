"""The golden fixtures of proto/spec: the bytes in them are read, and written, for ever."""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Any

import pytest
from google.protobuf.json_format import Parse

from perdure_proto.v1 import journal_pb2, worker_pb2
from perdure_runtime.core.entries import Entry
from perdure_runtime.core.messages import CoordinatorMessage, WorkerMessage
from perdure_runtime.wire.v1.entries import decode_entry, encode_entry, read_recorded
from perdure_runtime.wire.v1.frames import decode_coordinator_frame, decode_worker_frame
from tests.unit.wire_fixtures import FIXTURES, as_text, fixtures
from tests.unit.wire_journals import JOURNALS, recorded
from tests.unit.wire_session import SESSIONS


def load(path: str) -> Any:
    return json.loads((FIXTURES / path).read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", fixtures())
def test_the_wire_layer_still_writes_each_fixture_byte_for_byte(path: str) -> None:
    """If this fails, stored journals or other programs read something else than was meant."""
    assert as_text(fixtures()[path]) == (FIXTURES / path).read_text(encoding="utf-8")


def test_no_fixture_is_forgotten() -> None:
    on_disk = {
        f"{folder}/{path.name}"
        for folder in ("journals", "frames")
        for path in (FIXTURES / folder).iterdir()
    }
    assert on_disk == {path for path in fixtures() if "/" in path}


@pytest.mark.parametrize("name", JOURNALS)
def test_each_journal_reads_as_meant_from_bytes_and_from_json(name: str) -> None:
    fixture = load(f"journals/{name}.json")
    meant = recorded(JOURNALS[name][1])
    for row, item in zip(fixture["entries"], meant, strict=True):
        binary = bytes.fromhex(row["hex"])
        assert read_recorded(journal_pb2.Entry.FromString(binary)) == item
        assert decode_entry(bytes.fromhex(row["stored_hex"])) == item.entry
        assert encode_entry(item.entry).hex() == row["stored_hex"]
        from_json = Parse(json.dumps(row["message"]), journal_pb2.Entry())
        assert from_json.SerializeToString(deterministic=True) == binary


@pytest.mark.parametrize("name", SESSIONS)
def test_each_frame_reads_as_meant_from_bytes_and_from_json(name: str) -> None:
    fixture = load(f"frames/{name}.json")
    for row, (sender, messages) in zip(fixture["frames"], SESSIONS[name][1], strict=True):
        assert row["from"] == sender
        binary = bytes.fromhex(row["hex"])
        if sender == "worker":
            worker_frame = worker_pb2.WorkerFrame.FromString(binary)
            assert tuple(decode_worker_frame(worker_frame)) == messages
            parsed: Any = Parse(json.dumps(row["message"]), worker_pb2.WorkerFrame())
        else:
            coordinator_frame = worker_pb2.CoordinatorFrame.FromString(binary)
            assert tuple(decode_coordinator_frame(coordinator_frame)) == messages
            parsed = Parse(json.dumps(row["message"]), worker_pb2.CoordinatorFrame())
        assert parsed.SerializeToString(deterministic=True) == binary


def test_the_fixtures_show_every_kind_of_entry_and_message() -> None:
    entries = {type(entry) for _, journal in JOURNALS.values() for entry in journal}
    assert entries == set(Entry.__args__)
    shown = {
        (sender, type(message))
        for _, frames in SESSIONS.values()
        for sender, messages in frames
        for message in messages
    }
    expected = {("worker", kind) for kind in WorkerMessage.__args__}
    expected |= {("coordinator", kind) for kind in CoordinatorMessage.__args__}
    assert shown == expected


# --- the formulas of determinism.md, written here a second time, from the text alone --------------


def spec_hash(size: int, person: str, *fields: bytes) -> bytes:
    joined = b"".join(len(field).to_bytes(4, "big") + field for field in fields)
    return blake2b(joined, digest_size=size, person=person.encode()).digest()


def number(value: int) -> bytes:
    return value.to_bytes(8, "big")


def spec_shard(namespace: str, execution_id: str) -> int:
    if execution_id.startswith("~"):
        return int(execution_id[1:4], 16)
    hashed = spec_hash(4, "perdure.shard", namespace.encode(), execution_id.encode())
    return int.from_bytes(hashed, "big") % 1024


def rows(formula: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = load("keys.json")[formula]
    assert found
    return found


def test_digests_follow_the_text() -> None:
    for row in rows("digest"):
        hashed = blake2b(row["canonical"].encode(), digest_size=16)
        assert hashed.hexdigest() == row["digest"]


def test_shards_follow_the_text() -> None:
    for row in rows("shard_of"):
        assert spec_shard(row["namespace"], row["id"]) == row["shard"]


def test_root_keys_follow_the_text() -> None:
    for row in rows("root_key_base"):
        names = row["namespace"].encode(), row["id"].encode()
        assert spec_hash(16, "perdure.root", *names, number(row["run"])).hex() == row["key"]


def test_keys_of_later_runs_of_children_follow_the_text() -> None:
    for row in rows("child_run_key_base"):
        base = bytes.fromhex(row["base"])
        assert spec_hash(16, "perdure.run", base, number(row["run"])).hex() == row["key"]


def test_child_ids_follow_the_text() -> None:
    for row in rows("child_id"):
        hashed = spec_hash(
            16,
            "perdure.child",
            row["namespace"].encode(),
            row["id"].encode(),
            number(row["run"]),
            number(row["attempt"]),
            row["path"].encode(),
        )
        shard = spec_shard(row["namespace"], row["id"])
        assert row["child_id"] == f"~{shard:03x}-{hashed.hex()}"


def test_command_keys_follow_the_text() -> None:
    for row in rows("command_key"):
        hashed = spec_hash(
            16,
            "perdure.command",
            bytes.fromhex(row["scope"]),
            row["kind"].encode(),
            row["name"].encode(),
            bytes.fromhex(row["digest"]),
            number(row["occurrence"]),
            number(row["generation"]),
        )
        assert hashed.hex() == row["key"]


def test_keys_without_a_digest_follow_the_text() -> None:
    for row in rows("unkeyed_command_key"):
        hashed = spec_hash(
            16,
            "perdure.unkeyed",
            bytes.fromhex(row["scope"]),
            row["kind"].encode(),
            row["name"].encode(),
            number(row["attempt"]),
            row["path"].encode(),
        )
        assert hashed.hex() == row["key"]


def test_chains_follow_the_text() -> None:
    for row in rows("next_chain"):
        key = bytes.fromhex(row["chain"])
        data = bytes.fromhex(row["data"])
        salt = row["time_ms"].to_bytes(8, "big")
        assert blake2b(data, digest_size=8, key=key, salt=salt).hexdigest() == row["next"]
    for name in JOURNALS:
        chain = bytes(8)
        for row in load(f"journals/{name}.json")["entries"]:
            stored = bytes.fromhex(row["stored_hex"])
            salt = int(row["message"].get("timeMs", 0)).to_bytes(8, "big")
            chain = blake2b(stored, digest_size=8, key=chain, salt=salt).digest()
            assert chain.hex() == row["chain_hex"]
