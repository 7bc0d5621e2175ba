"""The table of rules: PD1 determinism, PD2 payloads, PD3 awaiting, PD4 effects and state."""

from __future__ import annotations

from typing import Final

from perdure.checking.finding import Rule
from perdure.checking.rules.blocking import BLOCKING
from perdure.checking.rules.cancellation import CANCELLATION
from perdure.checking.rules.clocks import CLOCKS
from perdure.checking.rules.compensations import COMPENSATIONS
from perdure.checking.rules.environment import ENVIRONMENT
from perdure.checking.rules.hints import HINTS
from perdure.checking.rules.mutations import MUTATIONS
from perdure.checking.rules.randomness import RANDOMNESS
from perdure.checking.rules.sets import SETS
from perdure.checking.rules.threads import THREADS
from perdure.checking.rules.times import TIMES
from perdure.checking.rules.unawaited import UNAWAITED

RULES: Final[tuple[Rule, ...]] = (
    CLOCKS,
    BLOCKING,
    THREADS,
    ENVIRONMENT,
    RANDOMNESS,
    SETS,
    TIMES,
    HINTS,
    UNAWAITED,
    CANCELLATION,
    MUTATIONS,
    COMPENSATIONS,
)
