"""What can be wrong with an action, in the words of the page that actions come from."""

from __future__ import annotations

from perdure_runtime.core.errors import InvalidTransitionError, NotFoundError, PerdureError


class ActionNotFoundError(NotFoundError):
    """There is no such action, or it was deleted: `Action not found: ID`."""


class ActionStateError(InvalidTransitionError):
    """The action's status does not allow it: `Can only retry failed actions: ID`."""


class ActionNotDefinedError(NotFoundError):
    """Nobody has ever defined an action of this name, and the start was to be strict."""


class ActionFailedError(PerdureError):
    """The action failed; its message is the handler's, `__cause__` the restored exception."""


class ActionCancelledError(PerdureError):
    """The action was cancelled; the message is the reason."""
