"""Which methods were ever registered, and which service an object class belongs to.

Durable: a method that nobody serves now may come back (semantics, section 5). Checks registrations;
knows no sessions.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from perdure_runtime.core.entries import Target
from perdure_runtime.core.errors import InvalidArgumentError
from perdure_runtime.core.limits import check_name
from perdure_runtime.core.messages import Hello, MethodSpec
from perdure_runtime.core.objects import OBJECT, class_of
from perdure_runtime.core.rates import check_limits
from perdure_runtime.storage import CatalogRow


class Catalog:
    """Registered methods by (namespace, service, method)."""

    def __init__(self) -> None:
        self.methods: dict[tuple[str, str, str], MethodSpec] = {}
        self._classes: dict[tuple[str, str], str] = {}  # service of each object class
        self.on_changed: Callable[[str, MethodSpec], None] = lambda namespace, spec: None

    def check(self, hello: Hello) -> None:
        """Raise InvalidArgumentError for a registration that cannot be."""
        check_name("namespace", hello.namespace)
        check_name("worker id", hello.worker_id)
        for cached in hello.cached:
            if cached.key.namespace != hello.namespace:
                raise InvalidArgumentError(
                    f"a worker of namespace {hello.namespace!r} keeps no execution of another "
                    f"namespace: {cached.key.id!r}"
                )
        seen: set[tuple[str, str]] = set()
        for spec in hello.methods:
            check_name("service", spec.service)
            check_name("method", spec.method)
            if (spec.service, spec.method) in seen:
                raise InvalidArgumentError(f"{spec.service}/{spec.method} is registered twice")
            seen.add((spec.service, spec.method))
            if spec.kind == OBJECT:
                self._check_object(hello.namespace, spec)
            check_limits(f"{spec.service}/{spec.method}", spec.max_concurrency, spec.rate)

    def remember(self, namespace: str, spec: MethodSpec) -> None:
        """A method is registered, now or in an earlier owner's time."""
        self.methods[namespace, spec.service, spec.method] = spec
        if spec.kind == OBJECT:
            self._classes[namespace, class_of(spec.method)] = spec.service

    def register(self, hello: Hello) -> list[CatalogRow]:
        """Remember what a worker offers; the rows to write for what is new or changed.

        The last registration of a method is the one that counts.
        """
        rows: list[CatalogRow] = []
        for spec in hello.methods:
            key = (hello.namespace, spec.service, spec.method)
            if self.methods.get(key) != spec:
                self.remember(hello.namespace, spec)
                self.on_changed(hello.namespace, spec)
                rows.append(CatalogRow(*key, msgspec.msgpack.encode(spec)))
        return rows

    def spec_of(self, namespace: str, target: Target) -> MethodSpec | None:
        """What was registered last for a target."""
        return self.methods.get((namespace, target.service, target.method))

    def _check_object(self, namespace: str, spec: MethodSpec) -> None:
        class_name = class_of(spec.method)
        if not class_name:
            raise InvalidArgumentError(
                f"{spec.service}/{spec.method} is no object method: name it Class.method"
            )
        owner = self._classes.get((namespace, class_name), spec.service)
        if owner != spec.service:
            raise InvalidArgumentError(
                f"object class {class_name!r} belongs to service {owner!r} of namespace "
                f"{namespace!r}, and {spec.service!r} registers it too: rename one of the classes, "
                "or give both the same service"
            )
