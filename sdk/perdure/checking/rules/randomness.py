"""PD105: randomness that does not repeat in a replay."""

from __future__ import annotations

from typing import Final

from perdure.checking.finding import Rule
from perdure.checking.rules.naming import calls_of

RANDOMNESS: Final = Rule(
    "PD105",
    "draws randomness that does not repeat",
    "use ctx.random() or ctx.uuid4(), or draw it in a step",
    calls_of("random.SystemRandom", "secrets.", "numpy.random.", "os.getrandom"),
    determinism=True,
)
