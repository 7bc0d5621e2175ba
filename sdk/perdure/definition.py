"""A definition: one unit of a user's code with its name, kind and checked options.

Decorators make definitions, services collect them, workers run them, clients start them. A
definition is plain data about a plain callable: it runs nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from perdure.options import DEFAULT_OPTIONS, Options
from perdure_runtime.core.limits import check_name
from perdure_runtime.core.messages import MethodSpec

if TYPE_CHECKING:
    from perdure_runtime.serde import Signature


class Kind(StrEnum):
    """What a definition is (the table of semantics, section 3)."""

    FUNCTION = "function"
    FLOW = "flow"
    STEP = "step"
    HANDLER = "handler"
    OBJECT = "object"


@dataclass(frozen=True, eq=False)
class Definition:
    """One function, flow, step, handler or object method. Compared by identity.

    Args:
        function: the user's callable, undecorated.
        service: where it lives if the decorator says so.
        takes_context: whether the first parameter is the context.
    """

    kind: Kind
    name: str
    function: Callable[..., Any]
    options: Options = DEFAULT_OPTIONS
    service: str | None = None
    version: str = ""
    takes_context: bool = False

    def __post_init__(self) -> None:
        check_name(f"name of a {self.kind}", self.name)
        if self.service is not None:
            check_name("service", self.service)
        if self.version:
            check_name("version", self.version)

    @cached_property
    def signature(self) -> Signature:
        """How its input and its result become payloads; the context is not part of it."""
        from perdure_runtime.serde import signature_of

        return signature_of(self.function, (0,) if self.takes_context else ())

    @cached_property
    def code(self) -> str:
        """`module.qualified_name` of the user's callable, the same in every process."""
        from perdure_runtime.serde import code_name

        return code_name(self.function) or code_name(type(self.function)) or self.name

    @property
    def identity(self) -> Hashable:
        """What it is known by when it is renamed or offered by several services."""
        return self.function

    @property
    def is_local(self) -> bool:
        """Whether it was made inside a function, so that no other process can find it by name."""
        return "<locals>" in getattr(self.function, "__qualname__", "")

    @property
    def is_durable(self) -> bool:
        """Whether its body has a journal: a function, a flow or an object method."""
        return self.kind in (Kind.FUNCTION, Kind.FLOW, Kind.OBJECT)

    def renamed(self, name: str) -> Definition:
        """The same under another name."""
        return self if name == self.name else replace(self, name=name)

    def method_spec(self, service: str, version: str) -> MethodSpec:
        """What a worker tells the coordinator about it."""
        retry, rate_limit = self.options.retry, self.options.rate_limit
        return MethodSpec(
            service=service,
            method=self.name,
            kind=str(self.kind if self.is_durable else Kind.HANDLER),
            version=self.version or version,
            retry=None if retry is None else retry.core(),
            attempt_timeout_ms=self.options.attempt_timeout_ms,
            attempt_timeouts_ms=self.options.attempt_timeouts_ms,
            execution_timeout_ms=self.options.execution_timeout_ms,
            on_exhausted=self.options.on_exhausted,
            max_concurrency=self.options.max_concurrency or 0,
            rate=None if rate_limit is None else rate_limit.core(),
            input_schema=_json(self.signature.input_schema()),
            output_schema=_json(self.signature.output_schema()),
        )


def _json(schema: dict[str, Any] | None) -> str:
    import msgspec

    return "" if schema is None else msgspec.json.encode(schema).decode()
