"""PD402: calls in an except block that raises again. A retry would take their results, and those
of what they undo, from the attempt before."""

from __future__ import annotations

import ast
from typing import Final

from perdure.checking.finding import Rule, Told
from perdure.checking.source import Body

_CALLS: Final = ("call", "send", "run", "spawn", "map")


def _check(body: Body) -> Told:
    for node in body.nodes:
        if not isinstance(node, ast.ExceptHandler) or not isinstance(node.body[-1], ast.Raise):
            continue
        parts = [part for statement in node.body for part in ast.walk(statement)]
        if any(body.member(part) == "forget" for part in parts):
            continue
        for part in parts:
            member = body.member(part)
            if member in _CALLS:
                yield part, f"ctx.{member}() before a raise in {body.kind} {body.name}"
            elif body.is_durable_call(part) and isinstance(part, ast.Call):
                name = body.meaning(part.func)
                yield part, f"{name}() before a raise in {body.kind} {body.name}"


COMPENSATIONS: Final = Rule(
    "PD402",
    "a call in an except block that raises again",
    "a retry reuses what it undoes: compensate with ctx.saga(), or tell ctx.forget(handle)",
    _check,
)
