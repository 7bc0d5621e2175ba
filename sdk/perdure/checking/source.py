"""Source text as rules see it: modules with what their names mean, and the durable bodies in them.

A body is a function, a flow, an object's method, or a coroutine function that takes the context.
Steps are none: they are ordinary code. Code in a body that runs as a step is left out.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
CONTEXT_NAMES: Final = ("ctx", "context")
_BODIES: Final = {
    "perdure.durable.function": "function",
    "perdure.durable.flow": "flow",
    "perdure.task": "task",
    "perdure.workflow": "workflow",
}
_STEPS: Final = ("perdure.durable.step", "perdure.durable.shared")
RUNS_A_STEP: Final = ("run", "spawn", "map")


@dataclass(frozen=True)
class Module:
    """A parsed file.

    Raises:
        SyntaxError: it is no Python.
    """

    file: str
    text: str
    tree: ast.Module = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tree", ast.parse(self.text, self.file))

    @cached_property
    def names(self) -> dict[str, str]:
        """What imported names mean: `dt` is `datetime.datetime`."""
        found: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for each in node.names:
                    top = each.name.partition(".")[0]
                    found[each.asname or top] = each.name if each.asname else top
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for each in node.names:
                    found[each.asname or each.name] = f"{node.module}.{each.name}"
        return found

    @cached_property
    def durable(self) -> frozenset[str]:
        """Names of this module's own steps, functions and flows."""
        return frozenset(
            node.name
            for node in ast.walk(self.tree)
            if isinstance(node, FunctionNode)
            and any(self.meaning(each).startswith("perdure.") for each in node.decorator_list)
        )

    def meaning(self, node: ast.AST) -> str:
        """The dotted name that an expression stands for; "" when it is no name."""
        if isinstance(node, ast.Call):
            return self.meaning(node.func)
        if isinstance(node, ast.Name):
            return self.names.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            owner = (
                self.meaning(node.value) if isinstance(node.value, ast.Name | ast.Attribute) else ""
            )
            return f"{owner}.{node.attr}" if owner else ""
        return ""

    def bodies(self) -> Iterator[Body]:
        """Every durable body, each once."""
        yield from self._bodies_in(self.tree, "", None)

    def _bodies_in(
        self, parent: ast.AST, prefix: str, owner: ast.ClassDef | None
    ) -> Iterator[Body]:
        for node in ast.iter_child_nodes(parent):
            if isinstance(node, ast.ClassDef):
                is_object = "perdure.durable.object" in map(self.meaning, node.decorator_list)
                yield from self._bodies_in(
                    node, f"{prefix}{node.name}.", node if is_object else None
                )
            elif isinstance(node, FunctionNode):
                kind = self._kind(node, owner)
                if kind:
                    yield Body(self, node, kind, f"{prefix}{node.name}", owner)
                else:
                    yield from self._bodies_in(node, f"{prefix}{node.name}.<locals>.", None)
            else:
                yield from self._bodies_in(node, prefix, owner)

    def _kind(self, node: FunctionNode, owner: ast.ClassDef | None) -> str:
        meanings = [self.meaning(each) for each in node.decorator_list]
        for meaning in meanings:
            if meaning in _BODIES:
                return _BODIES[meaning]
        if isinstance(node, ast.FunctionDef) or any(each in _STEPS for each in meanings):
            return ""
        if owner is not None:
            return "" if node.name.startswith("_") else "method"
        return "coroutine" if self.context_of(node) else ""

    def context_of(self, node: FunctionNode) -> str:
        """The name of the context parameter; "" when there is none."""
        parameters = [*node.args.posonlyargs, *node.args.args]
        for parameter in parameters:
            if parameter.annotation is not None:
                meaning = self.meaning(parameter.annotation)
                if isinstance(parameter.annotation, ast.Constant):
                    meaning = str(parameter.annotation.value)
                if meaning.rpartition(".")[2] == "DurableContext":
                    return parameter.arg
        first = next((each.arg for each in parameters if each.arg not in ("self", "cls")), "")
        return first if first in CONTEXT_NAMES else ""


@dataclass(frozen=True)
class Body:
    """One durable body.

    Args:
        kind: `function`, `flow`, `task`, `workflow`, `method` or `coroutine`.
        owner: the class of a method.
    """

    module: Module
    node: FunctionNode
    kind: str
    name: str
    owner: ast.ClassDef | None = None

    @property
    def is_deterministic(self) -> bool:
        """Whether it has promised to be."""
        if self.kind == "task":
            return False
        return not any(
            isinstance(each, ast.Call)
            and any(
                word.arg == "deterministic"
                and isinstance(word.value, ast.Constant)
                and word.value.value is False
                for word in each.keywords
            )
            for each in self.node.decorator_list
        )

    @cached_property
    def context(self) -> str:
        """What it calls the context; the ambient one is `ctx`."""
        return self.module.context_of(self.node) or "ctx"

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Everything in it that runs as part of it, in the order of the text."""
        return tuple(self._walk(self.node.body))

    def meaning(self, node: ast.AST) -> str:
        """See `Module.meaning`."""
        return self.module.meaning(node)

    def member(self, node: ast.AST) -> str:
        """`call` for `ctx.call(...)`, `state.set` for `ctx.state.set(...)`, else ""."""
        if not isinstance(node, ast.Call):
            return ""
        parts: list[str] = []
        found: ast.AST = node.func
        while isinstance(found, ast.Attribute):
            parts.append(found.attr)
            found = found.value
        ours = isinstance(found, ast.Name) and found.id in (self.context, "ctx")
        return ".".join(reversed(parts)) if ours else ""

    def is_durable_call(self, node: ast.AST) -> bool:
        """Whether it calls a step, function or flow of this module directly."""
        return (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in self.module.durable
        )

    def _walk(self, nodes: list[ast.stmt]) -> Iterator[ast.AST]:
        steps = self._step_names
        waiting: list[ast.AST] = list(reversed(nodes))
        while waiting:
            node = waiting.pop()
            if isinstance(node, FunctionNode):
                meanings = {self.meaning(each) for each in node.decorator_list}
                if node.name in steps or meanings & {*_STEPS, *_BODIES}:
                    continue
            yield node
            children = list(ast.iter_child_nodes(node))
            if isinstance(node, ast.Call) and self.member(node) in RUNS_A_STEP:
                children = [each for each in children if not isinstance(each, ast.Lambda)]
            waiting.extend(reversed(children))

    @cached_property
    def _step_names(self) -> frozenset[str]:
        """Functions that it hands over to run as steps."""
        found: set[str] = set()
        for node in ast.walk(self.node):
            if isinstance(node, ast.Call) and self.member(node) in RUNS_A_STEP:
                found.update(each.id for each in ast.walk(node) if isinstance(each, ast.Name))
        return frozenset(found)
