"""`Faults`: what goes wrong in a simulated run, and how often.

Every kind has a stream of random numbers of its own, so that switching one off leaves the draws of
the others alone. A run draws which of the kinds it has at all: many faults at once hide the bugs
that need few.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Final

from perdure_runtime.core.errors import InvalidArgumentError


@dataclass(frozen=True, slots=True)
class Faults:
    """Probabilities by kind; 0.0 switches a kind off.

    Args:
        delay: of a message to be held up for long; short delays are always there.
        drop: per message, of its connection to break; what is in flight is lost, both ways.
        lost_answer: per frame of the coordinator, of its connection to break instead: the other
            side does not know what became of its request, and says it again.
        worker_crash: per frame of a worker, of its process to die; another one begins.
        worker_stop: per frame of a worker, of it to be stopped in good order, as by a deployment.
        freeze: per frame of a worker, of its process to be stopped, often for longer than its
            lease, and to go on as if nothing had happened.
        coordinator_crash: per commit, of the coordinator to die during it; the batch is wholly on
            disk or wholly not.
        coordinator_stop: per commit, of the coordinator to be stopped in good order.
        crash_after_commit: per commit, of the coordinator to die between commit and answer.
        commit_lost: per commit, of it to succeed and to be reported as broken.
        disk_full: per commit, of it to be refused; nothing is written.
        slow_disk: per operation of the store, of it to take long.
        clock_jump: per commit, of the wall clock to jump by up to hours, either way.
        limit: faults of a run at most, delays and slowness apart.
        window_ms: virtual time after which nothing goes wrong any more.
        all_kinds: whether a run has every kind, instead of those it draws.
    """

    delay: float = 0.05
    drop: float = 0.01
    lost_answer: float = 0.02
    worker_crash: float = 0.02
    worker_stop: float = 0.005
    freeze: float = 0.01
    coordinator_crash: float = 0.02
    coordinator_stop: float = 0.01
    crash_after_commit: float = 0.02
    commit_lost: float = 0.01
    disk_full: float = 0.02
    slow_disk: float = 0.05
    clock_jump: float = 0.02
    limit: int = 20
    window_ms: int = 60_000
    all_kinds: bool = False

    def __post_init__(self) -> None:
        for kind in KINDS:
            if not 0.0 <= getattr(self, kind) <= 1.0:
                raise InvalidArgumentError(f"fault {kind}={getattr(self, kind)} is no probability")
        if self.limit < 0 or self.window_ms < 0:
            raise InvalidArgumentError("limit and window_ms of faults are not negative")

    @classmethod
    def none(cls) -> Faults:
        """Nothing goes wrong; messages still take their time."""
        return cls(limit=0).without(*KINDS)

    @classmethod
    def only(cls, *kinds: str, limit: int = 20, factor: float = 1.0) -> Faults:
        """These kinds, in every run, with `factor` times their usual probabilities."""
        usual = cls()
        chosen: dict[str, Any] = {kind: min(1.0, factor * getattr(usual, kind)) for kind in kinds}
        return replace(cls.none(), limit=limit, all_kinds=True, **chosen)

    def without(self, *kinds: str) -> Faults:
        """The same with some kinds switched off."""
        off: dict[str, Any] = dict.fromkeys(kinds, 0.0)
        return replace(self, **off)

    @property
    def active(self) -> tuple[str, ...]:
        """The kinds that can happen."""
        return tuple(kind for kind in KINDS if getattr(self, kind))

    def text(self) -> str:
        """What differs from the usual, as `parse` reads it; "" for nothing."""
        if not self.active:
            return "none"
        usual = Faults()
        parts = (
            f"{each.name}={getattr(self, each.name):g}"
            for each in fields(self)
            if getattr(self, each.name) != getattr(usual, each.name)
        )
        return ",".join(parts)

    @classmethod
    def parse(cls, text: str) -> Faults:
        """The faults that `name=value,...` says; what is not named is as usual. `none` is nothing.

        Raises:
            InvalidArgumentError: there is no such name, or the value is none of its kind.
        """
        if text == "none":
            return cls.none()
        changes: dict[str, Any] = {}
        for part in filter(None, text.split(",")):
            name, _, value = part.partition("=")
            if name not in (*KINDS, "limit", "window_ms", "all_kinds"):
                raise InvalidArgumentError(f"there is no fault {name!r}: {', '.join(KINDS)}")
            try:
                if name in KINDS:
                    changes[name] = float(value)
                elif name in ("limit", "window_ms"):
                    changes[name] = int(float(value))
                else:
                    changes[name] = bool(int(value))
            except ValueError:
                raise InvalidArgumentError(f"{part!r} is not name=number") from None
        return replace(cls(), **changes)


KINDS: Final = tuple(
    each.name for each in fields(Faults) if each.name not in ("limit", "window_ms", "all_kinds")
)
"""All kinds of faults."""
