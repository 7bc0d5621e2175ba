"""Which namespaces a call may name, by the token that it came with.

A token that is bound to namespaces reaches nothing outside of them, whatever the method: what it
may not name is refused before it is looked for, in the same words whether it exists or not. The
guard at the door (`perdure_coordinator.security`) says whose call this is; services ask here. A
request of which it is not known where it belongs is refused to bound tokens.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from typing import Final

from perdure_runtime.core.errors import AuthenticationError

EVERYWHERE: Final = None
"""Of a token that is bound to no namespace, and of servers without tokens."""

_namespaces: ContextVar[frozenset[str] | None] = ContextVar("namespaces", default=EVERYWHERE)


def admit(namespaces: frozenset[str] | None) -> None:
    """The call under way came with a token for these namespaces."""
    _namespaces.set(namespaces)


def admitted() -> frozenset[str] | None:
    """The namespaces of the call under way; None: all."""
    return _namespaces.get()


def check_access(request: object, allowed: frozenset[str] | None) -> None:
    """Raise AuthenticationError for a request that names a namespace which is not allowed."""
    if allowed is EVERYWHERE:
        return
    named = set(_named(request))
    if not named:
        raise AuthenticationError(
            "this token is bound to namespaces, and the call is about all of them; use a token "
            "that is not bound"
        )
    for namespace in sorted(named - allowed):
        raise AuthenticationError(f"this token is not for namespace {namespace!r}")


def _named(request: object) -> Iterable[str]:
    """The namespaces that a request names; none for a request about all of them."""
    if isinstance(request, str):  # requests that are nothing but a namespace
        return [request]
    if isinstance(request, list):
        return [namespace for each in request for namespace in _named(each)] or [""]
    found = [
        namespace
        for part in (request, getattr(request, "key", None))
        if isinstance(namespace := getattr(part, "namespace", None), str)
    ]
    cached = getattr(request, "cached", ())
    return [*found, *(each.key.namespace for each in cached)]
