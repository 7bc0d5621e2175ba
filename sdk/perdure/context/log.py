"""`ctx.log`: a logger that says nothing twice: it is silent while the body is replayed.

Records carry `execution_id` and `attempt`. Inside bodies they are made with real time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, MutableMapping
from typing import Any, Final

from perdure_runtime.loop import outside_of_slice

_LOGGER: Final = logging.getLogger("perdure.execution")


class ExecutionLogger(logging.LoggerAdapter[logging.Logger]):
    """The logger of one execution.

    Args:
        is_silent: asked before each record.
    """

    def __init__(self, execution_id: str, attempt: int, is_silent: Callable[[], bool]) -> None:
        super().__init__(_LOGGER, {"execution_id": execution_id, "attempt": attempt})
        self._is_silent = is_silent

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - the name is logging's
        """Whether a record of this level would be made now."""
        return not self._is_silent() and super().isEnabledFor(level)

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        """Add the execution to the record's own extras."""
        kwargs["extra"] = {**(self.extra or {}), **kwargs.get("extra", {})}
        return msg, kwargs

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Make a record outside of virtual time."""
        with outside_of_slice():
            kwargs["stacklevel"] = kwargs.get("stacklevel", 1) + 1
            super().log(level, msg, *args, **kwargs)
