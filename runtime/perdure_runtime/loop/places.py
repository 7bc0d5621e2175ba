"""Where the user's code is that calls us: for diffs, which name file and line."""

from __future__ import annotations

import sys
from types import CodeType, FrameType
from typing import Final

Place = tuple[CodeType, int]
"""A code object and an instruction in it; the line is looked up when somebody wants to read it."""

_NOT_THEIRS: Final = ("perdure.", "perdure_runtime.", "asyncio.")
# Code that was seen to be ours, by its id and kept alive so that the id stays its own: a look at it
# costs less than one at the name of its module.
_our_code: Final[dict[int, CodeType]] = {}


def calling_place() -> Place | None:
    """The innermost frame that is neither ours nor asyncio's; None when there is none."""
    frame = sys._getframe(1)
    while id(code := frame.f_code) in _our_code or _is_ours(frame):
        outer = frame.f_back
        if outer is None:
            return None
        _our_code[id(code)] = code
        frame = outer
    return frame.f_code, frame.f_lasti


def _is_ours(frame: FrameType) -> bool:
    name: str = frame.f_globals.get("__name__", "")
    return name.startswith(_NOT_THEIRS)
