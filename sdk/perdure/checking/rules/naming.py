"""Rules that look for names: calls of, or reads from, what is on a list."""

from __future__ import annotations

import ast
from collections.abc import Callable

from perdure.checking.finding import Told
from perdure.checking.source import Body


def calls_of(*names: str) -> Callable[[Body], Told]:
    """Finds calls of these dotted names; one that ends in a dot stands for all below it."""
    whole = frozenset(each for each in names if not each.endswith("."))
    parts = tuple(each for each in names if each.endswith("."))

    def check(body: Body) -> Told:
        for node in body.nodes:
            if isinstance(node, ast.Call):
                meaning = body.meaning(node.func)
                if meaning in whole or (parts and meaning.startswith(parts)):
                    yield node, f"{meaning}() in {body.kind} {body.name}"

    return check
