"""`# perdure: ignore[PD101]` on a line silences these rules there; without brackets, all rules."""

from __future__ import annotations

import io
import re
import tokenize
from typing import Final

_COMMENT: Final = re.compile(r"#\s*perdure:\s*ignore(?:\[([A-Za-z0-9,\s]*)\])?")
EVERY: Final = "*"


def ignored_rules(text: str) -> dict[int, frozenset[str]]:
    """Line numbers with the rules that are silenced there; `EVERY` stands for all."""
    found: dict[int, frozenset[str]] = {}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and (match := _COMMENT.search(token.string)):
            names = (match[1] or "").replace(",", " ").split()
            found[token.start[0]] = frozenset(names) if names else frozenset({EVERY})
    return found
