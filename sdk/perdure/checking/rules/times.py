"""PD201: the virtual time in a payload. A retry has another time, so nothing would be reused."""

from __future__ import annotations

import ast
from typing import Final

from perdure.checking.finding import Rule, Told
from perdure.checking.source import Body

_TIMES: Final = ("now", "time")
_REAL_TIMES: Final = ("time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns")
_TAKES_PAYLOAD: Final = ("call", "send", "run", "spawn", "map", "send_event")


def _check(body: Body) -> Told:
    tainted = _names_with_time(body)
    for node in body.nodes:
        if not isinstance(node, ast.Call):
            continue
        if body.member(node) in _TAKES_PAYLOAD or body.is_durable_call(node):
            for argument in node.args:
                if isinstance(argument, ast.Lambda):
                    continue
                for part in ast.walk(argument):
                    if _is_time(body, part) or (isinstance(part, ast.Name) and part.id in tainted):
                        yield part, f"the time flows into a payload in {body.kind} {body.name}"
                        break


def _names_with_time(body: Body) -> frozenset[str]:
    found: set[str] = set()
    for node in body.nodes:
        if isinstance(node, ast.Assign):
            for part in ast.walk(node.value):
                if _is_time(body, part) or (isinstance(part, ast.Name) and part.id in found):
                    found.update(each.id for each in node.targets if isinstance(each, ast.Name))
                    break
    return frozenset(found)


def _is_time(body: Body, node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    return body.member(node) in _TIMES or body.meaning(node.func) in _REAL_TIMES


TIMES: Final = Rule(
    "PD201",
    "puts the time into a payload",
    "a retry has another time, so its results are not reused: take the time in the step itself",
    _check,
)
