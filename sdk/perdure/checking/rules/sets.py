"""PD106: the order of a set, which differs from process to process."""

from __future__ import annotations

import ast
from typing import Final

from perdure.checking.finding import Rule, Told
from perdure.checking.source import Body

_MAKERS: Final = ("set", "frozenset")
_ORDERED_BY: Final = ("list", "tuple", "enumerate", "iter", "next", "zip", "map")


def _check(body: Body) -> Told:
    names = _set_names(body)
    for node in body.nodes:
        iterated: list[ast.expr] = []
        if isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
            iterated = [node.iter]
        elif isinstance(node, ast.Call) and body.meaning(node.func) in _ORDERED_BY:
            iterated = list(node.args)
        for each in iterated:
            if _is_set(body, each) or (isinstance(each, ast.Name) and each.id in names):
                yield each, f"{body.kind} {body.name} depends on the order of a set"


def _set_names(body: Body) -> frozenset[str]:
    """Local names that hold a set wherever they are assigned."""
    sets: set[str] = set()
    others: set[str] = set()
    for node in body.nodes:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    (sets if _is_set(body, node.value) else others).add(target.id)
    return frozenset(sets - others)


def _is_set(body: Body, node: ast.expr) -> bool:
    if isinstance(node, ast.Set | ast.SetComp):
        return True
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd | ast.BitOr | ast.Sub):
        return _is_set(body, node.left) or _is_set(body, node.right)
    return isinstance(node, ast.Call) and body.meaning(node.func) in _MAKERS


SETS: Final = Rule(
    "PD106",
    "iterates over a set",
    "its order differs from process to process: iterate over sorted(...)",
    _check,
    determinism=True,
)
