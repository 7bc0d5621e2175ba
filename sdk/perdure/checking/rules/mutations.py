"""PD401: an object changes itself and then awaits. If the method raises later, the change stays."""

from __future__ import annotations

import ast
from typing import Final

from perdure.checking.finding import Rule, Told
from perdure.checking.source import Body

_CHANGES: Final = frozenset(
    {
        *("add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop"),
        *("popitem", "popleft", "remove", "reverse", "setdefault", "sort", "update"),
    }
)


def _check(body: Body) -> Told:
    if body.kind != "method" or _rolls_back(body):
        return
    awaits = [each for each in body.nodes if isinstance(each, ast.Await)]
    saves = [_line(each) for each in awaits if _is_save(each)]
    others = [_line(each) for each in awaits if not _is_save(each)]
    for node in body.nodes:
        name, line = _changed(node), _line(node)
        kept = min((saved for saved in saves if saved >= line), default=None)  # on purpose, there
        if name and any(line < other and (kept is None or other < kept) for other in others):
            yield node, f"self.{name} changes before an await in {body.name}"


def _is_save(node: ast.Await) -> bool:
    """Whether it is `await self.save()`: what is saved there is meant to stay."""
    call = node.value
    return (
        isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "save"
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "self"
    )


def _line(node: ast.AST) -> int:
    return int(getattr(node, "lineno", 0))


def _rolls_back(body: Body) -> bool:
    decorators = [*body.node.decorator_list, *(body.owner.decorator_list if body.owner else ())]
    return any(
        word.arg == "on_error"
        and isinstance(word.value, ast.Constant)
        and word.value.value == "rollback"
        for each in decorators
        if isinstance(each, ast.Call)
        for word in each.keywords
    )


def _changed(node: ast.AST) -> str:
    """The attribute of self that a statement or call changes; "" when it changes none."""
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AugAssign | ast.AnnAssign):
        targets = [node.target]
    elif isinstance(node, ast.Delete):
        targets = node.targets
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        targets = [node.func.value] if node.func.attr in _CHANGES else []
    return next((name for name in map(_attribute, targets) if name), "")


def _attribute(node: ast.expr) -> str:
    while isinstance(node, ast.Subscript):
        node = node.value
    while isinstance(node, ast.Attribute):
        if isinstance(node.value, ast.Name) and node.value.id == "self":
            return node.attr
        node = node.value
    return ""


MUTATIONS: Final = Rule(
    "PD401",
    "an object changes before an await",
    "what was changed stays if the method raises later: change after the last await, use "
    'on_error="rollback", or say with `await self.save()` that it is to stay',
    _check,
)
