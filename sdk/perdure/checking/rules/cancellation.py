"""PD302: handlers that swallow a cancellation."""

from __future__ import annotations

import ast
from typing import Final

from perdure.checking.finding import Rule, Told
from perdure.checking.source import Body

_CATCH: Final = ("BaseException", "asyncio.CancelledError", "asyncio.exceptions.CancelledError")


def _check(body: Body) -> Told:
    for node in body.nodes:
        if isinstance(node, ast.Try | ast.TryStar):
            for handler in node.handlers:
                caught = _caught(body, handler)
                if caught and not any(isinstance(each, ast.Raise) for each in ast.walk(handler)):
                    yield handler, f"{caught} swallows cancellations in {body.kind} {body.name}"


def _caught(body: Body, handler: ast.ExceptHandler) -> str:
    if handler.type is None:
        return "a bare except"
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    found = [body.meaning(each) for each in kinds if body.meaning(each) in _CATCH]
    return f"except {found[0]}" if found else ""


CANCELLATION: Final = Rule(
    "PD302",
    "swallows a cancellation",
    "catch Exception, or end the handler with raise",
    _check,
)
