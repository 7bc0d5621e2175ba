"""PD104: the environment of the process, which the next worker need not share."""

from __future__ import annotations

import ast
from typing import Final

from perdure.checking.finding import Rule, Told
from perdure.checking.source import Body

_READS: Final = ("os.environ", "os.getenv", "sys.argv", "os.getpid", "socket.gethostname")


def _check(body: Body) -> Told:
    for node in body.nodes:
        if isinstance(node, ast.Attribute | ast.Name) and body.meaning(node) in _READS:
            yield node, f"{body.meaning(node)} in {body.kind} {body.name}"


ENVIRONMENT: Final = Rule(
    "PD104",
    "reads the environment of the process",
    "it is not recorded: read it in a step, or pass it with the input",
    _check,
    determinism=True,
)
