"""Public ids and the keys derived from them (semantics, sections 1 and 2).

What is computed here rests in journals and reaches other systems as idempotency keys: it can never
change. Every derived id is BLAKE2b over length-prefixed fields, so that no two field lists collide.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final, NamedTuple

from perdure_runtime.core.limits import RESERVED_ID_PREFIX

SHARDS: Final = 1024
KEY_BYTES: Final = 16
CHAIN_BYTES: Final = 8
CHAIN_START: Final = bytes(CHAIN_BYTES)


class ExecutionKey(NamedTuple):
    """What names an execution: its namespace and its id."""

    namespace: str
    id: str


class ObjectKey(NamedTuple):
    """What names a durable object: its namespace, its class and its own id."""

    namespace: str
    class_name: str
    key: str

    def name(self) -> str:
        """As people read it, and as `held` of `ExecutionCreated` lists it."""
        return f"{self.class_name}/{self.key}"


class ParentLink(NamedTuple):
    """The call that made a child: the parent's key and the address of the command in it."""

    key: ExecutionKey
    run: int
    attempt: int
    path: str
    detached: bool = False


_PREFIXES: Final = tuple(length.to_bytes(4, "big") for length in range(256))


def _digest(size_bytes: int, person: bytes, *fields: bytes) -> bytes:
    parts: list[bytes] = []
    for field in fields:
        length = len(field)
        parts += _PREFIXES[length] if length < 256 else length.to_bytes(4, "big"), field
    return blake2b(b"".join(parts), digest_size=size_bytes, person=person).digest()


def _number(value: int) -> bytes:
    return value.to_bytes(8, "big")


def shard_of(key: ExecutionKey) -> int:
    """The shard that owns an execution; children carry their root's shard in their id."""
    if key.id.startswith(RESERVED_ID_PREFIX):
        return int(key.id[1:4], 16)
    hashed = _digest(4, b"perdure.shard", key.namespace.encode(), key.id.encode())
    return int.from_bytes(hashed, "big") % SHARDS


def is_derived(key: ExecutionKey) -> bool:
    """Whether a call made this id; nobody can choose such a one."""
    return key.id.startswith(RESERVED_ID_PREFIX)


def child_id(parent: ExecutionKey, run: int, attempt: int, path: str) -> str:
    """The id of the execution that a call makes: a pure function of the call's address."""
    hashed = _digest(
        KEY_BYTES,
        b"perdure.child",
        parent.namespace.encode(),
        parent.id.encode(),
        _number(run),
        _number(attempt),
        path.encode(),
    )
    return f"{RESERVED_ID_PREFIX}{shard_of(parent):03x}-{hashed.hex()}"


def root_key_base(key: ExecutionKey, run: int) -> bytes:
    """The key base of an execution that no call made."""
    return _digest(
        KEY_BYTES, b"perdure.root", key.namespace.encode(), key.id.encode(), _number(run)
    )


def child_run_key_base(base: bytes, run: int) -> bytes:
    """The key base of a later run of a child: of the run before, and so of the call that made it.

    A call that is made again, in the caller's next attempt, has another child with another id; its
    operations are the same ones.
    """
    return _digest(KEY_BYTES, b"perdure.run", base, _number(run))


def command_key(
    scope: bytes, kind: str, name: str, digest: bytes, occurrence: int, generation: int = 0
) -> bytes:
    """The idempotency key of one logical operation.

    Args:
        scope: the key base of the execution, or the key of the enclosing spawned branch.
        kind: `step`, `call`, `branch`, ...
        name: the step's name or `service/method[/key]` of the target.
        digest: digest of the input (16 bytes).
        occurrence: 1 for the first command with this (kind, name, digest) in the scope.
        generation: how many compensations have removed this operation (semantics, section 2).
    """
    return _digest(
        KEY_BYTES,
        b"perdure.command",
        scope,
        kind.encode(),
        name.encode(),
        digest,
        _number(occurrence),
        _number(generation),
    )


def unkeyed_command_key(scope: bytes, kind: str, name: str, attempt: int, path: str) -> bytes:
    """The key of a command whose input has no digest: it is never shared between attempts."""
    return _digest(
        KEY_BYTES,
        b"perdure.unkeyed",
        scope,
        kind.encode(),
        name.encode(),
        _number(attempt),
        path.encode(),
    )


def wait_digest(since_start: bool) -> bytes:
    """The digest of a wait for an event: all of its input that a replay compares."""
    return _digest(KEY_BYTES, b"perdure.wait", b"start" if since_start else b"")


PROMISE_DIGEST: Final = _digest(KEY_BYTES, b"perdure.promise")
"""The digest of every promise: its name is all it has."""


def next_chain(chain: bytes, data: bytes, time_ms: int) -> bytes:
    """The hash chain over the encoded entries of one journal and their times."""
    salt = time_ms.to_bytes(8, "big", signed=True)
    return blake2b(data, digest_size=CHAIN_BYTES, key=chain, salt=salt).digest()


def make_epoch(shard_epoch: int, counter: int) -> int:
    """A lease epoch: never issued twice, also after a restart of the coordinator.

    A counter beyond 31 bits goes on in the numbers of later shard epochs. Those are bound to the
    clock of the wall, which is ahead of it by then.
    """
    return (shard_epoch << 31) + counter
