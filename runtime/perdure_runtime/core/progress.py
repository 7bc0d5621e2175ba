"""How far an execution says that it is: what users wrote, made fit to be kept and shown."""

from __future__ import annotations

import math

import msgspec

from perdure_runtime.core.errors import InvalidArgumentError, ProtocolError
from perdure_runtime.core.limits import MAX_REASON_CHARS
from perdure_runtime.core.messages import Progress


def progress_of(done: float, total: float | None, message: str) -> Progress:
    """What user code says.

    Raises:
        InvalidArgumentError: a number is none, or endless.
    """
    for what, number in (("done", done), ("total", total)):
        if number is not None and not math.isfinite(number):
            raise InvalidArgumentError(f"progress(): {what} must be a finite number, not {number}")
    return Progress(float(done), None if total is None else float(total), _readable(str(message)))


def encode_progress(progress: Progress) -> bytes:
    """As it is kept with an execution.

    Raises:
        ProtocolError: a worker sent a number that is none, or endless.
    """
    total = 0.0 if progress.total is None else progress.total
    if not (math.isfinite(progress.done) and math.isfinite(total)):
        raise ProtocolError(f"progress {progress.done} of {progress.total} is no finite number")
    message = _readable(progress.message)
    return msgspec.json.encode(Progress(progress.done, progress.total, message))


def _readable(text: str) -> str:
    """At most as long as a reason, with lone surrogates spelled out."""
    return text[:MAX_REASON_CHARS].encode("utf-8", "backslashreplace").decode()
