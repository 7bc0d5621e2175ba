"""Durable actions: long-running operations that survive restarts, tell progress, and are retried.

`from perdure import actions`, then `actions.define`, `actions.start`, `actions.get`, ...: through
the ambient client, as direct calls. `Actions(client)` has the same for one client; `DB({...})`
gives `(db, actions)`. See docs/actions.md.
"""

from __future__ import annotations

from typing import Final

from perdure.actions.action import Action, ActionStatus
from perdure.actions.context import ActionContext
from perdure.actions.database import DB, Database
from perdure.actions.defining import Defined, services
from perdure.actions.errors import (
    ActionCancelledError,
    ActionFailedError,
    ActionNotDefinedError,
    ActionNotFoundError,
    ActionStateError,
)
from perdure.actions.operations import Actions

_ambient: Final = Actions()
define = _ambient.define
start = _ambient.start
start_many = _ambient.start_many
get = _ambient.get
list = _ambient.list  # noqa: A001 - the word of the page
watch = _ambient.watch
result = _ambient.result
retry = _ambient.retry
cancel = _ambient.cancel

__all__ = [
    "DB",
    "Action",
    "ActionCancelledError",
    "ActionContext",
    "ActionFailedError",
    "ActionNotDefinedError",
    "ActionNotFoundError",
    "ActionStateError",
    "ActionStatus",
    "Actions",
    "Database",
    "Defined",
    "cancel",
    "define",
    "get",
    "list",
    "result",
    "retry",
    "services",
    "start",
    "start_many",
    "watch",
]
