"""What `@durable.object` accepts, and what a proxy says of what it does not have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from perdure import DurableContext, DurableObject, durable
from perdure.errors import InvalidArgumentError
from perdure.objects.definition import object_definition
from perdure.objects.proxy import object_proxy
from perdure.registry import isolated_registry
from perdure.service import Service


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    with isolated_registry():
        yield


class Base(DurableObject):
    async def inherited(self) -> int:
        return 1


def made(**options: Any) -> Any:
    @durable.object(**options)
    class Thing(Base):
        """A thing."""

        def __init__(self, id: str, size: int = 3) -> None:
            super().__init__(id)
            self.size = size

        async def grow(self, by: int, ctx: DurableContext | None = None) -> int:
            return by

        @durable.shared
        async def read(self) -> int:
            return self.size

        async def _private(self) -> None: ...

        def helper(self) -> int:
            return 1

        @property
        def double(self) -> int:
            return 2

        @staticmethod
        def plain() -> int:
            return 1

    return Thing


def test_remote_methods_are_the_public_async_ones() -> None:
    methods = object_definition(made()).methods
    assert {"grow", "read", "inherited", "get_state"} == set(methods)
    assert ("self", "ctx") == methods["grow"].injected
    assert ["read", "get_state"] == [name for name, each in methods.items() if each.is_shared]


def test_the_configuration_of_a_service_lists_objects() -> None:
    service = Service("s", "1.0.0")
    service.add_object(made(version="2", on_error="rollback", timeout=3))
    (described,) = service.get_service_config()["objects"]
    assert ("Thing", "2", "A thing.") == tuple(described[key] for key in ("name", "version", "doc"))
    assert "rollback" == described["on_error"]
    methods = {each["name"]: each for each in described["methods"]}
    assert {"grow", "inherited", "read"} == set(methods)
    assert methods["read"]["shared"]
    assert 3 == methods["grow"]["timeout"]
    assert {"type": "integer"} == methods["grow"]["input_schema"]
    specs = {spec.method: spec for spec in service.method_specs()}
    assert {"object"} == {spec.kind for spec in specs.values()}
    assert specs["Thing.read"].shared
    assert not specs["Thing.grow"].shared


def test_an_object_belongs_to_one_service() -> None:
    cls = made()
    first, second = Service("first", "1.0.0"), Service("second", "1.0.0")
    first.add_object(cls)
    first.add_object(cls)
    with pytest.raises(InvalidArgumentError, match="first"):
        second.add_object(cls)
    with pytest.raises(InvalidArgumentError, match="decorator"):
        second.add_object(made(service="third"))


def test_two_classes_of_one_base_have_methods_of_their_own() -> None:
    class Other(Base): ...

    first, other = object_definition(made()), object_definition(durable.object(Other))
    service = Service("s", "1.0.0")
    service.add_object(first.cls)
    service.add_object(other.cls)
    assert {"Thing.inherited", "Other.inherited"} <= set(service.methods)


def test_an_undecorated_class_is_refused() -> None:
    class Derived(made()):  # type: ignore[misc]
        pass

    for cls in (int, Derived):
        with pytest.raises(TypeError, match="@durable"):
            Service("s", "1.0.0").add_object(cls)
    with pytest.raises(TypeError, match="add_object"):
        Service("s", "1.0.0").add_function(made())


def test_an_instance_made_by_hand_is_an_ordinary_object() -> None:
    thing = made()("x")
    assert ("x", 3, 1) == (thing.id, thing.size, thing.helper())


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("helper", "plain method"),
        ("size", "get_state"),
        ("double", "get_state"),
        ("grwo", "did you mean grow"),
        ("save", "saved with each method"),
        ("_private", "get_state"),
    ],
)
def test_a_proxy_says_why_it_lacks_an_attribute(name: str, hint: str) -> None:
    proxy = object_proxy(made(), "x")
    with pytest.raises(AttributeError, match=hint):
        getattr(proxy, name)
    assert not hasattr(proxy, name)


def test_a_proxy_cannot_be_changed() -> None:
    cls = made()
    proxy = object_proxy(cls, "x")
    with pytest.raises(AttributeError, match="proxy"):
        proxy.size = 4
    assert "x" == proxy.id
    assert proxy == object_proxy(cls, "x") != object_proxy(cls, "y")
    assert "Thing/x" in repr(proxy)


@pytest.mark.parametrize("id", ["", "x" * 256, "a\nb", 7])
def test_ids_are_checked(id: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="id of a Thing"):
        object_proxy(made(), id)


def test_a_method_without_an_object_is_no_target() -> None:
    with pytest.raises(AttributeError):
        made().grow.object_key  # noqa: B018


def two_contexts() -> None:
    @durable.object
    class Bad(DurableObject):
        async def method(self, ctx: DurableContext, context: DurableContext) -> None: ...


def generator() -> None:
    @durable.object
    class Bad(DurableObject):
        async def method(self) -> Any:
            yield 1


def shared_and_sync() -> None:
    class Bad(DurableObject):
        @durable.shared
        def method(self) -> None: ...


def shared_and_private() -> None:
    @durable.object
    class Bad(DurableObject):
        @durable.shared
        async def _method(self) -> None: ...


def reserved() -> None:
    @durable.object
    class Bad(DurableObject):
        async def get_state(self) -> dict[str, Any]:
            return {}


def more_parameters() -> None:
    @durable.object
    class Bad(DurableObject):
        def __init__(self, id: str, more: int) -> None: ...


def bad_version() -> None:
    @durable.object
    class Bad(DurableObject):
        __state_version__ = "2"  # type: ignore[assignment]


def async_migrate() -> None:
    @durable.object
    class Bad(DurableObject):
        async def migrate(self, old: Any) -> None: ...


def no_class() -> None:
    durable.object(len)  # type: ignore[call-overload]


def twice() -> None:
    durable.object(made())


def unknown_option() -> None:
    durable.object(colour="red")  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("define", "hint"),
    [
        (two_contexts, "two contexts"),
        (generator, "async generator"),
        (shared_and_sync, "async def"),
        (shared_and_private, "private"),
        (reserved, "get_state"),
        (more_parameters, "more"),
        (bad_version, "__state_version__"),
        (async_migrate, "plain `def`"),
        (no_class, "decorates classes"),
        (twice, "already"),
        (unknown_option, "colour"),
    ],
)
def test_what_cannot_work_is_refused_at_decoration(define: Any, hint: str) -> None:
    with pytest.raises(TypeError, match=hint):
        define()


def test_a_bad_value_of_an_option_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="on_error"):
        made(on_error="ignore")
    with pytest.raises(InvalidArgumentError, match="timeout"):
        made(timeout=-1)
