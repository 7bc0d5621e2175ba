"""Random programs as data: a frozen tree that can be printed, sent, shrunk and predicted.

A node says what a durable body does there; `interpreter` does it, `model` predicts what comes of
it, `generator` makes trees. Every leaf with an effect has a label of its own within its tree, so
that a witness can tell them apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

STEPS: Final = ("step", "sync", "retried", "failing", "once")
LEAVES: Final = (*STEPS, "sleep", "emit", "event", "inbox", "promise", "append", "read", "map")
SEVERAL: Final = ("sequence", "gather", "group", "spawn", "race", "completed", "first", "saga")
ONE: Final = ("timeout", "try", "finally", "call", "flow", "attempts", "turns", "send", "give_up")
"""What a tree is made of; `interpreter.Interpreter` says what each does."""


@dataclass(frozen=True, slots=True)
class Node:
    """One node.

    Args:
        kind: of `LEAVES`, `SEVERAL` or `ONE`.
        label: names its effect to the witness; unique in the tree.
        number: seconds, or how often, or how many: by kind.
        mode: a variant of the kind.
    """

    kind: str
    label: str = ""
    number: int = 0
    mode: str = ""
    children: tuple[Node, ...] = ()

    def __str__(self) -> str:
        said = [self.label] if self.label else []
        said += [str(self.number)] if self.number else []
        said += [self.mode] if self.mode else []
        said += [str(child) for child in self.children]
        return f"{self.kind}({', '.join(said)})"

    @property
    def size(self) -> int:
        """How many nodes the tree has."""
        return 1 + sum(child.size for child in self.children)

    def walk(self) -> Iterator[Node]:
        """The tree, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()

    def sent(self) -> list[Any]:
        """As JSON, to be the input of an execution."""
        children = [child.sent() for child in self.children]
        return [self.kind, self.label, self.number, self.mode, children]


def received(data: list[Any]) -> Node:
    """The tree that `Node.sent` made JSON of."""
    kind, label, number, mode, children = data
    return Node(kind, label, number, mode, tuple(received(child) for child in children))


def smaller_nodes(node: Node) -> Iterator[Node]:
    """Simpler trees, the simplest first: a child in its place, one child less, smaller numbers."""
    yield from node.children
    if len(node.children) > 1:
        for left_out in range(len(node.children)):
            kept = node.children[:left_out] + node.children[left_out + 1 :]
            yield replace(node, children=kept)
    if node.number > 1:
        yield replace(node, number=1)
    for place, child in enumerate(node.children):
        for simpler in smaller_nodes(child):
            children = (*node.children[:place], simpler, *node.children[place + 1 :])
            yield replace(node, children=children)
