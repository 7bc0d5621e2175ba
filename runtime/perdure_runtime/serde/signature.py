"""Calls of a function as payloads: input by name, result by return hint (semantics, section 3).

Input on the wire: one parameter, the value; several, an object by name without the defaults; none,
null. Parameters that are *injected* (a context, `self`) never travel.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import cached_property
from types import FunctionType, GenericAlias
from typing import Any, Final

from perdure_runtime.core.errors import SerializationError
from perdure_runtime.core.payload import Payload
from perdure_runtime.serde.hints import RETURN, accepts_none, resolve_hints
from perdure_runtime.serde.qualified import code_name
from perdure_runtime.serde.schemas import input_schema, output_schema
from perdure_runtime.serde.serializer import Serializer
from perdure_runtime.serde.typed_json import TYPED_JSON

_Parameter = inspect.Parameter
_POSITIONAL: Final = (_Parameter.POSITIONAL_ONLY, _Parameter.POSITIONAL_OR_KEYWORD)

Call = tuple[tuple[Any, ...], dict[str, Any]]


class Signature:
    """What a function takes and gives. Make it with `signature_of`, once per function.

    Args:
        function: any callable that `inspect.signature` understands.
        injected: indexes or names of the parameters that the runtime fills in.
        local_names: names of the scope that defined the function, to resolve hints.

    Raises:
        TypeError: an injected parameter does not exist.
    """

    def __init__(
        self,
        function: Any,
        injected: Sequence[int | str] = (),
        local_names: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = code_name(function) or type(function).__qualname__
        self._function = function
        self._local_names = local_names
        self._all = tuple(inspect.signature(function).parameters.values())
        self._injected = frozenset(self._named(which) for which in injected)
        taken = [parameter for parameter in self._all if parameter.name not in self._injected]
        self._signature = inspect.Signature(taken)
        self.parameters = {parameter.name: parameter for parameter in taken}
        self._single = taken[0] if len(taken) == 1 else None

    def bind(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], serializer: Serializer = TYPED_JSON
    ) -> Payload:
        """The input payload of one call, without the injected arguments.

        Raises:
            TypeError: the arguments do not fit the function, which the message names.
            SerializationError, LimitExceededError: an argument cannot be encoded.
        """
        single = self._single
        if single is not None and single.kind in _POSITIONAL and len(args) == 1 and not kwargs:
            return serializer.encode(args[0], self._hint(single.name), what=single.name)
        arguments = self.arguments(args, kwargs)
        if not self.parameters:
            return serializer.encode(None)
        if single is None:
            return serializer.encode(arguments, what="input")
        value = arguments.get(single.name, self._stand_in(single))
        return serializer.encode(value, self._hint(single.name), what=single.name)

    def arguments(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments by name, defaults not filled in. Raises TypeError as `bind` does."""
        try:
            return dict(self._signature.bind(*args, **kwargs).arguments)
        except TypeError as error:
            raise TypeError(f"{self.name}() {error}; it takes {self._signature}") from None

    def unbind(
        self, payload: Payload, injected: Sequence[Any] = (), serializer: Serializer = TYPED_JSON
    ) -> Call:
        """The arguments of a call as `function(*args, **kwargs)` takes them, restored by hints.

        Args:
            injected: values of the injected parameters in their order; without them they are
                left out.

        Raises:
            SerializationError: the payload does not fit the parameters.
        """
        values = self._decode(payload, serializer)
        missing = [
            parameter.name
            for parameter in self.parameters.values()
            if parameter.name not in values and not _optional(parameter)
        ]
        if missing:
            raise SerializationError(
                f"input of {self.name}() lacks {', '.join(missing)}; it takes {self._signature}"
            )
        if injected:
            names = [each.name for each in self._all if each.name in self._injected]
            values |= zip(names, injected, strict=True)
        return self._spread(values)

    def bind_result(self, value: Any, serializer: Serializer = TYPED_JSON) -> Payload:
        """The payload of a result. Raises `SerializationError`, `LimitExceededError`."""
        return serializer.encode(value, self.result_hint, what=f"result of {self.name}()")

    def decode_result(self, payload: Payload, serializer: Serializer = TYPED_JSON) -> Any:
        """A result restored by the return hint. Raises `SerializationError`."""
        return serializer.decode(payload, self.result_hint, what=f"result of {self.name}()")

    def input_schema(self) -> dict[str, Any] | None:
        """JSON schema of the input on the wire, None when the hints allow none."""
        required = [each.name for each in self.parameters.values() if not _optional(each)]
        return input_schema(self._wire_hints, required, single=self._single is not None)

    def output_schema(self) -> dict[str, Any] | None:
        """JSON schema of the result, None when the hint allows none."""
        return output_schema(self.result_hint)

    @cached_property
    def hints(self) -> dict[str, Any]:
        """Resolved hints by parameter name; unhinted names are missing."""
        return resolve_hints(self._function, self._local_names)

    @cached_property
    def result_hint(self) -> Any:
        """The return hint; `Any` for none and for `-> None`, which promises nothing to restore."""
        hint = self.hints.get(RETURN)
        return Any if hint in (None, type(None)) else hint

    @cached_property
    def _wire_hints(self) -> dict[str, Any]:
        return {name: self._hint(name) for name in self.parameters}

    def _hint(self, name: str) -> Any:
        hint = self.hints.get(name, Any)
        kind = self.parameters[name].kind
        if kind is _Parameter.VAR_POSITIONAL:
            return GenericAlias(list, (hint,))
        if kind is _Parameter.VAR_KEYWORD:
            return GenericAlias(dict, (str, hint))
        return hint

    def _named(self, which: int | str) -> str:
        names = [parameter.name for parameter in self._all]
        if isinstance(which, int) and -len(names) <= which < len(names):
            return names[which]
        if which not in names:
            raise TypeError(f"{self.name}() has no parameter {which!r}; it has {names}")
        return str(which)

    def _stand_in(self, single: inspect.Parameter) -> Any:
        """What travels for the only parameter when the caller gave nothing.

        Null, wherever null cannot be taken for an argument; else the default itself.
        """
        if single.kind is _Parameter.VAR_POSITIONAL:
            return []
        if single.kind is _Parameter.VAR_KEYWORD:
            return {}
        return single.default if accepts_none(self._hint(single.name)) else None

    def _decode(self, payload: Payload, serializer: Serializer) -> dict[str, Any]:
        if not self.parameters:
            if serializer.decode(payload, what=f"input of {self.name}()") is not None:
                raise SerializationError(f"{self.name}() takes no input; send null")
            return {}
        single = self._single
        if single is None:
            return serializer.decode_fields(payload, self._wire_hints, what="input")
        hint = self._hint(single.name)
        if _optional(single) and not accepts_none(hint):
            value = serializer.decode(payload, hint | None, what=single.name)
            return {} if value is None else {single.name: value}
        return {single.name: serializer.decode(payload, hint, what=single.name)}

    def _spread(self, values: dict[str, Any]) -> Call:
        """Arguments by name, as positional ones while that is possible, then by keyword."""
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        more_positional = bool(
            next((values.get(p.name) for p in self._all if p.kind is _Parameter.VAR_POSITIONAL), ())
        )
        by_position = True
        for parameter in self._all:
            name, kind = parameter.name, parameter.kind
            if kind is _Parameter.VAR_POSITIONAL:
                args.extend(values.get(name, ()))
            elif kind is _Parameter.VAR_KEYWORD:
                kwargs.update(values.get(name, {}))
            elif name not in values:
                if more_positional and kind in _POSITIONAL and name not in self._injected:
                    args.append(parameter.default)
                elif name not in self._injected:
                    by_position = False
            elif kind in _POSITIONAL and by_position:
                args.append(values[name])
            else:
                kwargs[name] = values[name]
        return tuple(args), kwargs


# Only of functions that live as long as their module: a signature keeps its function alive.
_signatures: Final[dict[tuple[Any, tuple[int | str, ...]], Signature]] = {}


def signature_of(
    function: Any,
    injected: Sequence[int | str] = (),
    local_names: Mapping[str, Any] | None = None,
) -> Signature:
    """The signature of a function; made once for each function of a module."""
    if not isinstance(function, FunctionType) or "<locals>" in function.__qualname__:
        return Signature(function, injected, local_names)
    key = (function, tuple(injected))
    known = _signatures.get(key)
    if known is None:
        known = _signatures[key] = Signature(function, injected, local_names)
    return known


def _optional(parameter: inspect.Parameter) -> bool:
    return parameter.default is not _Parameter.empty or parameter.kind in (
        _Parameter.VAR_POSITIONAL,
        _Parameter.VAR_KEYWORD,
    )
