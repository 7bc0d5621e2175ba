"""PD301: durable calls that nobody awaits."""

from __future__ import annotations

import ast
from typing import Final

from perdure.checking.finding import Rule, Told
from perdure.checking.source import Body

_AWAITED: Final = frozenset(
    {
        *("call", "send", "run", "spawn", "map", "race", "shield", "wait_until"),
        *("sleep", "sleep_until", "wait_for_event", "send_event"),
        *("state.get", "state.set", "state.delete", "state.keys", "state.update"),
    }
)


def _check(body: Body) -> Told:
    for node in body.nodes:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            member = body.member(node.value)
            if member in _AWAITED:
                yield node, f"ctx.{member}() is not awaited in {body.kind} {body.name}"
            elif body.is_durable_call(node.value):
                name = body.meaning(node.value.func)
                yield node, f"{name}() is not awaited in {body.kind} {body.name}"


UNAWAITED: Final = Rule(
    "PD301",
    "a durable call that nobody awaits",
    "it is cancelled when the body ends: await it, or keep what it returns and await that",
    _check,
)
