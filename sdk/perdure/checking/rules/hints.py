"""PD202: parameters and results that cannot travel."""

from __future__ import annotations

import ast
from typing import Final

from perdure.checking.finding import Rule, Told
from perdure.checking.source import Body

_CANNOT: Final = frozenset(
    {
        *(f"typing.{each}" for each in ("Callable", "Generator", "Iterator", "AsyncIterator")),
        *(f"typing.{each}" for each in ("AsyncGenerator", "Awaitable", "Coroutine")),
        *(f"typing.{each}" for each in ("IO", "TextIO", "BinaryIO")),
        *(f"collections.abc.{each}" for each in ("Callable", "Generator", "Iterator")),
        *(f"collections.abc.{each}" for each in ("AsyncIterator", "AsyncGenerator")),
        *(f"collections.abc.{each}" for each in ("Awaitable", "Coroutine")),
        "logging.Logger",
        "types.FunctionType",
        "types.ModuleType",
        "callable",
    }
)
_CANNOT_BELOW: Final = ("asyncio.", "concurrent.futures.", "io.", "socket.", "threading.")


def _check(body: Body) -> Told:
    arguments = body.node.args
    parameters = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    hinted = [(each.arg, each.annotation) for each in parameters if each.arg != body.context]
    for name, hint in (*hinted, ("the result", body.node.returns)):
        for part in ast.walk(hint) if hint is not None else ():
            meaning = body.meaning(part) if isinstance(part, ast.Name | ast.Attribute) else ""
            if meaning in _CANNOT or (meaning.count(".") and meaning.startswith(_CANNOT_BELOW)):
                yield part, f"{name} of {body.kind} {body.name} is a {meaning}"


HINTS: Final = Rule(
    "PD202",
    "a hint that cannot be serialized",
    "pass data: inputs and results travel and are stored as JSON",
    _check,
)
