"""What a rule says, and where."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perdure.checking.source import Body

Told = Iterator[tuple[ast.AST, str]]
"""The place in the source, and what is wrong there."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing to find.

    Args:
        id: `PD` and three digits; never given to another rule.
        title: what is wrong, in a few words.
        advice: what to write instead.
        check: looks through one body.
        determinism: whether it concerns deterministic bodies only.
    """

    id: str
    title: str
    advice: str
    check: Callable[[Body], Told]
    determinism: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Something to change.

    Args:
        line: from 1.
        column: from 1.
        function: the qualified name of the body.
    """

    file: str
    line: int
    column: int
    rule: str
    message: str
    advice: str
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.rule} {self.message}; {self.advice}"
