"""Services: what they hold, what they tell workers, and where a function belongs."""

from collections.abc import Iterator
from types import FunctionType
from typing import Any

import pytest

from perdure import Service, durable
from perdure.definition import Kind
from perdure.errors import AmbiguousTargetError, InvalidArgumentError
from perdure.registry import (
    DEFAULT_SERVICE,
    REGISTRY,
    all_services,
    collect_services,
    definition_of,
    isolated_registry,
    target_of,
)
from perdure_runtime.core.entries import Target
from perdure_runtime.core.messages import MethodSpec
from perdure_runtime.core.retry import NO_RETRY, Retry


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    with isolated_registry():
        yield


async def process(ctx: Any, data: dict[str, Any]) -> dict[str, Any]:
    return data


async def pipeline(ctx: Any, sources: list[str]) -> int:
    return len(sources)


def resize(path: str) -> str:
    return path


def renamed_code(function: Any, name: str) -> Any:
    """The same code as if another module had defined it."""
    made = FunctionType(function.__code__, function.__globals__, function.__name__)
    made.__module__ = name
    return made


def test_a_service_exists_once_by_name() -> None:
    service = durable.service("orders", "2.0")
    assert service is durable.service("orders")
    assert service is durable.service("orders", "2.0")
    assert isinstance(service, Service)
    assert "1.0.0" == durable.service("others").version


def test_another_version_of_a_service_is_refused() -> None:
    durable.service("orders", "2.0")
    with pytest.raises(InvalidArgumentError, match=r"version '2\.0' in this process, not '3\.0'"):
        durable.service("orders", "3.0")


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 256])
def test_a_service_has_a_proper_name(name: str) -> None:
    with pytest.raises(InvalidArgumentError, match="service"):
        durable.service(name)


def test_what_is_added_becomes_what_it_looks_like() -> None:
    service = durable.service("orders")
    service.add_function(durable.function(process))
    service.add_function(durable.flow(pipeline))
    service.add_function(durable.step(resize), name="scale")
    service.add_function(resize)
    service.add_function(process, name="undecorated")

    @service.handler
    def charge(payload: dict[str, Any]) -> dict[str, Any]:
        return payload

    assert {
        "process": Kind.FUNCTION,
        "pipeline": Kind.FLOW,
        "scale": Kind.STEP,
        "resize": Kind.STEP,
        "undecorated": Kind.FUNCTION,
        "charge": Kind.HANDLER,
    } == {name: definition.kind for name, definition in service.methods.items()}
    assert {"a": 1} == charge({"a": 1})


def test_adding_the_same_again_changes_nothing() -> None:
    service = durable.service("orders")
    function = durable.function(process)
    service.add_function(function)
    service.add_function(function)
    assert ["process"] == list(service.methods)


def test_two_functions_of_one_name_are_refused_and_both_modules_named() -> None:
    service = durable.service("orders")
    service.add_function(durable.function(process))
    with pytest.raises(InvalidArgumentError, match=r"two methods named 'process'.*other\.process"):
        service.add_function(durable.function(renamed_code(process, "other")))


def test_the_same_code_made_anew_replaces_the_old() -> None:
    service = durable.service("orders")
    service.add_function(process)
    again = renamed_code(process, process.__module__)
    service.add_function(again)
    assert again is service.methods["process"].function
    assert definition_of(process) is None


@pytest.mark.parametrize("wrong", [Service, 42, "process", lambda x: x])
def test_what_is_no_function_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError):
        durable.service("orders").add_function(wrong)


def test_a_handler_takes_no_context() -> None:
    with pytest.raises(TypeError, match=r"takes a context; use @durable\.function"):
        durable.service("orders").handler(process)


def test_workers_are_told_policies_in_milliseconds() -> None:
    service = durable.service("orders", "2.0")
    service.add_function(durable.function(timeout=1.5, version="7", on_exhausted="pause")(process))
    service.add_function(durable.flow(execution_timeout=9)(pipeline))
    service.handler(resize)
    specs = [_without_schemas(spec) for spec in service.method_specs()]
    assert [
        MethodSpec(
            "orders",
            "process",
            "function",
            version="7",
            retry=Retry(),
            attempt_timeout_ms=1_500,
            on_exhausted="pause",
        ),
        MethodSpec(
            "orders",
            "pipeline",
            "flow",
            version="2.0",
            retry=NO_RETRY,
            execution_timeout_ms=9_000,
        ),
        MethodSpec("orders", "resize", "handler", version="2.0"),
    ] == specs


def _without_schemas(spec: MethodSpec) -> MethodSpec:
    from msgspec.structs import replace

    assert spec.input_schema
    assert spec.output_schema
    return replace(spec, input_schema="", output_schema="")


def test_a_step_with_a_policy_of_its_own_tells_it() -> None:
    service = durable.service("orders")
    service.add_function(durable.step(max_retries=1)(resize))
    assert [Retry(max_retries=1)] == [spec.retry for spec in service.method_specs()]


def test_the_configuration_is_plain_data() -> None:
    service = durable.service("advanced-service", "1.0.0")
    service.add_function(durable.function(max_retries=5, retry_delay=2.0, timeout=300)(process))
    service.add_function(durable.flow(pipeline))
    service.handler(resize)
    config = service.get_service_config()
    assert ("advanced-service", "1.0.0", []) == (
        config["name"],
        config["version"],
        config["objects"],
    )
    assert [["process"], ["pipeline"], ["resize"]] == [
        [each["name"] for each in config[kind]] for kind in ("functions", "flows", "handlers")
    ]
    function = config["functions"][0]
    assert (5, 2.0, 300.0, True) == (
        function["max_retries"],
        function["retry_delay"],
        function["timeout"],
        function["deterministic"],
    )
    assert {"type": "object"} == function["input_schema"]
    assert {"type": "array", "items": {"type": "string"}} == config["flows"][0]["input_schema"]


# --- targets (semantics, section 3) -------------------------------------------------------------


def test_the_service_of_the_decorator_wins() -> None:
    function = durable.function(service="named")(process)
    durable.service("other").add_function(function)
    assert Target("named", "process") == target_of(function.definition)


def test_else_the_service_it_was_added_to_under_its_name_there() -> None:
    function = durable.function(process)
    durable.service("orders").add_function(function, name="run")
    assert Target("orders", "run") == target_of(function.definition)


def test_else_the_default_service() -> None:
    assert Target(DEFAULT_SERVICE, "process") == target_of(durable.function(process).definition)


def test_two_services_are_ambiguous_until_one_is_named() -> None:
    function = durable.function(process)
    durable.service("a").add_function(function)
    durable.service("b").add_function(function)
    with pytest.raises(AmbiguousTargetError, match="the services a, b; say which one"):
        target_of(function.definition)
    assert Target("b", "process") == target_of(function.definition, "b")


def test_a_plain_function_is_found_by_what_it_is() -> None:
    durable.service("orders").handler(resize)
    found = definition_of(resize)
    assert found is not None
    assert Target("orders", "resize") == target_of(found)


def test_collecting_leaves_what_has_a_place() -> None:
    placed, loose = durable.function(process), durable.flow(pipeline)
    named = durable.step(service="named")(resize)
    durable.service("orders").add_function(placed)
    touched = collect_services([placed.definition, loose.definition, named.definition], "app")
    assert {"app": ["pipeline"], "named": ["resize"]} == {
        service.name: list(service.methods) for service in touched
    }
    assert ["app", "named", "orders"] == sorted(service.name for service in all_services())
    assert ["orders"] == list(REGISTRY.homes(process))
