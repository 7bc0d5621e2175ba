"""Lineage: who issues a command, as a name that every replay gives again (semantics, section 4).

The root task has lineage "0"; the n-th child that a node makes has lineage f"{parent}.{n}".
A node counts its children, its ordinals (paths are f"{lineage}:{ordinal}") and its hashed
futures, and carries the scope of the driver. Nodes know no tasks, no journal and no time.
"""

from __future__ import annotations

import contextvars
import hashlib
from random import Random
from typing import Any, Final

from perdure_runtime.core.errors import NotDeterministicError

ROOT_LINEAGE: Final = "0"
_MASK: Final = (1 << 64) - 1
_FUTURE_SALT: Final = 0x5851F42D4C957F2D

owner_of_context: contextvars.ContextVar[Node | None] = contextvars.ContextVar(
    "perdure_owner", default=None
)
"""The node on whose behalf a plain callback runs; it travels with the callback's context."""


def mix(key: int, number: int) -> int:
    """Return 61 well-mixed bits; the same on every machine, Python version and hash seed."""
    value = ((key ^ (number * 0x9E3779B97F4A7C15)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value >> 3


class Node:
    """One owner of commands: a task, or the finalizer of an async generator.

    Attributes:
        lineage: its name, dotted child numbers from the root.
        key: the stable hash of the seed and the lineage.
        scope: whatever the driver put here; children inherit it when they are made.
        is_finalizer: it runs at a time that no replay repeats, so it may issue no command.
    """

    __slots__ = (
        "_children",
        "_entropy",
        "_futures",
        "_ordinals",
        "_random",
        "is_finalizer",
        "key",
        "lineage",
        "root",
        "scope",
        "seed",
    )

    def __init__(
        self,
        lineage: str,
        key: int,
        seed: bytes,
        root: Node | None,
        scope: Any,
        is_finalizer: bool = False,
    ) -> None:
        self.lineage = lineage
        self.key = key
        self.seed = seed
        self.root: Node = self if root is None else root
        self.scope = scope
        self.is_finalizer = is_finalizer
        self._children = 0
        self._ordinals = 0
        self._futures = 0
        self._random: Random | None = None
        self._entropy: Random | None = None

    def __repr__(self) -> str:
        return f"<Node {self.lineage}>"

    def child(self) -> Node:
        """Return the node of the next child task."""
        number = self._children = self._children + 1
        return Node(
            f"{self.lineage}.{number}",
            mix(self.key, number),
            self.seed,
            self.root,
            self.scope,
            self.is_finalizer,
        )

    def finalizer(self, number: int) -> Node:
        """Return the node of an async generator's finalizer: a namespace of its own.

        The garbage collector decides when a finalizer runs; were it a child of some task,
        it would shift the names of that task's later children.
        """
        name = f"f{number}"
        return Node(name, mix(self.key ^ _FUTURE_SALT, ~number), self.seed, self.root, None, True)

    def next_ordinal(self) -> int:
        """Return the next ordinal, from 1.

        Raises:
            NotDeterministicError: this node is the finalizer of an async generator.
        """
        if self.is_finalizer:
            raise NotDeterministicError(
                "an async generator that was not closed is being finalized, at a moment that no "
                "replay repeats; its cleanup may not sleep, call or run steps. Close the "
                "generator yourself: async with contextlib.aclosing(generator) as items: ..."
            )
        self._ordinals += 1
        return self._ordinals

    def next_path(self) -> str:
        """Return the path of the next command, f"{lineage}:{ordinal}". Raises: see next_ordinal."""
        return f"{self.lineage}:{self.next_ordinal()}"

    def next_future_key(self) -> int:
        """Return the hash of the next future that this node puts into a set or dict."""
        self._futures += 1
        return mix(self.key ^ _FUTURE_SALT, self._futures)

    def random(self) -> Random:
        """Return this node's stream for `random`: the same numbers in every replay and attempt."""
        if self._random is None:
            self._random = Random(self._stream_seed(b"random"))
        return self._random

    def entropy(self) -> Random:
        """Return the stream behind `os.urandom` and `uuid4`.

        Apart from `random()`: a body that calls `random.seed(1)` must not repeat its uuids.
        """
        if self._entropy is None:
            self._entropy = Random(self._stream_seed(b"entropy"))
        return self._entropy

    def _stream_seed(self, purpose: bytes) -> int:
        text = b"\0".join((self.seed, self.lineage.encode(), purpose))
        return int.from_bytes(hashlib.sha256(text).digest(), "big")


def root_node(seed: bytes, scope: Any = None) -> Node:
    """Return the node of a root task. `seed` must be the same in every attempt and replay."""
    key = int.from_bytes(hashlib.sha256(seed).digest()[:8], "big")
    return Node(ROOT_LINEAGE, mix(key, 1), seed, None, scope)
