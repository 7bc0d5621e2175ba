"""`DB({...})`: the facade of the page that actions come from, with `db.generate`.

There is no database here: a schema names types, and an injected generator makes records of them in
an action, one after the other, each recorded once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from perdure.actions.action import Action
from perdure.actions.context import ActionContext
from perdure.actions.operations import Actions
from perdure.option_checks import check_count
from perdure_runtime.core.errors import InvalidArgumentError

if TYPE_CHECKING:
    from perdure._compose.runtime import Runtime
    from perdure.client.client import Client

Schema = Mapping[str, Mapping[str, str]]
Generator = Callable[[str, int, Mapping[str, Any]], Coroutine[Any, Any, Any]]
"""Makes a record: called with the type, its number from 0, and `data`."""

GENERATE: Final = "generate"
MAX_RECORDS: Final = 10_000


class Database:
    """What `DB` gives beside the actions."""

    def __init__(self, schema: Schema, actions: Actions, generates: bool) -> None:
        self.schema = {name: dict(fields) for name, fields in schema.items()}
        self._actions = actions
        self._generates = generates

    async def generate(
        self,
        *,
        type: str,  # noqa: A002 - the word of the page
        count: int,
        data: Mapping[str, Any] | None = None,
        mode: Literal["background", "wait"] = "background",
    ) -> Action:
        """Start to generate records; the action's result is their list.

        Args:
            type: one of the schema.
            count: how many, at most 10,000.
            data: handed to the generator with each record.
            mode: "background" returns at once, "wait" when all are there.

        Raises:
            InvalidArgumentError: no such type or mode, or `DB` was given no generator.
            ActionFailedError, ActionCancelledError: with mode "wait".
        """
        if type not in self.schema:
            known = ", ".join(self.schema) or "none"
            raise InvalidArgumentError(f"there is no type {type!r} in the schema; it has {known}")
        if mode not in ("background", "wait"):
            raise InvalidArgumentError(f"mode must be 'background' or 'wait', not {mode!r}")
        if not self._generates:
            raise InvalidArgumentError("nothing makes records here: DB(schema, generator=...)")
        check_count("generate()", "count", count, minimum=0)
        if count > MAX_RECORDS:
            raise InvalidArgumentError(f"count must be at most {MAX_RECORDS}, not {count}")
        order = {"type": type, "count": count, "data": dict(data or {})}
        action = await self._actions.start(GENERATE, order)
        if mode == "wait":
            await self._actions.result(action.id)
            found = await self._actions.get(action.id)
            return found or action
        return action


def DB(  # noqa: N802 - the name of the page
    schema: Schema,
    *,
    generator: Generator | None = None,
    client: Client | Runtime | None = None,
) -> tuple[Database, Actions]:
    """A database facade and its actions: `db, actions = DB({"Post": {"title": "string"}})`.

    Args:
        schema: fields by name, by type.
        generator: makes the records of `db.generate`; defines the action "generate" of this
            process. The last `DB` with a generator counts.
        client: a client or an embedded runtime; the ambient one when None.
    """
    actions = Actions(client)
    if generator is not None:
        actions.define(GENERATE, _generating(generator))
    return Database(schema, actions, generator is not None), actions


def _generating(generator: Generator) -> Callable[[Any, ActionContext], Awaitable[list[Any]]]:
    async def generate(order: Any, context: ActionContext) -> list[Any]:
        records: list[Any] = []
        for number in range(order["count"]):
            key, kind, data = f"record {number}", order["type"], order["data"]
            records.append(await context.step(key, generator, kind, number, data))
            context.progress(number + 1, order["count"])
        return records

    return generate
