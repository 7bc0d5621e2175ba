"""Random programs: trees drawn from a seed, what drives them from outside, and what must hold.

`random_program(seed)` always gives the same program; `program.smaller()` gives simpler ones, for a
search for the smallest that still fails.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from perdure.service import Service
from perdure.testing.simulator.expectations import violations
from perdure.testing.simulator.interpreter import SERVICE, Lines, random_code, stage
from perdure.testing.simulator.model import Prediction, predict
from perdure.testing.simulator.nodes import Node, smaller_nodes
from perdure.testing.simulator.outside import outcome_of, quiet, send_all, settle_promises

if TYPE_CHECKING:
    from perdure.client.client import Client
    from perdure.testing.simulator.program import Run, Witness, World

ROOT: Final = "root"
MOST_NODES: Final = 14
OBJECTS: Final = 2
_LEAVES: Final = {
    "step": 5,
    "sync": 1,
    "retried": 2,
    "failing": 1,
    "once": 1,
    "sleep": 2,
    "emit": 1,
    "event": 3,
    "inbox": 1,
    "promise": 1,
    "append": 4,
    "read": 1,
    "map": 1,
}
_SEVERAL: Final = {
    "sequence": 4,
    "gather": 3,
    "group": 2,
    "spawn": 2,
    "race": 2,
    "completed": 1,
    "first": 1,
    "saga": 2,
}
_ONE: Final = {
    "timeout": 2,
    "try": 2,
    "finally": 1,
    "call": 3,
    "flow": 1,
    "attempts": 3,
    "turns": 1,
    "send": 2,
    "give_up": 1,
}
_MODES: Final = {
    "event": ("", "", "twice", "timeout"),
    "inbox": ("", "late"),
    "promise": ("", "fails", "timeout"),
    "append": ("", "slow", "stumble"),
    "saga": ("", "fails"),
    "sleep": ("", "context"),
}
_NUMBERS: Final = {
    "retried": (1, 2),
    "sleep": (0, 1, 3),
    "event": (0, 0, 1, 4),
    "inbox": (1, 2, 3),
    "append": tuple(range(OBJECTS)),
    "read": tuple(range(OBJECTS)),
    "map": (1, 3),
    "timeout": (1, 3, 10),
    "attempts": (1, 2),
    "turns": (1, 2, 3),
    "send": (0, 2),
    "give_up": (0, 1, 3),
}


@dataclass(frozen=True, slots=True)
class RandomProgram:
    """A tree and what the outside does to it.

    Args:
        seed: that it was drawn from.
        root: what the first execution runs.
        cancel_s: seconds after which that is cancelled; None: never.
    """

    seed: int
    root: Node
    cancel_s: float | None = None

    @property
    def name(self) -> str:
        """Names it in a replay."""
        return f"random:{self.seed}"

    def __str__(self) -> str:
        cancelled = "" if self.cancel_s is None else f", cancelled after {self.cancel_s:g} s"
        return f"{self.root}{cancelled}"

    def services(self, witness: Witness) -> Sequence[Service]:
        """See `Program`."""
        functions, objects = random_code()
        return [stage(witness, *functions, objects=objects)]

    async def drive(self, client: Client, world: World) -> Any:
        """Start it, send and settle what it waits for, cancel it if so, and await the outcome."""
        expected = self.predict()
        await send_all(client, [event for event in expected.events if not event[0]])
        given = {"node": self.root.sent(), "turn": ""}
        handle = await client.start(SERVICE, "run", given, id=ROOT)
        others = [
            asyncio.create_task(send_all(client, expected.events, world)),
            asyncio.create_task(settle_promises(client, world, expected.promises)),
        ]
        if self.cancel_s is not None:
            others.append(asyncio.create_task(self._cancel(client, world)))
        try:
            outcome = await outcome_of(handle)
            await quiet(client, world)
            for key in sorted(_objects(self.root)):
                lines: Any = client.object(Lines, key)
                last = await client.start(lines.read, id=f"last-{key}")
                await last.result()
            return outcome
        finally:
            for task in others:
                task.cancel()
            ended = await asyncio.gather(*others, return_exceptions=True)
            for error in ended:
                if isinstance(error, Exception):
                    raise error

    def check(self, run: Run) -> Sequence[str]:
        """See `Program`."""
        return violations(self.predict(faults=bool(run.faults)), self.root, run, self.cancel_s)

    def predict(self, faults: bool = True) -> Prediction:
        """What it may come to."""
        return predict(self.root, faults=faults, cancelled=self.cancel_s is not None)

    def smaller(self) -> Iterator[RandomProgram]:
        """Simpler programs."""
        if self.cancel_s is not None:
            yield replace(self, cancel_s=None)
        for node in smaller_nodes(self.root):
            yield replace(self, root=node)

    async def _cancel(self, client: Client, world: World) -> None:
        assert self.cancel_s is not None
        await world.sleep(self.cancel_s)
        await client.cancel(ROOT, "enough")


def random_program(seed: int) -> RandomProgram:
    """The program of a seed."""
    chance = random.Random(f"program {seed}")
    drawing = _Drawing(chance)
    root = drawing.node(chance.randint(2, MOST_NODES), depth=0)
    cancel_s = chance.choice([0.0, 0.5, 1.0, 2.5]) if chance.random() < 0.15 else None
    return RandomProgram(seed, root, cancel_s)


def _objects(root: Node) -> set[str]:
    return {f"object-{node.number}" for node in root.walk() if node.kind in ("append", "read")}


class _Drawing:
    """Draws one tree."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._labels = 0

    def node(self, size: int, depth: int) -> Node:
        """A tree of about so many nodes."""
        chance = self._chance
        if size <= 1 or depth >= 6:
            return self._made(self._drawn(_LEAVES))
        if chance.random() < 0.4:
            kind = self._drawn(_ONE)
            return self._made(kind, (self.node(size - 1, depth + 1),))
        kind = self._drawn(_SEVERAL)
        children: list[Node] = []
        left = size - 1
        while left > 0 and len(children) < 4:
            part = chance.randint(1, left)
            children.append(self.node(part, depth + 1))
            left -= part
        chance.shuffle(children)
        return self._made(kind, tuple(children))

    def _made(self, kind: str, children: tuple[Node, ...] = ()) -> Node:
        self._labels += 1
        mode = self._chance.choice(_MODES.get(kind, ("",)))
        number = self._chance.choice(_NUMBERS.get(kind, (0,)))
        return Node(kind, f"{kind[:2]}{self._labels}", number, mode, children)

    def _drawn(self, weights: dict[str, int]) -> str:
        return self._chance.choices([*weights], [*weights.values()])[0]
