"""`Case`: a named program of the corpus, with one rule that exists because of an interleaving.

The docstring of a case quotes its rule. `code` defines what runs in the workers, `drive` is the
outside, `expect` says what must hold beside what holds of all journals.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from perdure import ctx
from perdure.service import Service
from perdure.testing.simulator.interpreter import SERVICE, stage, tell
from perdure.testing.simulator.journals import journal_violations, runs_of
from perdure.testing.simulator.outside import outcome_of, quiet
from perdure_runtime.core.entries import Entry

if TYPE_CHECKING:
    from perdure.client.client import Client
    from perdure.testing.simulator.program import Run, Witness, World

ROOT = "root"


class Case:
    """Base of the cases. Subclasses are added to the corpus."""

    name: ClassVar[str]
    may_stand: ClassVar[Sequence[str]] = ()

    def define(self) -> tuple[Sequence[Any], tuple[type, ...]]:
        """The durable functions, and the object classes, of the workers."""
        raise NotImplementedError

    @cached_property
    def _defined(self) -> tuple[Sequence[Any], tuple[type, ...]]:
        return self.define()

    def services(self, witness: Witness) -> Sequence[Service]:
        """See `Program`."""
        functions, objects = self._defined
        return [stage(witness, *functions, objects=objects)]

    async def drive(self, client: Client, world: World) -> Any:
        """See `Program`; starts `main` without an input and gives its outcome."""
        handle = await client.start(SERVICE, "main", None, id=ROOT)
        outcome = await outcome_of(handle)
        await quiet(client, world)
        return outcome

    def check(self, run: Run) -> Sequence[str]:
        """See `Program`."""
        if run.error is not None:
            return [f"the outside met {type(run.error).__name__}: {run.error}"]
        return [*journal_violations(run, may_stand=self.may_stand), *self.expect(run)]

    def expect(self, run: Run) -> Iterator[str]:
        """What must hold of this case."""
        raise NotImplementedError


async def told_key(name: str) -> str:
    """A step that gives its idempotency key."""
    tell(name)
    return ctx.idempotency_key


async def slow(name: str, seconds: float) -> str:
    """A step that has its effect and then takes time."""
    tell(name)
    await asyncio.sleep(seconds)
    return name


def result_is(run: Run, *allowed: Any) -> Iterator[str]:
    """Whether the outcome is one of these."""
    if run.result not in allowed:
        told = " or ".join(map(repr, allowed))
        yield f"the outcome is {run.result!r}, not {told}"


def same(what: str, expected: Any, found: Any) -> Iterator[str]:
    """Whether two values are equal."""
    if expected != found:
        yield f"{what}: {found!r}, not {expected!r}"


def seen(run: Run, name: str, keys: int = 1) -> Iterator[str]:
    """Whether an effect was seen under so many keys, and without a fault once under each."""
    log = [effect.key or "" for effect in run.witness.log if effect.name == name]
    distinct = {key.split("@")[0] for key in log}
    if len(distinct) != keys:
        yield f"{name} was seen under {len(distinct)} keys, not {keys}"
    if not run.faults and len(log) != keys:
        yield f"{name} was seen {len(log)} times without a fault"


def entries(run: Run, id: str, *kinds: type) -> list[Entry]:
    """The entries of these kinds in a journal."""
    return [each.entry for each in run.journals.get(id, ()) if isinstance(each.entry, kinds)]


__all__ = ["ROOT", "Case", "entries", "result_is", "runs_of", "same", "seen", "slow", "told_key"]
